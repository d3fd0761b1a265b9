"""`python -m bench [PART ...] [--small] [--postgresql]`: measure, print, judge. Parts: see _PARTS.

Without a choice all of it: pages on SQLite, imports on both engines. Exit status 1 when a limit is not kept.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from bench import (
    asking,
    browse,
    collecting,
    console,
    export,
    importing,
    naming,
    notices,
    overview,
    purge,
    recovery,
    returning,
    search,
    sign_in,
    takeout,
)
from bench.engines import FOLDER, Engine, Sqlite, no_postgresql, postgresql_engine, tell
from bench.report import Result, machine, table
from bench.scale import FULL, SMALL, Scale

_PARTS: dict[str, Callable[[Engine, Scale], Iterator[Result]]] = {
    "browse": browse.measure,
    "search": search.measure,
    "overview": overview.measure,
    "returning": returning.measure,
    "export": export.measure,
    "sign-in": sign_in.measure,
    "naming": naming.measure,
    "import": importing.measure,
    "collect": collecting.measure,
    "ask": asking.measure,
    "console": console.measure,
    "purge": purge.measure,
    "recovery": recovery.measure,
    "takeout": takeout.measure,
    "notices": notices.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="How fast Callbook is, as ratios.")
    parser.add_argument(
        "parts",
        nargs="*",
        choices=[*_PARTS, []],
        metavar="PART",
        help=f"one or more of {', '.join(_PARTS)}; all by default",
    )
    parser.add_argument("--small", action="store_true", help="a smoke run: a thousand calls, nothing is judged")
    parser.add_argument("--postgresql", action="store_true", help="everything on PostgreSQL, nothing on SQLite")
    options = parser.parse_args()
    scale = SMALL if options.small else FULL
    FOLDER.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    with ExitStack() as stack:
        for part, engine in _runs(stack, options.parts or list(_PARTS), options.postgresql):
            tell(f"{part} on {engine.name} ...")
            for result in _PARTS[part](engine, scale):
                tell(" ".join(result.cells[:6]))
                results.append(result)
    sys.stdout.write(f"{table(results)}\n\n{machine()}{', a smoke run' if options.small else ''}\n")
    return 0 if options.small or all(result.holds for result in results) else 1


def _runs(stack: ExitStack, parts: list[str], only_postgresql: bool) -> Iterator[tuple[str, Engine]]:
    if not only_postgresql:
        yield from ((part, Sqlite()) for part in parts)
    parts_there = parts if only_postgresql else [part for part in parts if part == "import"]
    if not parts_there:
        return
    missing = no_postgresql()
    if missing is not None:
        tell(f"PostgreSQL is not measured: {missing}")
        return
    engine = stack.enter_context(postgresql_engine())
    yield from ((part, engine) for part in parts_there)


if __name__ == "__main__":
    sys.exit(main())
