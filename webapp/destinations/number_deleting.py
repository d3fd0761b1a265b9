"""Takes a number that was mistyped out of the list. One that something happened with can only be given up.

Called by number_views.py.
"""

from contextlib import suppress
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from webapp.audit.actions import record
from webapp.destinations.figures import read_number_figures
from webapp.destinations.models import Party
from webapp.destinations.route_models import Number, RouteLookup, RoutePlan
from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization


def tell_why_kept(session: LockedSession, number: Number, zone: ZoneInfo) -> str:
    """Why it cannot be deleted, in a sentence; "" where it can."""
    last_call_at = read_number_figures(session, [number.party_id], zone)[number.party_id].last_call_at
    if last_call_at is not None:
        return f"Calls came in on it, the last one on {format_date(last_call_at.astimezone(zone).date())}."
    if session.scalar(select(RoutePlan.id).where(RoutePlan.number_id == number.id).limit(1)) is not None:
        return "Somebody has said where it rings, and the history of its routes is kept."
    if session.scalar(select(RouteLookup.id).where(RouteLookup.number_id == number.id).limit(1)) is not None:
        return "A phone system has asked where it rings."
    return ""


def delete_number(session: LockedSession, number: Number, zone: ZoneInfo, *, actor_id: int) -> None:
    """As if it had never been listed, but for the audit. Raises Refused for one that can only be given up."""
    hold_organization(session)
    why_kept = tell_why_kept(session, number, zone)
    if why_kept:
        raise Refused(f"{why_kept} It can be given up, but not deleted.")
    record(session, "own_number.deleted", actor_id=actor_id, object_id=number.id, number=number.e164)
    session.delete(number)
    session.flush()
    # Its party goes if nothing else speaks of it: one with calls, or given to somebody to see, the database keeps.
    with suppress(IntegrityError), session.begin_nested():
        session.execute(delete(Party).where(Party.id == number.party_id))
