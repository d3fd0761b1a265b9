"""Whose the patterns of a destination were and are: for its page. Called by show_views.py; nothing here writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from webapp.clock import from_ms, now, to_ms
from webapp.destinations.listing import get_names
from webapp.destinations.matching import ALWAYS_MS, Pattern, holder_at
from webapp.destinations.models import DestinationPattern
from webapp.destinations.patterns import Plan, spell_pattern
from webapp.destinations.turns import turns_of
from webapp.tenancy.lock import LockedSession

_SHOWN_AT_MOST = 500


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
        .limit(_SHOWN_AT_MOST)
    )
    found = [_show(session, Pattern(*row), destination_id, plan) for row in rows]
    return sorted(found, key=lambda each: (not each.is_own, each.pattern.key))


def find_pattern(histories: Sequence[ShownPattern], key: str) -> ShownPattern | None:
    return next((each for each in histories if each.pattern.key == key), None)


def _show(session: LockedSession, pattern: Pattern, destination_id: int, plan: Plan) -> ShownPattern:
    turns, present = turns_of(session, pattern.key), to_ms(now())
    names = get_names(session, {turn.destination_id for turn in turns if turn.destination_id is not None})
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
