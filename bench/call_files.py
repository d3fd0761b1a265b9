"""Asterisk files of any size, from the demo firm's days: several at once, as many years back as it takes, many numbers.

Called by data.py and importing.py. The same size, day and parties give the same calls.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import BinaryIO

from demo import asterisk_rows
from demo.day_plan import LONDON, head_office_day, midnight
from demo.firm import FICTION_PREFIXES, WITHHELD, Party
from demo.planned_call import PlannedCall

_IDS_OF_A_WEEK = 7 * 256  # turns: asterisk_rows gives each its own room of ids in a week
_FIRST = ("Amber", "Birch", "Cedar", "Delta", "Elm", "Falcon", "Granite", "Heron", "Iris", "Juniper", "Kestrel", "Lime")
_SECOND = ("Bakery", "Builders", "Cars", "Dental", "Energy", "Fabrics", "Glass", "Hotels", "Imports", "Joinery", "Law")


class Callers:
    """The outside world: so many numbers of ranges reserved for fiction, a few of which call most."""

    def __init__(self, number_count: int) -> None:
        numbers = list(islice(_fictional_numbers(), number_count))
        random.Random("bench").shuffle(numbers)
        self._parties = [Party(number, _name(turn)) for turn, number in enumerate(numbers)]

    def pick(self, dice: random.Random) -> Party:
        return self._parties[int(len(self._parties) * dice.random() ** 3)]


def _fictional_numbers() -> Iterator[str]:
    for prefix in FICTION_PREFIXES.values():
        yield from (f"{prefix}{number:03}" for number in range(1000))
    yield from (f"01632{number:06}" for number in range(1_000_000))  # an area code that nobody has


def _name(turn: int) -> str:
    """Every third caller sends a name."""
    if turn % 3:
        return ""
    return f"{_FIRST[turn % len(_FIRST)]} {_SECOND[turn % len(_SECOND)]} {turn}"


@dataclass(frozen=True)
class Files:
    """What to write: `paths` share the calls by `shares`; one call of `every` is kept, `lanes` offices a day."""

    paths: Sequence[Path]
    callers: Callers
    lanes: int = 4
    every: int = 1
    shares: tuple[float, ...] = (1.0,)


def today() -> date:
    """In London, where the calls are."""
    return datetime.now(LONDON).date()


def write_calls(files: Files, until: date, *, calls: int = 0, lines: int = 0) -> None:
    """Write the newest so many calls, or lines, that ended before midnight of `until`: a file a path, oldest first."""
    parts = [path.with_suffix(".part") for path in files.paths]
    places: list[list[tuple[int, int]]] = [[] for _ in parts]  # where each day stands, the newest first
    with ExitStack() as stack:
        outs = [stack.enter_context(part.open("wb")) for part in parts]
        written = 0
        for back in count(1):
            if written >= (calls or lines):
                break
            days = _day(files, until - timedelta(days=back))
            missing = (calls or lines) - written
            if calls:
                days = days[-missing:]
                written += len(days)
            else:
                days = _newest_lines(days, missing)
                written += sum(len(found) for _, found in days)
            for which, out in enumerate(outs):
                begin = out.tell()
                out.write("".join(line + "\n" for file, found in days if file == which for line in found).encode())
                places[which].append((begin, out.tell() - begin))
    for part, path, days_of_file in zip(parts, files.paths, places, strict=True):
        with part.open("rb") as source, path.open("wb") as out:
            _copy_backwards(source, days_of_file, out)
        part.unlink()


def _newest_lines(days: list[tuple[int, list[str]]], missing: int) -> list[tuple[int, list[str]]]:
    """The newest calls of a day that have so many lines in all; of the oldest one its last lines."""
    kept: list[tuple[int, list[str]]] = []
    for file, found in reversed(days):
        if missing <= 0:
            break
        kept.append((file, found[-missing:]))
        missing -= len(found)
    return kept[::-1]


def _copy_backwards(source: BinaryIO, places: list[tuple[int, int]], out: BinaryIO) -> None:
    for begin, size in reversed(places):
        source.seek(begin)
        out.write(source.read(size))


def _day(files: Files, day: date) -> list[tuple[int, list[str]]]:
    """The calls of a day in the order in which they ended, each as the file it goes into and its lines."""
    found = []
    dice = random.Random(f"bench {day.isoformat()}")
    for lane in range(files.lanes):
        for planned in _lane(day, lane):
            which = dice.choices(range(len(files.shares)), files.shares)[0]
            outside = files.callers.pick(dice)
            if dice.randrange(files.every) == 0:
                end, lines = asterisk_rows.lines_of(_with(planned, outside))
                found.append((end, which, lines))
    return [(which, lines) for _, which, lines in sorted(found)]


def _lane(day: date, lane: int) -> Iterator[PlannedCall]:
    """A day of the firm, taken from the same weekday of another year for each lane, with ids of its own."""
    model = day - timedelta(weeks=52 * lane)
    shift = midnight(day) - midnight(model)
    for call in head_office_day(model):
        yield call._replace(started_at=call.started_at + shift, turn=call.turn + lane * _IDS_OF_A_WEEK)


def _with(call: PlannedCall, outside: Party) -> PlannedCall:
    if not call.outside.number or call.outside == WITHHELD:
        return call
    dialed = outside.number if call.dialed == call.outside.number else call.dialed
    return call._replace(outside=outside, dialed=dialed)
