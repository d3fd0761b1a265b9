"""Which events "Who looked" shows: a LookedFilter, read from an address and spelt back into one.

Ids are not checked: the rows of whoever is not known here are none. Used by who_looked.py and its views.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from webapp.audit.groups import Group
from webapp.database.ids import read_id, spell_id

OPERATOR = "operator"  #: in an address: what nobody with an account did
_LONGEST_VALUE = 40
_YEARS = range(1970, 2200)
_NO_CHOICE = "There is no such choice. Take one of the list."
_NO_DAY = "This is no day. Write it like 2026-11-22."
Value = TypeVar("Value")


@dataclass(frozen=True)
class LookedFilter:
    """What the reader asked for. `who`: id of a person, or OPERATOR; days are the organization's own, both included."""

    who: int | str | None = None
    group: Group | None = None
    first: date | None = None
    last: date | None = None

    def to_query(self) -> list[tuple[str, str]]:
        """Its pairs for an address."""
        pairs = []
        if self.who is not None:
            pairs.append(("who", spell_id(self.who) if isinstance(self.who, int) else self.who))
        if self.group is not None:
            pairs.append(("what", self.group.value))
        pairs += [(key, day.isoformat()) for key, day in (("from", self.first), ("to", self.last)) if day]
        return pairs


@dataclass(frozen=True)
class Asked:
    """A request, read: the filter, the position before which rows go on, and a sentence for each wrong field.

    `typed` are the wrong values as they came, to be shown in their fields.
    """

    chosen: LookedFilter
    before: int | None
    errors: dict[str, str]
    typed: dict[str, str]


@dataclass
class _Reading:
    arguments: MultiDict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)

    def value(self, key: str, read: Callable[[str], Value], sentence: str) -> Value | None:
        """The value of a key. What `read` refuses with ValueError is noted with the sentence."""
        text = self.arguments.get(key, "").strip()
        if not text:
            return None
        try:
            return read(text)
        except ValueError:
            self.errors[key], self.typed[key] = sentence, text[:_LONGEST_VALUE]
            return None


def read_asked(arguments: MultiDict[str, str]) -> Asked:
    """Read an address. Never raises on content; unknown keys are passed over."""
    reading = _Reading(arguments)
    chosen = LookedFilter(
        who=reading.value("who", _read_who, _NO_CHOICE),
        group=reading.value("what", Group, _NO_CHOICE),
        first=reading.value("from", _read_day, _NO_DAY),
        last=reading.value("to", _read_day, _NO_DAY),
    )
    if chosen.first and chosen.last and chosen.first > chosen.last:
        reading.errors["to"] = "The last day lies before the first. Give a later one."
        reading.typed["to"] = chosen.last.isoformat()
        chosen = LookedFilter(chosen.who, chosen.group, chosen.first)
    before = reading.value("after", read_id, "This part of the address is damaged. Start again from the newest.")
    return Asked(chosen, before, reading.errors, reading.typed)


def _read_who(text: str) -> int | str:
    return OPERATOR if text == OPERATOR else read_id(text)


def _read_day(text: str) -> date:
    day = date.fromisoformat(text)
    if day.year not in _YEARS:
        raise ValueError("no year of ours")
    return day
