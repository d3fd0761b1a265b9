"""How a value of a column stands in a takeout: in CSV for people, with the organization's local time, and in JSON Lines
for programs, in UTC. Called by takeout_tables.py; what a column counts or names is said by the catalogue.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum, IntFlag
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from webapp.calls.models import PartyRole, RecordFlag
from webapp.calls.outcomes import LegKind, LegResult
from webapp.csv_out import Cell, guard_cell
from webapp.database.staff_rights import Area
from webapp.privacy.entries import Exported

ToCell = Callable[[Any], Cell]
ToJson = Callable[[Any], Any]
_FIRST_DAY = date(1970, 1, 1)
_QUARTER_SECONDS = 900
#: Columns that hold bits, as plain numbers in their mappings.
_BITS: dict[str, type[IntFlag]] = {"roles": PartyRole, "flags": RecordFlag, "areas": Area}
#: Columns of records that hold a value of a closed list, as plain numbers too.
_LISTS: dict[str, type[IntEnum]] = {"kind": LegKind, "result": LegResult}
_IN_HEX = ("digest", "_hash", "salt")


def json_of(exported: Exported, column: str) -> ToJson:
    """For one column, called with each of its values that is not NULL."""
    if column in exported.days:
        return _day
    if column in exported.months:
        return _month
    if column in exported.quarters:
        return lambda slot: _utc(_quarter(slot))
    if column in _BITS:
        return partial(_bits, _BITS[column])
    if column in _LISTS:
        return partial(_word, _LISTS[column])
    return _hex if column.endswith(_IN_HEX) else _plain


def cell_of(exported: Exported, column: str, zone: ZoneInfo) -> ToCell:
    """The same for CSV."""
    if column in exported.quarters:
        return lambda slot: _local(_quarter(slot), zone)
    spell = json_of(exported, column)

    def cell(value: Any) -> Cell:
        if isinstance(value, datetime):
            return _local(value, zone)
        if isinstance(value, bool):
            return "yes" if value else "no"
        spelt = spell(value)
        if isinstance(spelt, list):
            return ", ".join(spelt)
        return spelt if isinstance(spelt, int) else guard_cell(spelt)

    return cell


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, IntFlag):
        return _bits(type(value), value)
    if isinstance(value, IntEnum):
        return value.name.lower().replace("_", " ")
    if isinstance(value, bytes):
        # What is no UTF-8 stands as \xNN, and a backslash as two: so the exact bytes can be told from the text.
        return value.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
    return value


def _word(words: type[IntEnum], value: Any) -> Any:
    """Of other tables it is a value of their own list already, or text."""
    return _plain(words(value) if type(value) is int else value)


def _hex(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else _plain(value)


def _bits(words: type[IntFlag], value: int) -> list[str]:
    return [word.name.lower().replace("_", " ") for word in words if word & value and word.name]


def _day(days: int) -> str:
    return (_FIRST_DAY + timedelta(days=days)).isoformat()


def _month(months: int) -> str:
    return f"{1970 + months // 12}-{months % 12 + 1:02}"


def _quarter(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * _QUARTER_SECONDS, UTC)


def _utc(value: datetime) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"


def _local(value: datetime, zone: ZoneInfo) -> str:
    """With the distance from UTC, so that it says both."""
    return value.astimezone(zone).isoformat(timespec="milliseconds")
