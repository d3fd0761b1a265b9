"""Which own numbers the newest calls came in on, for the directory's page of them (destinations/seen_numbers.py).

No index leads from a number's role to its calls. So a bounded piece of the log is read, by its key from the newest
call back: 10,000 calls of at most 90 days, whatever the log holds.
"""

from datetime import timedelta

from sqlalchemy import func, select

from webapp import clock
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction
from webapp.destinations.seen_numbers import SeenNumbers
from webapp.tenancy.lock import LockedSession

MOST_CALLS = 10_000
_LOOK_BACK = timedelta(days=90)


def read_own_numbers(session: LockedSession) -> SeenNumbers:
    newest = (
        select(Call.started_at, Call.direction, Call.did_id)
        .where(Call.started_at >= clock.now() - _LOOK_BACK)
        .order_by(Call.started_at.desc(), Call.call_key.desc())
        .limit(MOST_CALLS)
        .subquery()
    )
    oldest = session.scalar(select(func.min(newest.c.started_at)))
    rows = session.execute(
        select(newest.c.did_id, func.count())
        .where(newest.c.direction == Direction.INBOUND, newest.c.did_id.is_not(None))
        .group_by(newest.c.did_id)
    )
    return SeenNumbers(dict(rows.all()), oldest)
