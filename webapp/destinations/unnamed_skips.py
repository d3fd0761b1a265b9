"""Numbers that somebody passed over in "Still without a name": who, when, and how it is taken back.

Called by skip_views.py, which commits. The row goes with its party; a number that gets a name later needs it no more.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from webapp.audit.actions import record
from webapp.clock import now
from webapp.destinations.models import Party, UnnamedSkip
from webapp.errors import NotFound
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization

SHOWN_AT_MOST = 200


class Skipped(NamedTuple):
    """`by`: user_account."""

    party: Party
    by: int
    at: datetime


def count_skips(session: LockedSession) -> int:
    return session.scalar(select(func.count(UnnamedSkip.party_id))) or 0


def list_skips(session: LockedSession) -> list[Skipped]:
    """Those passed over last first."""
    rows = session.execute(
        select(Party, UnnamedSkip.skipped_by, UnnamedSkip.skipped_at)
        .join(
            UnnamedSkip,
            (UnnamedSkip.organization_id == Party.organization_id) & (UnnamedSkip.party_id == Party.id),
        )
        .order_by(UnnamedSkip.skipped_at.desc(), UnnamedSkip.party_id)
        .limit(SHOWN_AT_MOST)
    )
    return [Skipped(*row) for row in rows]


def pass_over(session: LockedSession, party: Party, *, actor_id: int) -> None:
    """Offer it no more. Passed over again, the first time stays."""
    hold_organization(session)
    if session.get(UnnamedSkip, (session.organization_id, party.id)) is not None:
        return
    session.add(UnnamedSkip(party_id=party.id, skipped_by=actor_id, skipped_at=now()))
    record(session, "destination.passed_over", actor_id=actor_id, object_id=party.id)


def take_back(session: LockedSession, party: Party, *, actor_id: int) -> None:
    """Offer it again. Raises NotFound for one that was not passed over."""
    hold_organization(session)
    found = session.get(UnnamedSkip, (session.organization_id, party.id))
    if found is None:
        raise NotFound
    session.delete(found)
    record(session, "destination.taken_back", actor_id=actor_id, object_id=party.id)
