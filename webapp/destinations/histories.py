"""Whose the patterns of a destination were and are: for its page. Called by show_views.py; nothing here writes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from webapp.clock import from_ms, now, to_ms
from webapp.destinations.holders import read_turns_of
from webapp.destinations.listing import get_names
from webapp.destinations.matching import ALWAYS_MS, Pattern, Turn, holder_at
from webapp.destinations.models import DestinationPattern
from webapp.destinations.patterns import Plan, spell_pattern
from webapp.tenancy.lock import LockedSession


class ShownTurn(NamedTuple):
    """`from_at` None: as far back as calls go; `until_at` None: until further notice. `holder_id` None: nobody's."""

    holder_id: int | None
    holder: str
    from_at: datetime | None
    from_ms: int
    until_at: datetime | None
    is_now: bool


class ShownPattern(NamedTuple):
    """A pattern that was this destination's at some time. `is_own`: it is now. `turns`: in order of time."""

    pattern: Pattern
    words: str
    is_own: bool
    turns: tuple[ShownTurn, ...]


def list_histories(session: LockedSession, destination_id: int, plan: Plan) -> list[ShownPattern]:
    """Of every pattern that the destination has or had, those it has now first."""
    rows = session.execute(
        select(DestinationPattern.kind, DestinationPattern.digits, DestinationPattern.pbx_id)
        .where(DestinationPattern.destination_id == destination_id)
        .distinct()
    )
    patterns = [Pattern(*row) for row in rows]
    histories = read_turns_of(session, {pattern.key for pattern in patterns})
    holders = {turn.destination_id for turns in histories.values() for turn in turns}
    names = get_names(session, {each for each in holders if each is not None})
    found = [_show(pattern, histories[pattern.key], names, destination_id, plan) for pattern in patterns]
    return sorted(found, key=lambda each: (not each.is_own, each.pattern.key))


def find_pattern(histories: Sequence[ShownPattern], key: str) -> ShownPattern | None:
    return next((each for each in histories if each.pattern.key == key), None)


def _show(
    pattern: Pattern, turns: Sequence[Turn], names: Mapping[int, str], destination_id: int, plan: Plan
) -> ShownPattern:
    present = to_ms(now())
    ends = [turn.from_ms for turn in turns[1:]]
    shown = tuple(
        ShownTurn(
            holder_id=turn.destination_id,
            holder="nobody" if turn.destination_id is None else names[turn.destination_id],
            from_at=None if turn.from_ms <= ALWAYS_MS else from_ms(turn.from_ms),
            from_ms=turn.from_ms,
            until_at=None if end is None else from_ms(end),
            is_now=turn.from_ms <= present and (end is None or present < end),
        )
        for turn, end in zip(turns, [*ends, None], strict=True)
    )
    return ShownPattern(pattern, spell_pattern(pattern, plan), holder_at(turns, present) == destination_id, shown)
