"""Makes and changes people. Called by the commands, by their own pages (account_views.py) and by invitations/."""

from collections.abc import Iterable

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from webapp.accounts.credentials import hold_person
from webapp.accounts.links import end_links
from webapp.accounts.models import AccountState, LinkKind, UserAccount, UserEmail, WebSession
from webapp.accounts.password_strength import weakness
from webapp.accounts.passwords import hash_password
from webapp.accounts.queries import find_person, list_addresses
from webapp.accounts.session_ends import end_rows
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import NotFound, Refused
from webapp.names import clean_name
from webapp.outbox.actions import send_after
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership

_NAME_AT_MOST = 100
ADDRESSES_AT_MOST = 10


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
        has_passkey=False,
    )
    session.add(person)
    session.flush()
    session.add(UserEmail(email=address, user_account_id=person.id, confirmed_at=moment))
    session.flush()
    return person


def set_password(
    session: Session, person: UserAccount, password: str, about: Iterable[str] = (), but: int | None = None
) -> None:
    """Give the person a new password; every browser that is signed in as them is signed out, links for one are dead.

    `but`: the id of the session that stays, as for end_all_sessions().
    """
    _refuse_weak(password, person.email, about)
    person.password_digest, person.password_set_at = hash_password(password), now()
    end_all_sessions(session, person, but)
    end_links(session, person, LinkKind.NEW_PASSWORD)


def rename(person: UserAccount, name: str) -> None:
    """As they want to be called. Raises Refused."""
    if len(name.strip()) > _NAME_AT_MOST:
        raise Refused(f"A name has at most {_NAME_AT_MOST} characters.", "name")
    person.name = clean_name(name)


def check_new_address(session: Session, person: UserAccount, text: str) -> str:
    """The address, if it can become one of the person's. Raises Refused; not for one of somebody else's."""
    address = checked_email(text)
    mine = list_addresses(session, person.id)
    if address in {found.email for found in mine}:
        raise Refused(f"{address} is one of your addresses already.", "email")
    if len(mine) >= ADDRESSES_AT_MOST:
        raise Refused(f"You have {ADDRESSES_AT_MOST} addresses, which is the most. Remove one first.", "email")
    return address


def add_address(session: Session, person: UserAccount, address: str) -> bool:
    """Give the person an address that they have confirmed. False when somebody has it by now."""
    if session.get(UserEmail, address) is not None:
        return False
    session.add(UserEmail(email=address, user_account_id=person.id, confirmed_at=now()))
    session.flush()
    return True


def remove_address(session: Session, person: UserAccount, address: str) -> None:
    """Take an address away; links that were sent for a new password are dead. Raises NotFound and Refused."""
    found = _get_address(session, person, address)
    if found.email == person.email:
        raise Refused("This is your primary address. Make another one the primary one first.", "email")
    session.delete(found)
    end_links(session, person, LinkKind.NEW_PASSWORD)
    session.flush()


def make_primary(session: Session, person: UserAccount, address: str) -> None:
    """Send policy and security mail there from now on, what waits to go of policies too. Raises NotFound."""
    before, person.email = person.email, _get_address(session, person, address).email
    send_after(session, before, person.email)
    end_links(session, person, LinkKind.NEW_PASSWORD)
    session.flush()


def _get_address(session: Session, person: UserAccount, address: str) -> UserEmail:
    found = session.get(UserEmail, address.strip().lower())
    if found is None or found.user_account_id != person.id:
        raise NotFound
    return found


def disable_user(session: Session, person: UserAccount) -> None:
    """Keep the person out from now on, in every browser."""
    person.state = AccountState.DISABLED
    end_all_sessions(session, person)


def end_all_sessions(session: Session, person: UserAccount, but: int | None = None) -> None:
    """Sign the person out everywhere, and everywhere where they are on their way in.

    `but`: the id of the one session that stays. Whose it is gives it a new id with it (BrowserSession.renew_with).
    """
    hold_person(session, person.id)
    theirs = WebSession.user_account_id == person.id
    end_rows(session, theirs if but is None else and_(theirs, WebSession.id != but))


def end_sessions_of_members(session: LockedSession) -> int:
    """Sign everybody out who belongs to the bound organization; returns how many sessions that were.

    In the order of their ids: two who do this at once do not wait for each other for ever.
    """
    theirs = select(Membership.user_account_id).where(Membership.organization_id == session.organization_id)
    held = select(UserAccount.id).where(UserAccount.id.in_(theirs)).order_by(UserAccount.id)
    session.scalars(held.with_for_update(key_share=True)).all()
    return end_rows(session, WebSession.user_account_id.in_(theirs))


def renew_all_sessions(session: Session, person: UserAccount) -> None:
    """The person's rights are others from now on: each browser of theirs gets a new id at its next request."""
    theirs = update(WebSession).where(WebSession.user_account_id == person.id)
    session.execute(theirs.values(renewal_due=True).execution_options(synchronize_session=False))


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
