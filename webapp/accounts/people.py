"""Makes and changes people. Called by the commands; pages for it come with invitations."""

from collections.abc import Iterable

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import delete
from sqlalchemy.orm import Session

from webapp.accounts.models import AccountState, UserAccount, UserEmail, WebSession
from webapp.accounts.password_strength import weakness
from webapp.accounts.passwords import hash_password
from webapp.accounts.queries import find_person
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import Refused


def create_user(session: Session, email: str, password: str, about: Iterable[str] = ()) -> UserAccount:
    """A person who can sign in. `about`: words that the password may not be made of, such as the organization's name.

    Raises Refused when the address is none or taken, or the password weak.
    """
    address = checked_email(email)
    if find_person(session, address) is not None:
        raise Refused(f"{address} has an account already.", "email")
    _refuse_weak(password, address, about)
    moment = now()
    person = UserAccount(
        id=new_id(),
        email=address,
        name="",
        password_digest=hash_password(password),
        totp_secret=None,
        totp_last_step=0,
        state=AccountState.ACTIVE,
        created_at=moment,
        password_set_at=moment,
        alone_since=moment,
    )
    session.add(person)
    session.flush()
    session.add(UserEmail(email=address, user_account_id=person.id, confirmed_at=moment))
    session.flush()
    return person


def set_password(session: Session, person: UserAccount, password: str, about: Iterable[str] = ()) -> None:
    """Give the person a new password; every browser that is signed in as them is signed out."""
    _refuse_weak(password, person.email, about)
    person.password_digest, person.password_set_at = hash_password(password), now()
    end_all_sessions(session, person)


def disable_user(session: Session, person: UserAccount) -> None:
    """Keep the person out from now on, in every browser."""
    person.state = AccountState.DISABLED
    end_all_sessions(session, person)


def end_all_sessions(session: Session, person: UserAccount) -> None:
    """Sign the person out everywhere."""
    session.execute(delete(WebSession).where(WebSession.user_account_id == person.id))


def checked_email(text: str) -> str:
    """The address as it is stored: lower case. Asks no name server. Raises Refused."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise Refused(f"{text.strip()!r} is no e-mail address: {error}", "email") from error


def _refuse_weak(password: str, email: str, about: Iterable[str]) -> None:
    reason = weakness(password, (email, *about))
    if reason is not None:
        raise Refused(reason, "password")
