"""The figures of exactly one selection: calls, how outside calls in ended, talk time.

From call_month and call_day for whole local months and days and call_total for the edges where these know the
answer, from party_total for one single party (but while that moves to another time zone); else found in bounded slices
and labelled so. Read by the call log and its export, which asks how many there may be.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from webapp.calls.browse import CallPage, is_call_of, page_of_lines, talk_of_walked, walk_theirs
from webapp.calls.figures import SUMS, Figures, figures_of_lines, sums_with
from webapp.calls.models import Call, CallDay, CallMonth, CallParty, PartyTotal
from webapp.calls.periods import day_number, day_of_number, local_day
from webapp.calls.selection import Selection, knows_party_days, summed_conditions
from webapp.calls.spans import held_by
from webapp.calls.summed import days_apart, read_sums, stretches_of
from webapp.calls.windows import Budget, Window, list_windows
from webapp.clock import from_ms
from webapp.database.types import Instant
from webapp.pagination import Cursor
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.narrowing import PartyDays

COUNTED_AT_MOST = 10_000  #: where no total knows the answer
COUNT_MS = 15.0
COUNT_NARROWED_MS = 40.0  #: no total may tell a narrowed reader anything
_CHUNK = 500
_WALKS_AT_ONCE = 2  #: of parties that a reader of all calls asks for: each walk reads up to COUNTED_AT_MOST calls


@dataclass(frozen=True)
class Totals:
    """The figures of a selection.

    `counted_to`: they reach only so far (the budget was spent, or COUNTED_AT_MOST met: `more`). `sides_known` is
    False where only calls, answered, missed and talk time are known (one single party).
    """

    figures: Figures
    counted_to: datetime | None = None
    more: bool = False
    sides_known: bool = True

    @property
    def exact(self) -> bool:
        return self.counted_to is None and not self.more


def has_calls(session: LockedSession) -> bool:
    """Whether any call is summed by the days of the organization."""
    return session.scalars(select(CallDay.day).limit(1)).first() is not None


def total_calls(session: LockedSession, selection: Selection, budget: Budget | None = None) -> Totals:
    """The totals of a selection, from the cheapest place that knows them."""
    if selection.is_empty:
        return Totals(Figures())
    if selection.is_summed:
        return Totals(read_sums(session, selection, list(stretches_of(selection)))[0])
    of_party = selection.is_direct and selection.driver is not None and selection.call_filter.search_id is None
    if of_party and not selection.period.has_edges and knows_party_days(session):
        return Totals(_of_party(session, selection), sides_known=False)
    is_narrowed, walks = selection.narrowing is not None, selection.walks or ()
    budget = budget or Budget(COUNT_NARROWED_MS if is_narrowed else COUNT_MS)
    if not selection.tests and not selection.conditions and walks and (is_narrowed or len(walks) <= _WALKS_AT_ONCE):
        return _counted_at_once(session, selection)
    if selection.driver is None and selection.walks is None and not selection.tests:
        return _counted_by_windows(session, selection, budget)
    return _counted_by_chunks(session, selection, budget)


def may_exceed(session: LockedSession, selection: Selection, rows: int) -> bool:
    """Whether the selection may have more calls than that.

    Where nothing cheap knows its own number, all calls of the organization are an upper bound; of a narrowed reader
    there is none, since no total may tell them anything: then it may.
    """
    totals = total_calls(session, selection)
    if totals.exact:
        return totals.figures.calls > rows
    if selection.narrowing is not None:
        return True
    return (session.scalar(select(func.sum(CallMonth.calls))) or 0) > rows


def total_page(session: LockedSession, selection: Selection, page: CallPage) -> tuple[Totals, Mapping[int, Figures]]:
    """The totals beside the first page of a selection, and of the days on it as count_by_day() has them.

    What this page has found anyway is not looked for again.
    """
    if selection.is_summed and not selection.is_empty:
        days = days_apart(selection, {row.day for row in page.rows})
        whole, by_day = read_sums(session, selection, [*stretches_of(selection), *days])
        return Totals(whole), by_day
    if page.next_cursor is not None and page.searched_to is None:
        return total_calls(session, selection), {}
    return Totals(figures_of_lines(page.lines), counted_to=page.searched_to), {}


def count_by_day(session: LockedSession, selection: Selection, days: Iterable[int]) -> Mapping[int, Figures]:
    """The figures of single local days of the selection; empty where call_day cannot tell them."""
    stretches = days_apart(selection, set(days))
    return read_sums(session, selection, stretches)[1] if stretches else {}


def find_nearest_day(session: LockedSession, selection: Selection) -> date | None:
    """The last local day with matching calls before an empty period, else the first one after it.

    Looked up in the totals; conditions that these do not know are left out.
    """
    if selection.call_filter.destination_id is not None:
        return _find_nearest_held(session, selection, selection.call_filter.destination_id)
    is_walked = selection.narrowing is not None or selection.walks is not None
    if is_walked or (selection.driver is not None and not knows_party_days(session)):
        return _find_nearest_call(session, selection)
    period, zone = selection.period, selection.zone
    entity: type[CallDay] | type[PartyTotal]
    if selection.driver is None:
        entity, conditions = CallDay, summed_conditions(selection.call_filter, CallDay)
    else:
        entity, conditions = PartyTotal, (PartyTotal.party_id.in_(selection.driver),)
    found: int | None = None
    if period.start is not None:
        before = entity.day < day_number(local_day(period.start, zone))
        found = session.scalar(select(func.max(entity.day)).where(before, *conditions))
    if found is None and period.end is not None:
        after = entity.day >= day_number(local_day(period.end, zone))
        found = session.scalar(select(func.min(entity.day)).where(after, *conditions))
    return None if found is None else day_of_number(found)


def _windows_of(selection: Selection) -> Iterable[PartyDays]:
    """The parties whose calls are asked for; those of a narrowed reader in their days only."""
    if selection.driver is None:
        return selection.walks or ()
    if selection.narrowing is None:
        return [PartyDays(party_id) for party_id in selection.driver]
    theirs = selection.narrowing.windows
    own = {party_id: [each for each in theirs if each.party_id == party_id] for party_id in selection.driver}
    return [each for party_id, windows in own.items() for each in windows or [PartyDays(party_id)]]


def _calls_within(window: PartyDays) -> Select[datetime]:
    """When the calls of a party start, in its days: one of them."""
    statement = select(CallParty.started_at).where(CallParty.party_id == window.party_id).limit(1)
    if window.start is not None:
        statement = statement.where(CallParty.started_at >= window.start)
    return statement if window.end is None else statement.where(CallParty.started_at < window.end)


def _find_nearest_call(session: LockedSession, selection: Selection) -> date | None:
    """The same among the calls themselves: for a narrowed reader, or where the days of parties are not known."""
    period = selection.period
    theirs = [_calls_within(each) for each in _windows_of(selection)]
    found: list[datetime] = []
    if period.start is not None:
        for own in theirs:
            before = own.where(CallParty.started_at < period.start)
            found += session.scalars(before.order_by(CallParty.started_at.desc()))
    if not found and period.end is not None:
        for own in theirs:
            after = own.where(CallParty.started_at >= period.end)
            found += session.scalars(after.order_by(CallParty.started_at))
        return local_day(min(found), selection.zone) if found else None
    return local_day(max(found), selection.zone) if found else None


def _find_nearest_held(session: LockedSession, selection: Selection, destination_id: int) -> date | None:
    """The same among the calls that one of its parties took part in while it was the destination's."""
    period, held = selection.period, held_by(session, [destination_id])
    its_own = [CallParty.party_id == held.c.party_id, CallParty.started_at >= held.c.from_at]
    its_own.append(or_(held.c.until_at.is_(None), CallParty.started_at < held.c.until_at))
    if selection.narrowing is not None:
        theirs = sorted(selection.narrowing.party_ids)
        its_own.append(
            or_(
                CallParty.party_id.not_in(theirs),
                selection.narrowing.took_part(CallParty.party_id, CallParty.started_at),
            )
        )

    def ask(which: Any, *bounds: ColumnElement[bool]) -> datetime | None:
        # By key for each party: what it did lies in the order of time.
        of_party = select(which(CallParty.started_at, type_=Instant())).where(*its_own, *bounds)
        found = which(of_party.correlate(held).scalar_subquery(), type_=Instant())
        return session.scalar(select(found).select_from(held))

    found = None
    if period.start is not None:
        found = ask(func.max, CallParty.started_at < period.start)
    if found is None and period.end is not None:
        found = ask(func.min, CallParty.started_at >= period.end)
    return None if found is None else local_day(found, selection.zone)


def _of_party(session: LockedSession, selection: Selection) -> Figures:
    period = selection.period
    statement = select(
        func.sum(PartyTotal.calls),
        func.sum(PartyTotal.answered),
        func.sum(PartyTotal.missed),
        func.sum(PartyTotal.talk_seconds),
    ).where(PartyTotal.party_id.in_(selection.driver or ()))
    if period.first_day is not None:
        statement = statement.where(PartyTotal.day >= period.first_day)
    if period.last_day is not None:
        statement = statement.where(PartyTotal.day <= period.last_day)
    calls, answered, missed, talk_seconds = (int(value or 0) for value in session.execute(statement).one())
    return Figures(calls=calls, answered_anyway=answered, missed=missed, talk_seconds=talk_seconds)


def _counted_by_windows(session: LockedSession, selection: Selection, budget: Budget) -> Totals:
    """Talk time asked for: counted by the database in windows of bounded work."""
    figures = Figures()
    edge: datetime | None = None
    for window in list_windows(session, selection, None):
        if edge is not None and (budget.spent or figures.calls > COUNTED_AT_MOST):
            return Totals(figures, counted_to=edge, more=figures.calls > COUNTED_AT_MOST)
        conditions = (*_within(window), *selection.conditions)
        figures = figures.plus(session.execute(select(*SUMS[Call]).where(*conditions)).one())
        edge = window.start if selection.newest_first else window.end
    return Totals(figures)


def _within(window: Window) -> Iterator[ColumnElement[bool]]:
    if window.start is not None:
        yield Call.started_at >= window.start
    if window.end is not None:
        yield Call.started_at < window.end


def _counted_at_once(session: LockedSession, selection: Selection) -> Totals:
    """The calls that are walked, each once, by the database; no more than COUNTED_AT_MOST and one."""
    period = Window(selection.period.start, selection.period.end)
    statement, values = walk_theirs(selection, period, None, COUNTED_AT_MOST + 1)
    theirs = statement.subquery()
    sums = select(*sums_with(talk_of_walked(selection, theirs))).select_from(theirs).join(Call, is_call_of(theirs))
    figures = Figures().plus(session.execute(sums, values).one())
    return Totals(figures, more=figures.calls > COUNTED_AT_MOST)


def _counted_by_chunks(session: LockedSession, selection: Selection, budget: Budget) -> Totals:
    """Parties asked for: counted call by call."""
    figures = Figures()
    cursor: Cursor | None = None
    while True:
        page = page_of_lines(session, selection, cursor, min(_CHUNK, COUNTED_AT_MOST + 1 - figures.calls), budget)
        figures = figures.plus(astuple(figures_of_lines(page.lines)))
        cursor = page.next_cursor
        if cursor is None:
            return Totals(figures)
        if budget.spent or figures.calls > COUNTED_AT_MOST:
            return Totals(figures, counted_to=from_ms(cursor.ms), more=figures.calls > COUNTED_AT_MOST)
