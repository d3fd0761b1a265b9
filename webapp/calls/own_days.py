"""The figures of a narrowed reader's calls, day by day: no total may tell of them, so they are counted, within a bound.

Called by reports/my_calls.py for its figures and its chart.
"""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import case, select

from webapp.calls.browse import is_call_of, talk_of_walked, walk_theirs
from webapp.calls.figures import Figures, sums_with
from webapp.calls.models import Call
from webapp.calls.periods import day_of_number, day_start
from webapp.calls.selection import Selection
from webapp.calls.totals import COUNTED_AT_MOST
from webapp.calls.windows import Window
from webapp.tenancy.lock import LockedSession


def count_own_days(session: LockedSession, selection: Selection) -> Mapping[date, Figures] | None:
    """Each local day of the period, each call once; None where there are more than COUNTED_AT_MOST.

    For a selection without filters, of a period of whole days. One statement, which reads COUNTED_AT_MOST calls and one
    at most.
    """
    period, zone = selection.period, selection.zone
    assert period.first_day is not None
    assert period.last_day is not None
    days = [day_of_number(number) for number in range(period.first_day, period.last_day + 1)]
    found = dict.fromkeys(days, Figures())
    if not selection.walks:
        return found
    window = Window(period.start, period.end)
    statement, values = walk_theirs(selection, window, None, COUNTED_AT_MOST + 1)
    theirs = statement.subquery()
    # By comparison, newest first: how the days of a zone lie on instants, no function of both engines knows.
    begins = [(Call.started_at >= day_start(day, zone), place) for place, day in enumerate(days)]
    place_of_day = case(*reversed(begins), else_=0).label("place")
    figures = sums_with(talk_of_walked(selection, theirs))
    joined = select(place_of_day, *figures).select_from(theirs).join(Call, is_call_of(theirs))
    for place, *sums in session.execute(joined.group_by(place_of_day), values):
        found[days[place]] = Figures().plus(sums)
    return found if sum(each.calls for each in found.values()) <= COUNTED_AT_MOST else None
