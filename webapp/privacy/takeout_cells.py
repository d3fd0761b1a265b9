"""How a value of a column stands in a takeout: in CSV for people, with the organization's local time, and in JSON Lines
for programs, in UTC. Called by takeout_tables.py; what a column counts or names is said by the catalogue.

A column's speller is chosen once, by its type, and is called with each of its values as read_as() has them read: with
millions of rows, no value is asked what it is.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum, IntFlag
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Boolean, LargeBinary, SmallInteger, type_coerce

from webapp.calls.models import PartyRole, RecordFlag
from webapp.calls.outcomes import LegKind, LegResult
from webapp.clock import from_ms
from webapp.csv_out import Cell, guard_cell
from webapp.database.staff_rights import Area
from webapp.database.types import Instant, Milliseconds, SmallEnum
from webapp.privacy.entries import Exported

ToCell = Callable[[Any], Cell]
ToJson = Callable[[Any], Any]
_FIRST_DAY = date(1970, 1, 1)
_SECOND_MS, _DAY_MS = 1000, 86_400_000
_QUARTER_MS = 900_000  #: within one no zone changes its distance from UTC
_REMEMBERED_AT_MOST = 50_000
#: Columns that hold bits, or a value of a closed list, as plain numbers in their mappings.
_WORDS: dict[str, type[IntFlag] | type[IntEnum]] = {
    "roles": PartyRole,
    "flags": RecordFlag,
    "areas": Area,
    "kind": LegKind,
    "result": LegResult,
}
_IN_HEX = ("digest", "_hash", "salt")


def read_as(attribute: Any) -> Any:
    """The column as it is selected: instants as milliseconds, closed lists as numbers."""
    if isinstance(attribute.type, Instant):
        return type_coerce(attribute, Milliseconds())
    return type_coerce(attribute, SmallInteger()) if isinstance(attribute.type, SmallEnum) else attribute


def as_stored(attribute: Any, value: Any) -> Any:
    """A value that was read so, as the column itself takes it: to go on after it."""
    return from_ms(value) if isinstance(attribute.type, Instant) else value


def json_of(exported: Exported, attribute: Any) -> ToJson:
    """For one column, called with each of its values that is not NULL."""
    name, kind = attribute.key, attribute.type
    if isinstance(kind, Instant):
        return _times("UTC").spell
    if name in exported.days:
        return _day
    if name in exported.months:
        return _month
    if name in exported.quarters:
        return _quarters("UTC")
    words = kind.words if isinstance(kind, SmallEnum) else _WORDS.get(name) if isinstance(kind, SmallInteger) else None
    if words is not None:
        return partial(_bits, words) if issubclass(words, IntFlag) else _list(words).__getitem__
    if isinstance(kind, LargeBinary):
        return _hex if name.endswith(_IN_HEX) else _text
    return _as_it_is


def cell_of(exported: Exported, attribute: Any, zone: ZoneInfo) -> ToCell:
    """The same for CSV."""
    name, kind = attribute.key, attribute.type
    if isinstance(kind, Instant):
        return _times(zone.key).spell
    if name in exported.quarters:
        return _quarters(zone.key)
    if isinstance(kind, Boolean):
        return {False: "no", True: "yes"}.__getitem__
    spell = json_of(exported, attribute)
    if isinstance(spell, partial):
        return lambda value: ", ".join(spell(value))
    is_text = kind.python_type in (str, bytes) and spell is not _hex
    return (lambda value: guard_cell(spell(value))) if is_text else spell


def _as_it_is(value: Any) -> Any:
    return value


def _text(value: bytes) -> str:
    """What is no UTF-8 stands as \\xNN, and a backslash as two: so the exact bytes can be told from the text."""
    return bytes(value).replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def _hex(value: bytes) -> str:
    return bytes(value).hex()


def _list(words: type[IntEnum]) -> dict[int, str]:
    return {int(word): word.name.lower().replace("_", " ") for word in words}


@lru_cache(maxsize=1000)  # few values come, each with thousands of rows
def _bits(words: type[IntFlag], value: int) -> tuple[str, ...]:
    return tuple([word.name.lower().replace("_", " ") for word in words if word & value and word.name])


def _day(days: int) -> str:
    return (_FIRST_DAY + timedelta(days=days)).isoformat()


def _month(months: int) -> str:
    return f"{1970 + months // 12}-{months % 12 + 1:02}"


def _quarters(zone: str) -> Callable[[int], str]:
    times = _times(zone)
    return lambda slot: times.spell(slot * _QUARTER_MS)


@lru_cache(maxsize=4)
def _times(zone: str) -> "_Times":
    """One for all columns and files: what it remembers is some megabytes."""
    return _Times(ZoneInfo(zone))


class _Times:
    """Spells milliseconds since 1970 as ISO 8601 with the zone's distance from UTC, so that it says both."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._quarters: dict[int, tuple[int, str]] = {}
        self._days: dict[int, str] = {}

    def spell(self, ms: int) -> str:
        known = self._quarters.get(ms // _QUARTER_MS)
        shift, distance = known if known is not None else self._learn(ms)
        day, rest = divmod(ms + shift, _DAY_MS)
        seconds, rest = divmod(rest, _SECOND_MS)
        minutes, seconds = divmod(seconds, 60)
        written = self._days.get(day)
        if written is None:
            self._days[day] = written = _day(day)
        return f"{written}T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{rest:03}{distance}"

    def _learn(self, ms: int) -> tuple[int, str]:
        if len(self._quarters) > _REMEMBERED_AT_MOST:
            self._quarters, self._days = {}, {}  # new ones, since another worker may be reading the old ones
        local = datetime.fromtimestamp(ms // _QUARTER_MS * _QUARTER_MS / _SECOND_MS, UTC).astimezone(self._zone)
        shift = local.utcoffset() or timedelta()
        distance = "Z" if self._zone.key == "UTC" else local.isoformat()[len("2026-07-15T13:00:00") :]
        found = self._quarters[ms // _QUARTER_MS] = int(shift.total_seconds()) * _SECOND_MS, distance
        return found
