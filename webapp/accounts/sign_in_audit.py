"""Notes sign-ins, sign-outs and refusals in the audit of every organization of the person.

Called by entering.py, sign_in.py and jobs.py.

What somebody does who is not known is nobody's matter: it is in the log alone. Of staff, who are in no organization, it
is in the chain of the service itself.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import or_, select

from webapp.accounts.models import UserAccount
from webapp.accounts.queries import find_person
from webapp.audit.actions import THE_SERVICE
from webapp.audit.viewing import note, note_view
from webapp.clock import now
from webapp.database.engine import Database
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session


def note_sign_in(database: Database, person: UserAccount) -> int | None:
    """Before the session begins, so that none is without its lines. Gives the organization of the line that is left.

    A transaction belongs to one organization: that line lands with the session itself, and the others before it. None:
    the person is in no organization. If no session begins after all, note_no_sign_in() says so where a line stands.
    """
    organizations = _organizations_of(database, person)
    for organization_id in organizations[1:]:
        note(database, organization_id, person.id, "sign_in.done")
    return organizations[0] if organizations else None


def note_no_sign_in(database: Database, person: UserAccount) -> None:
    """After the lines of note_sign_in() the sign-in was refused: what it rested on was changed meanwhile."""
    for organization_id in _organizations_of(database, person)[1:]:
        note(database, organization_id, person.id, "sign_in.refused")


def note_sign_out(database: Database, person: UserAccount) -> None:
    for organization_id in _organizations_of(database, person):
        note(database, organization_id, person.id, "sign_out.done")


def note_refusal(database: Database, email: str, at: datetime) -> None:
    """That a sign-in with this address was refused then: once in a quarter of an hour, so that nobody floods the audit.

    Called by the worker (jobs.py), never while the browser waits: the time would tell who has how many organizations.
    """
    with reading_session(database) as session:
        person = find_person(session, email)
    if person is None:
        return
    for organization_id in _organizations_of(database, person):
        note_view(database, organization_id, person.id, "sign_in.refused", at=at)


def note_refused(database: Database, person: UserAccount, kind: str) -> None:
    """That somebody who is signed in could not prove who they are, or that a passkey of somebody's was refused: once in
    a quarter of an hour, as above. Who knows a passkey's name has it: no time tells them more.
    """
    for organization_id in _organizations_of(database, person):
        note_view(database, organization_id, person.id, kind)


def _organizations_of(database: Database, person: UserAccount) -> Sequence[int]:
    """Ids of those in which the person is a member now."""
    if person.is_staff:
        return [THE_SERVICE]
    with reading_session(database) as session:
        session.bind_person(person.id)
        return session.scalars(
            select(Membership.organization_id)
            .where(
                Membership.user_account_id == person.id,
                or_(Membership.ends_at.is_(None), Membership.ends_at > now()),
            )
            .order_by(Membership.organization_id)
        ).all()
