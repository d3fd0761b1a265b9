"""Signing in, step by step. Each step is counted before it is checked; the last one opens the session.

    PASSWORD -> CODE (where the person has a second factor) -> DONE
    PASSKEY -> DONE

`required_steps` decides which steps a person needs and `next_step` which one comes now. PASSKEY (passkey_sign_in.py)
stands in for both others: the device asks who is there. `prove` asks a person who is in for the same again. Staff sign
in on a page of their own, and customers on theirs: on the other's page either is nobody.
"""

from dataclasses import dataclass
from enum import Enum

from webapp import rate_limits
from webapp.accounts import limits, passwords, second_factor, sign_in_audit
from webapp.accounts.account_events import note_event
from webapp.accounts.browsers import Where
from webapp.accounts.mails import tell
from webapp.accounts.models import UserAccount
from webapp.accounts.queries import find_person
from webapp.accounts.second_factor import Keys
from webapp.database.engine import Database
from webapp.errors import TooManyTries
from webapp.rate_limits import Limit
from webapp.tenancy.sessions import reading_session, writing_session

_MINUTE = 60_000
#: One person from one network: ten tries, then one every 90 seconds.
PER_PERSON_AND_NETWORK = Limit("sign-in:person+network", 10, 90_000, by_network=True)
#: One person from all networks from which they have not signed in lately: a stranger cannot lock the person out.
PER_PERSON = Limit("sign-in:person", 30, 2 * _MINUTE)
PER_NETWORK = Limit("sign-in:network", 50, 6_000, by_network=True)
EVERYBODY = Limit("sign-in:everybody", 1_000, 300)
_REFUSED_FOR_MS = _MINUTE


class Step(Enum):
    PASSWORD = "password"  # noqa: S105 - the name of a step
    CODE = "code"
    PASSKEY = "passkey"
    DONE = "done"


@dataclass(frozen=True)
class Try:
    """Who is trying, as they say, and from where."""

    email: str
    network: str
    browser: str = ""

    @property
    def where(self) -> Where:
        return Where(self.network, self.browser)


def required_steps(person: UserAccount) -> tuple[Step, ...]:
    """What this person has to pass, in order."""
    return (Step.PASSWORD, Step.CODE) if person.has_factor else (Step.PASSWORD,)


def next_step(person: UserAccount, passed: frozenset[Step]) -> Step:
    """The first step that is still to be passed; DONE when none is."""
    if Step.PASSKEY in passed:
        return Step.DONE
    return next((step for step in required_steps(person) if step not in passed), Step.DONE)


def pass_password(database: Database, attempt: Try, password: str, *, staff: bool = False) -> UserAccount | None:
    """The person, if the password is theirs and they may sign in, as `staff` or else as a customer's. Raises
    TooManyTries.

    Whoever is unknown, disabled, mistaken or on the wrong page gets the same answer after the same work: one hash, and
    one row written.
    """
    _count(database, attempt)
    with reading_session(database) as session:
        person = find_person(session, attempt.email)
    right = passwords.check_password(person.password_digest if person else None, password)
    if person is None or not right or not person.is_active or person.is_staff != staff:
        _note_refusal(database, person, attempt)
        return None
    if passwords.needs_new_digest(person.password_digest):
        _store_new_digest(database, person, password)
    return person


def pass_code(
    database: Database, keys: Keys, person: UserAccount, code: str, where: Where, refused: str = "sign_in.refused"
) -> bool:
    """Whether the code is the person's, of the app or one for recovery; it is used up. Raises TooManyTries.

    `refused`: the event that a wrong one is.
    """
    limits.count(database, limits.CODES, name_of(person), where.network)
    with writing_session(database) as session:
        if second_factor.looks_like_recovery(code):
            taken = second_factor.take_recovery_code(session, keys, person, code)
            if taken:
                tell(session, "recovery_code_used", person, note_event(session, person.id, "recovery.used", where))
        else:
            taken = second_factor.take_code(session, keys, person, code)
        if not taken:
            note_event(session, person.id, refused, where)
        session.commit()
    return taken


def prove(database: Database, keys: Keys, person: UserAccount, password: str, code: str, where: Where) -> bool:
    """Whether a person who is in is still the same: password, and code where there is a second factor. Raises
    TooManyTries.
    """
    if not prove_password(database, person, password, where):
        return False
    if not person.has_factor or pass_code(database, keys, person, code, where, "prove.refused"):
        return True
    sign_in_audit.note_refused(database, person, "prove.refused")
    return False


def prove_password(database: Database, person: UserAccount, password: str, where: Where) -> bool:
    """The same by the password alone, where the page of a dangerous thing asks for it itself. Raises TooManyTries.

    A wrong one is noted: else whoever finds a screen left alone could try passwords there, and nobody would know.
    """
    limits.count(database, limits.PROOFS, name_of(person), where.network)
    if passwords.check_password(person.password_digest, password):
        return True
    with writing_session(database) as session:
        note_event(session, person.id, "prove.refused", where)
        session.commit()
    sign_in_audit.note_refused(database, person, "prove.refused")
    return False


def is_new_network(database: Database, person: UserAccount, attempt: Try) -> bool:
    """Whether the person has not signed in from there lately."""
    return not limits.is_known_network(database, attempt.network, name_of(person))


def remember_network(database: Database, person: UserAccount, attempt: Try) -> None:
    """From here the person has signed in: tries of strangers elsewhere do not count against it."""
    email = attempt.email.strip().lower()
    limits.remember_network(database, attempt.network, name_of(person), person.email, email or person.email)


def name_of(person: UserAccount) -> str:
    """By which limits know the person, whatever address they use."""
    return f"person {person.id}"


def _note_refusal(database: Database, person: UserAccount | None, attempt: Try) -> None:
    """One row, whether there is such a person or not: the time tells nothing."""
    if person is None:
        rate_limits.remember(database, _REFUSED_FOR_MS, "refused", attempt.email.strip().lower())
        return
    with writing_session(database) as session:
        note_event(session, person.id, "sign_in.refused", attempt.where)
        session.commit()


def _count(database: Database, attempt: Try) -> None:
    email = attempt.email.strip().lower()
    hits: list[tuple[Limit, tuple[str, ...]]] = [
        (PER_NETWORK, (attempt.network,)),
        (PER_PERSON_AND_NETWORK, (email, attempt.network)),
    ]
    if not rate_limits.is_remembered(database, email, attempt.network):
        hits += [(EVERYBODY, ()), (PER_PERSON, (email,))]
    for limit, what in hits:
        wait_seconds = rate_limits.hit(database, limit, *what)
        if wait_seconds:
            raise TooManyTries(wait_seconds)


def _store_new_digest(database: Database, person: UserAccount, password: str) -> None:
    """The parameters have changed since: hash it again, now that the password is at hand."""
    fresh = passwords.hash_password(password)
    with writing_session(database) as session:
        stored = session.get(UserAccount, person.id)
        if stored is not None and stored.password_digest == person.password_digest:
            stored.password_digest = fresh
        session.commit()
