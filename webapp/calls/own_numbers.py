"""Which own numbers the newest calls came in on, for the directory's page of them (destinations/seen_numbers.py).

No index leads from a number's role to its calls. So a bounded piece of the log is read, by its key from the newest
call back: 10,000 calls of at most 90 days, whatever the log holds.
"""

from datetime import timedelta

from sqlalchemy import case, func, select

from webapp import clock
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction
from webapp.destinations.seen_numbers import SeenNumbers
from webapp.tenancy.lock import LockedSession

MOST_CALLS = 10_000
_LOOK_BACK = timedelta(days=90)


def read_own_numbers(session: LockedSession) -> SeenNumbers:
    own_number = case((Call.direction == Direction.INBOUND, Call.did_id))
    newest = (
        select(Call.started_at, own_number.label("party_id"))
        .where(Call.started_at >= clock.now() - _LOOK_BACK)
        .order_by(Call.started_at.desc(), Call.call_key.desc())
        .limit(MOST_CALLS)
        .subquery()
    )
    party_id = newest.c.party_id
    rows = session.execute(select(party_id, func.count(), func.min(newest.c.started_at)).group_by(party_id)).all()
    calls = {party_id: calls for party_id, calls, _oldest in rows if party_id is not None}
    return SeenNumbers(calls, min((oldest for _party_id, _calls, oldest in rows), default=None))
