"""Test a number: how digits are read, which patterns meet them, which one wins at a moment, and why, in words.

Called by the page "Test a number". Nothing is stored, and nothing of the calls is asked: patterns alone decide.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from webapp.clock import from_ms, to_ms
from webapp.destinations.holders import turns_met
from webapp.destinations.matching import Match, PartyNumber, Pattern, Turn, list_matches, list_turns, pattern_of_key
from webapp.destinations.models import Destination, PartyKind, PatternKind
from webapp.destinations.number_queries import find_number
from webapp.destinations.patterns import Plan, read_pattern, spell_pattern
from webapp.destinations.route_models import Number
from webapp.errors import Refused
from webapp.formatting import format_number
from webapp.tenancy.lock import LockedSession

FIELD = "number"
_AT = " at "


@dataclass(frozen=True)
class Candidate:
    """A pattern that meets what was typed. `destination`: whose it is at that moment; None is nobody's then."""

    pattern: Pattern
    spelt: str
    destination: Destination | None
    wins: bool = False


@dataclass(frozen=True)
class Change:
    """From an instant on it is this destination's; None: nobody's."""

    at: datetime
    destination: Destination | None


@dataclass(frozen=True)
class Reading:
    """What was typed as a party would be read: `what` names it. Candidates stand in the order in which they count.

    `changes`: whose it becomes between the moment and the end that was asked for.
    """

    what: str
    candidates: tuple[Candidate, ...]
    why: str
    changes: tuple[Change, ...] = ()

    @property
    def winner(self) -> Candidate | None:
        return next((each for each in self.candidates if each.wins), None)


@dataclass(frozen=True)
class Explanation:
    """Of a number there is one reading. An extension may be somebody else's at each phone system.

    `own`: what was typed, where the organization lists it as a number of its own.
    """

    readings: tuple[Reading, ...]
    own: Number | None = None


class _Met(NamedTuple):
    """What counts for a party at the moment, and its turns after it."""

    matches: tuple[Match, ...]
    later: tuple[Turn, ...]

    @property
    def holders(self) -> set[int]:
        ids = {match.destination_id for match in self.matches} | {turn.destination_id for turn in self.later}
        return {each for each in ids if each is not None}


def explain(session: LockedSession, text: str, plan: Plan, at: datetime, until: datetime | None = None) -> Explanation:
    """What names a number or extension at a moment, and whose it becomes before `until`, if that is given.

    Raises Refused, with the field, for what is neither.
    """
    try:
        typed = read_pattern(text, plan)
    except Refused as refusal:
        raise Refused(str(refusal), FIELD) from refusal
    if typed.kind == PatternKind.PREFIX:
        raise Refused("Type a whole number or extension, not the beginning of one.", FIELD)
    own = find_number(session, f"+{typed.digits}") if typed.kind == PatternKind.NUMBER else None
    met = [(what, _meet(session, party, at, until or at)) for what, party in _parties(typed, plan, own)]
    names = _load_destinations(session, {holder for _, found in met for holder in found.holders})
    return Explanation(tuple(_read(what, found, names, plan) for what, found in _merged(met)), own)


def _meet(session: LockedSession, party: PartyNumber, at: datetime, until: datetime) -> _Met:
    known = turns_met(session, party)
    later = [turn for turn in list_turns(party, known) if to_ms(at) < turn.from_ms < to_ms(until)]
    return _Met(tuple(list_matches(party, known, to_ms(at))), tuple(later))


def _parties(typed: Pattern, plan: Plan, own: Number | None) -> list[tuple[str, PartyNumber]]:
    """What was typed as it would stand in the directory, with words that name it; one for each phone system."""
    if typed.kind == PatternKind.NUMBER:
        e164 = f"+{typed.digits}"
        spelt = format_number(e164, plan.region)
        what = f"{'Our own' if own else 'The outside'} number {spelt}" + ("" if spelt.startswith("+") else f" ({e164})")
        return [(what, PartyNumber(PartyKind.OUTSIDE, typed.digits, None))]
    every: list[int | None] = [*plan.pbxes]
    pbx_ids = (every or [None]) if typed.pbx_id is None else [typed.pbx_id]
    return [
        (_tell_extension(typed.digits, pbx_id, plan), PartyNumber(PartyKind.EXTENSION, typed.digits, pbx_id))
        for pbx_id in pbx_ids
    ]


def _tell_extension(digits: str, pbx_id: int | None, plan: Plan) -> str:
    return f"Extension {digits}" + ("" if pbx_id is None else f"{_AT}{plan.pbxes.get(pbx_id, '?')}")


def _merged(met: Sequence[tuple[str, _Met]]) -> Iterable[tuple[str, _Met]]:
    """Phone systems at which the same patterns count are told of at once."""
    alike: dict[_Met, list[str]] = {}
    for what, found in met:
        alike.setdefault(found, []).append(what)
    for found, (first, *others) in alike.items():
        if others and len(alike) == 1:
            yield f"{first.split(_AT)[0]}{_AT}every phone system", found
        else:
            yield ", ".join([first, *(each.split(_AT, 1)[1] for each in others)]), found


def _load_destinations(session: LockedSession, ids: set[int]) -> dict[int, Destination]:
    rows = session.scalars(select(Destination).where(Destination.id.in_(sorted(ids))))
    return {row.id: row for row in rows}


def _read(what: str, met: _Met, names: dict[int, Destination], plan: Plan) -> Reading:
    """The first one that has a holder wins."""
    winner = next((match for match in met.matches if match.destination_id is not None), None)
    candidates = []
    for match in met.matches:
        pattern = pattern_of_key(match.key)
        holder = None if match.destination_id is None else names[match.destination_id]
        candidates.append(Candidate(pattern, spell_pattern(pattern, plan), holder, match is winner))
    changes = [Change(from_ms(each.from_ms), names.get(each.destination_id or 0)) for each in met.later]
    return Reading(what, tuple(candidates), _tell_why(candidates), tuple(changes))


def _tell_why(candidates: Sequence[Candidate]) -> str:
    if not candidates:
        return "Nothing names it."
    place = next((place for place, each in enumerate(candidates) if each.wins), None)
    if place is None:
        return "What would name it is nobody's at that time."
    sentences = [f"{each.spelt} is nobody's at that time, so it is passed over." for each in candidates[:place]]
    winner = candidates[place]
    beaten = next((each for each in candidates[place + 1 :] if each.destination is not None), None)
    sentences.append(_tell_order(winner, beaten) if beaten else "Nothing else names it at that time.")
    return " ".join(sentences)


def _tell_order(winner: Candidate, beaten: Candidate) -> str:
    """Why one comes before another; only a prefix or the extension of all phone systems can be beaten."""
    if winner.pattern.kind == PatternKind.NUMBER:
        return "The number itself comes before any prefix."
    if winner.pattern.kind == PatternKind.PREFIX:
        return f"{winner.spelt} is longer than {beaten.spelt}."
    return f"{winner.spelt} comes before {beaten.spelt} of all phone systems."
