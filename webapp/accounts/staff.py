"""The operator's own people: made and shut out by commands alone, and of no organization. Knows no Flask.

Each of it is in the chain of the service itself. Called by the commands and by the demo.
"""

from webapp.accounts.models import UserAccount
from webapp.accounts.people import create_user, disable_user, rename
from webapp.accounts.queries import find_person
from webapp.audit.actions import THE_SERVICE, record
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession


def create_staff(session: LockedSession, email: str, name: str, password: str) -> UserAccount:
    """A member of staff, who sets up a second factor at the first sign-in. Raises Refused."""
    known = find_person(session, email)
    if known is not None:
        whose = "of staff" if known.is_staff else "of a customer's people: staff need an address of their own"
        raise Refused(f"{known.email} is the account of somebody {whose}.", "email")
    if not name.strip():
        raise Refused("Give the name by which customers will read of them.", "name")
    session.bind_organization(THE_SERVICE)
    person = create_user(session, email, password, (name,))
    rename(person, name)
    person.is_staff, person.alone_since = True, None
    session.flush()
    record(session, "staff_account.made", actor_id=None, object_id=person.id, name=person.name, email=person.email)
    return person


def disable_staff(session: LockedSession, email: str) -> UserAccount:
    """Keep them out from now on; every browser of theirs is signed out. Raises Refused."""
    person = find_person(session, email)
    if person is None or not person.is_staff:
        raise Refused(f"Nobody of staff has the address {email.strip()}.", "email")
    session.bind_organization(THE_SERVICE)
    disable_user(session, person)
    session.flush()
    record(session, "staff_account.disabled", actor_id=None, object_id=person.id, name=person.name, email=person.email)
    return person


def refuse_staff(person: UserAccount) -> None:
    """Nobody of staff becomes a member of an organization. Raises Refused."""
    if person.is_staff:
        raise Refused(
            f"{person.email} is of staff, and nobody of staff is a member of an organization. Use another address.",
            "email",
        )
