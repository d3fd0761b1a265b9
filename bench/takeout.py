"""A takeout of everything: how long a worker is at it, and its memory, which does not grow with the calls.

Made on a copy of the database that pages are measured on, in a process of its own for each size.
"""

from collections.abc import Iterator
from typing import Any

from bench.children import run_child
from bench.data import fingerprint, stocked
from bench.engines import Engine
from bench.report import Result, in_time, rate
from bench.scale import Scale

MOST_OF_A_MILLION = 600.0  #: seconds
_MOST_BYTES = 30_000_000


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    fewer, all_ = (_take_out(engine, scale, calls) for calls in (scale.fewer_calls, scale.calls))
    share = all_["cpu_seconds"] / all_["seconds"]
    yield in_time(
        f"{engine.name}: a takeout with {scale.calls:,} calls",
        all_["seconds"],
        MOST_OF_A_MILLION,
        f"{all_['rows']:,} rows in {all_['files']} files, {rate(all_['rows'], all_['seconds'])}; "
        f"archive {all_['bytes'] / 1e6:,.0f} MB; a processor {share:.0%} of the time",
    )
    yield Result(
        f"{engine.name}: takeout, memory for {scale.calls:,} calls beyond that for {scale.fewer_calls:,}",
        f"{(all_['peak_bytes'] - fewer['peak_bytes']) / 1e6:.1f} MB",
        f"{_MOST_BYTES / 1e6:.0f} MB",
        (all_["peak_bytes"] - fewer["peak_bytes"]) / _MOST_BYTES,
        1.0,
        note=f"peaks {fewer['peak_bytes'] / 1e6:.0f} and {all_['peak_bytes'] / 1e6:.0f} MB",
    )


def _take_out(engine: Engine, scale: Scale, calls: int) -> dict[str, Any]:
    stocked(engine, scale, calls)
    name = f"{engine.name.lower()}-takeout"
    place = engine.create(name, f"{engine.name.lower()}-{calls}-{fingerprint(scale)}")
    found = run_child(place, "takeout")
    engine.drop(name)
    return found
