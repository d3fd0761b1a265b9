"""The talk time of a call as a narrowed reader sees it: their own part, in rows, sums, filters, export and page alike.

Used by selection.py for all of these, by detail.py for one call.
"""

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import aliased

from webapp.calls.models import Call, CallParty
from webapp.tenancy.narrowing import Narrowing


def own_talk(narrowing: Narrowing) -> ColumnElement[int]:
    """Seconds of a Call in which their parties talked, in the days of these; never more than the call has.

    Two of theirs in one call talked with each other, or one after the other: the sum, up to the whole.
    By the key of call_party: some steps in an index for each call, as many as they have parties.
    """
    own = aliased(CallParty)
    seconds = func.coalesce(func.sum(own.talk_seconds), 0)
    return (
        select(case((seconds < Call.talk_seconds, seconds), else_=Call.talk_seconds))
        .where(
            narrowing.took_part(own.party_id, own.started_at),
            own.started_at == Call.started_at,
            own.call_key == Call.call_key,
        )
        .correlate(Call)
        .scalar_subquery()
    )
