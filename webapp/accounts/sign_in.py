"""Signing in, step by step. Each step is counted before it is checked; the last one opens the session.

    PASSWORD -> DONE

`required_steps` decides which steps a person needs and `next_step` which one comes now, so a further one (a code, a
passkey) is one more Step, one more check and one more page; nothing that exists changes its meaning.
"""

from dataclasses import dataclass
from enum import Enum

from webapp import rate_limits
from webapp.accounts import passwords
from webapp.accounts.models import UserAccount
from webapp.accounts.queries import find_person
from webapp.database.engine import Database
from webapp.errors import TooManyTries
from webapp.rate_limits import Limit
from webapp.tenancy.sessions import reading_session, writing_session

_MINUTE = 60_000
#: One person from one network: ten tries, then one every 90 seconds.
PER_PERSON_AND_NETWORK = Limit("sign-in:person+network", 10, 90_000)
#: One person from all networks from which they have not signed in lately: a stranger cannot lock the person out.
PER_PERSON = Limit("sign-in:person", 30, 2 * _MINUTE)
PER_NETWORK = Limit("sign-in:network", 50, 6_000)
EVERYBODY = Limit("sign-in:everybody", 1_000, 300)
_NETWORK_KNOWN_FOR_MS = 90 * 24 * 60 * _MINUTE


class Step(Enum):
    PASSWORD = "password"  # noqa: S105 - the name of a step
    DONE = "done"


@dataclass(frozen=True)
class Try:
    """Who is trying, as they say, and from where."""

    email: str
    network: str


def required_steps(_person: UserAccount) -> tuple[Step, ...]:
    """What this person has to pass, in order."""
    return (Step.PASSWORD,)


def next_step(person: UserAccount, passed: frozenset[Step]) -> Step:
    """The first step that is still to be passed; DONE when none is."""
    return next((step for step in required_steps(person) if step not in passed), Step.DONE)


def pass_password(database: Database, attempt: Try, password: str) -> UserAccount | None:
    """The person, if the password is theirs and they may sign in. Raises TooManyTries.

    Whoever is unknown, disabled or mistaken gets the same answer after the same work: one hash.
    """
    _count(database, attempt)
    with reading_session(database) as session:
        person = find_person(session, attempt.email)
    right = passwords.check_password(person.password_digest if person else None, password)
    if person is None or not right or not person.is_active:
        return None
    if passwords.needs_new_digest(person.password_digest):
        _store_new_digest(database, person, password)
    return person


def remember_network(database: Database, person: UserAccount, attempt: Try) -> None:
    """From here the person has signed in: tries of strangers elsewhere do not count against it."""
    rate_limits.remember(database, _NETWORK_KNOWN_FOR_MS, person.email, attempt.network)


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
