"""The live figures of destinations and of own numbers: a page of either, in bounded work. Registered by create_app().

Each call counts once for each of them, whichever of its parties took part. At most COUNTED_AT_MOST calls of each are
read, about: party_total tells beforehand from which day on that is so. The line of days goes on before them, by keys.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, select

from webapp.calls.figures import SUMS, Figures
from webapp.calls.models import Call, CallParty, PartyRole, PartyTotal
from webapp.calls.outcomes import Direction
from webapp.calls.periods import day_number, day_of_number, day_start, local_day
from webapp.calls.spans import held_by
from webapp.calls.totals import COUNTED_AT_MOST
from webapp.clock import now
from webapp.database.types import Instant
from webapp.destinations.figures import FIGURE_DAYS, LiveFigures
from webapp.destinations.models import Party
from webapp.tenancy.lock import LockedSession

DRAWN_AT_MOST = 100_000  #: calls of each whose keys are read for the line; earlier days are drawn by party_total
_ALWAYS, _FOR_EVER = (literal(datetime(year, 1, 1, tzinfo=UTC), Instant()) for year in (1970, 9999))


@dataclass(frozen=True)
class _Asked:
    """Whose figures are asked for: rows of owner_id, party_id, from_at, until_at.

    `as_number`: only the outside calls that came in on it.
    """

    spans: Subquery
    zone: ZoneInfo
    today: date
    as_number: bool = False

    @property
    def first_day(self) -> int:
        return day_number(self.today) - FIGURE_DAYS + 1

    @property
    def starts(self) -> list[datetime]:
        """Of the days, the oldest first, and the end of the last."""
        return [day_start(day_of_number(self.first_day + place), self.zone) for place in range(FIGURE_DAYS + 1)]

    def taken(self, since: ColumnElement[Any], until: ColumnElement[Any]) -> ColumnElement[bool]:
        """Rows of call_party that count, from `since` on. One bound a side: of two, SQLite may walk by the farther."""
        spans = self.spans.c
        conditions = [
            CallParty.party_id == spans.party_id,
            CallParty.started_at >= case((spans.from_at > since, spans.from_at), else_=since),
            CallParty.started_at < case((spans.until_at < until, spans.until_at), else_=until),
        ]
        if self.as_number:
            conditions.append(CallParty.roles.bitwise_and(int(PartyRole.OWN_NUMBER)) != 0)
        return and_(*conditions)


def figures_of_destinations(session: LockedSession, ids: Sequence[int], zone: ZoneInfo) -> dict[int, LiveFigures]:
    """By id of the destination: the calls that a party took part in while it was the destination's."""
    held = held_by(session, ids).c
    until_at = func.coalesce(held.until_at, _FOR_EVER, type_=Instant()).label("until_at")
    spans = select(held.destination_id.label("owner_id"), held.party_id, held.from_at, until_at).subquery()
    return _read(session, _Asked(spans, zone, local_day(now(), zone)))


def figures_of_numbers(session: LockedSession, ids: Sequence[int], zone: ZoneInfo) -> dict[int, LiveFigures]:
    """By id of the number's party: the outside calls that came in on it."""
    columns = Party.id.label("owner_id"), Party.id.label("party_id")
    always = _ALWAYS.label("from_at"), _FOR_EVER.label("until_at")
    spans = select(*columns, *always).where(Party.id.in_(ids)).subquery()
    return _read(session, _Asked(spans, zone, local_day(now(), zone), as_number=True))


def _read(session: LockedSession, asked: _Asked) -> dict[int, LiveFigures]:
    planned = _plan(session, asked)
    found = _count(session, asked, planned) if planned else {}
    known = sorted(owner_id for owner_id, figures in found.items() if figures.last_call_at is not None)
    for owner_id, last_call_at in _find_last_calls(session, asked, known).items():
        found[owner_id] = found.get(owner_id, LiveFigures())._replace(last_call_at=last_call_at)
    return found


def _plan(session: LockedSession, asked: _Asked) -> dict[int, dict[int, int]]:
    """Of whoever has calls in these days, what party_total says of each day, by its place."""
    spans, first, starts = asked.spans.c, asked.first_day, asked.starts[:-1]
    held = PartyTotal.day.between(
        first + _place_of_day(spans.from_at, starts), first + _place_of_day(spans.until_at, starts)
    )
    # A party may have been its more than once: its days count once all the same.
    each_once = (
        select(spans.owner_id, PartyTotal.party_id, PartyTotal.day, PartyTotal.calls)
        .join_from(asked.spans, PartyTotal, and_(PartyTotal.party_id == spans.party_id, held))
        .where(spans.until_at > starts[0])
        .distinct()
        .subquery()
        .c
    )
    by_day = select(each_once.owner_id, each_once.day, func.sum(each_once.calls)).group_by(
        each_once.owner_id, each_once.day
    )
    planned: dict[int, dict[int, int]] = {}
    for owner_id, day, calls in session.execute(by_day):
        planned.setdefault(owner_id, {})[day - first] = int(calls)
    return planned


def _first_of(days: Mapping[int, int], at_most: int) -> int:
    """The place of the day from which on there are so many calls at most, or of the last day with calls."""
    calls = 0
    for place in range(FIGURE_DAYS - 1, -1, -1):
        calls += days.get(place, 0)
        if calls > at_most:
            return min(place + 1, max(days))
    return 0


def _count(session: LockedSession, asked: _Asked, planned: Mapping[int, Mapping[int, int]]) -> dict[int, LiveFigures]:
    """The figures of the calls themselves, in one statement, and of those before them how many a day."""
    first_counted = {owner_id: _first_of(days, COUNTED_AT_MOST) for owner_id, days in planned.items()}
    days = _count_earlier(session, asked, planned, first_counted)
    figures = dict.fromkeys(planned, Figures())
    last_calls: dict[int, datetime] = {}
    for owner_id, day, last_call_at, *sums in session.execute(_figures_by_day(asked, first_counted)):
        days[owner_id][day] = int(sums[0])
        figures[owner_id] = figures[owner_id].plus(sums)
        last_calls[owner_id] = max(last_call_at, last_calls.get(owner_id, last_call_at))
    return {
        owner_id: LiveFigures(
            calls=sums.calls,
            answered=sums.answered,
            missed=sums.missed,
            voicemail=sums.voicemail,
            talk_seconds=sums.talk_seconds,
            last_call_at=last_calls.get(owner_id),
            days=tuple(days[owner_id].get(place, 0) for place in range(FIGURE_DAYS)),
            more=first_counted[owner_id] > 0,
        )
        for owner_id, sums in figures.items()
        if any(days[owner_id].values())
    }


def _count_earlier(
    session: LockedSession, asked: _Asked, planned: Mapping[int, Mapping[int, int]], first_counted: Mapping[int, int]
) -> dict[int, dict[int, int]]:
    """How many calls there were on the days before those that are counted, by their places. Where these are too many
    too, a call between two of one destination counts twice on the first days.
    """
    cut = {owner_id: place for owner_id, place in first_counted.items() if place}
    drawn = {owner_id: _first_of(planned[owner_id], DRAWN_AT_MOST) for owner_id in cut}
    days = {
        owner_id: {day: planned[owner_id][day] for day in planned[owner_id] if day < drawn.get(owner_id, 0)}
        for owner_id in planned
    }
    if cut:
        for owner_id, place, calls in session.execute(_calls_by_day(asked, drawn, cut)):
            days[owner_id][place] = int(calls)
    return days


def _calls_by_day(asked: _Asked, first: Mapping[int, int], last: Mapping[int, int]) -> Select[*tuple[Any, ...]]:
    """Owner, place of the day and calls, from one place to another: keys alone are read, but for own numbers."""
    calls = _each_once(asked, _start_of(asked, first), _start_of(asked, last), last).subquery()
    place = _place_of_day(calls.c.started_at, asked.starts[:-1]).label("place")
    counted = select(calls.c.owner_id, place, func.count()).group_by(calls.c.owner_id, place)
    if not asked.as_number:
        return counted
    same = and_(Call.started_at == calls.c.started_at, Call.call_key == calls.c.call_key)
    return counted.join_from(calls, Call, same).where(Call.direction == Direction.INBOUND)


def _figures_by_day(asked: _Asked, first_counted: Mapping[int, int]) -> Select[*tuple[Any, ...]]:
    """Owner, place of the day, the last call of it, and the columns of Figures."""
    end = literal(asked.starts[-1], Instant())
    calls = _each_once(asked, _start_of(asked, first_counted), end, None).subquery()
    same = and_(Call.started_at == calls.c.started_at, Call.call_key == calls.c.call_key)
    place = _place_of_day(Call.started_at, asked.starts[:-1]).label("place")
    sums = select(calls.c.owner_id, place, func.max(Call.started_at, type_=Instant()), *SUMS[Call])
    summed = sums.join_from(calls, Call, same).group_by(calls.c.owner_id, place)
    return summed.where(Call.direction == Direction.INBOUND) if asked.as_number else summed


def _start_of(asked: _Asked, places: Mapping[int, int]) -> ColumnElement[Any]:
    """When the day at a place begins, which each owner has its own of; the first day where they have none."""
    starts = [literal(start, Instant()) for start in asked.starts]
    own = [(asked.spans.c.owner_id == owner_id, starts[place]) for owner_id, place in places.items() if place]
    return case(*own, else_=starts[0]) if own else starts[0]


def _each_once(
    asked: _Asked, since: ColumnElement[Any], until: ColumnElement[Any], owner_ids: Collection[int] | None
) -> Select[*tuple[Any, ...]]:
    """The calls of these owners, or of all: owner_id, started_at, call_key."""
    spans = asked.spans.c
    taken = select(spans.owner_id, CallParty.started_at, CallParty.call_key)
    taken = taken.join_from(asked.spans, CallParty, asked.taken(since, until)).distinct()
    return taken if owner_ids is None else taken.where(spans.owner_id.in_(sorted(owner_ids)))


def _place_of_day(at: Any, starts: Sequence[datetime], first: int = 0) -> ColumnElement[int]:
    """Which of the days an instant is in: by halves, since no function of both engines knows the days of a zone."""
    if len(starts) == 1:
        return literal(first)
    half = len(starts) // 2
    later = _place_of_day(at, starts[half:], first + half)
    return case((at >= starts[half], later), else_=_place_of_day(at, starts[:half], first))


def _find_last_calls(session: LockedSession, asked: _Asked, known: Sequence[int]) -> dict[int, datetime]:
    """The last call ever of each but those that are known: by key, for each party."""
    spans = asked.spans.c
    last = func.max(CallParty.started_at, type_=Instant())
    of_party = select(last).where(asked.taken(_ALWAYS, _FOR_EVER)).correlate(asked.spans).scalar_subquery()
    newest = func.max(of_party, type_=Instant())
    rows = session.execute(select(spans.owner_id, newest).where(spans.owner_id.not_in(known)).group_by(spans.owner_id))
    return {owner_id: last_call_at for owner_id, last_call_at in rows if last_call_at is not None}
