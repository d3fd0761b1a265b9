"""A backup, a drill and a restore of the large database, each in a process of its own, and pages during a backup."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.children import run_child
from bench.data import stocked
from bench.engines import FOLDER, Engine, Place
from bench.loaded import Reader, ask_for, get_page, serving
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import percentile

_MOST_SECONDS = {"backup": 300.0, "drill": 600.0, "restore": 600.0}
_MOST_BYTES = 30_000_000
_PAGE_SECONDS = 0.15


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    place = stocked(engine, scale, scale.calls)
    folder = FOLDER / f"backups-{engine.name.lower()}"
    shutil.rmtree(folder, ignore_errors=True)
    made = run_child(place, "recover", "backup", str(folder))
    note = f"{made['size'] / 1e6:,.0f} MB sealed of {made['calls']:,} calls{_size(engine, place)}"
    yield _timed(engine, "backup", made, note)
    drilled = run_child(place, "recover", "drill", str(folder))
    assert drilled["different"] == []
    yield _timed(engine, "drill", drilled, "restored, counted, every chain recomputed")
    name = f"{engine.name.lower()}-restored"
    restored = run_child(engine.find_empty(name), "recover", "restore", str(folder), made["path"])
    assert restored["calls"] == made["calls"]
    engine.drop(name)
    yield _timed(engine, "restore", restored, "checked, restored, settled")
    fewer = run_child(stocked(engine, scale, scale.fewer_calls), "recover", "backup", str(folder / "fewer"))
    yield Result(
        f"{engine.name}: backup, memory for {scale.calls:,} calls beyond that for {scale.fewer_calls:,}",
        f"{(made['peak_bytes'] - fewer['peak_bytes']) / 1e6:.1f} MB",
        f"{_MOST_BYTES / 1e6:.0f} MB",
        (made["peak_bytes"] - fewer["peak_bytes"]) / _MOST_BYTES,
        1.0,
        note=f"peaks {fewer['peak_bytes'] / 1e6:.0f} and {made['peak_bytes'] / 1e6:.0f} MB",
    )
    yield _pages(engine, place, folder)
    shutil.rmtree(folder)


def _timed(engine: Engine, what: str, found: dict[str, float], note: str) -> Result:
    note += f"; of the time {milliseconds(found['cpu_seconds'])} in this process"
    return in_time(f"{engine.name}: {what}", found["seconds"], _MOST_SECONDS[what], note)


def _size(engine: Engine, place: Place) -> str:
    path = Path(place.data_dir / "callbook.sqlite")
    return f", database {path.stat().st_size / 1e6:,.0f} MB" if engine.in_process else ""


def _pages(engine: Engine, place: Place, folder: Path) -> Result:
    """The call log over HTTP while a backup is made in another process."""
    with serving(place) as server:
        readers = [Reader(server.port, get_page)]
        (times,) = ask_for(readers, lambda: run_child(place, "recover", "backup", str(folder / "beside")))
    return in_time(
        f"{engine.name}: while a backup is made, p95 of a call-log page",
        percentile(times, 95),
        _PAGE_SECONDS,
        f"{len(times)} asked, worst {milliseconds(max(times))}",
    )
