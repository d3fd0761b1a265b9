"""Who can see an organization's calls: counted for its policy page, and for the line at the foot of every page.

The line is kept in the process for a minute, for each organization and each narrowed person, so that it costs a page
nothing; the policy page counts anew and puts what it found in its place. Who of support looks at this moment is no
part of it: organizations/looks.py knows that by itself.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from sqlalchemy import bindparam, func, or_, select

from webapp.accounts.models import AccountState, UserAccount
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.types import Instant
from webapp.organizations.models import Invitation, InvitationState
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.members import load_narrowing
from webapp.tenancy.models import Membership
from webapp.tenancy.narrowing import Narrowing, PartyDays
from webapp.tenancy.sessions import reading_session

EVERY_SECONDS = 60.0
_FORGOTTEN_OVER = 20_000  #: lines of one process

_PRESENT = or_(Membership.ends_at.is_(None), Membership.ends_at > bindparam("present", type_=Instant))
#: Of the bound organization, whatever person is bound besides.
_MEMBERS = kept(
    select(Membership.narrowed, Membership.user_account_id)
    .join(UserAccount, UserAccount.id == Membership.user_account_id)
    .where(
        Membership.organization_id == bindparam("organization"),
        UserAccount.state == AccountState.ACTIVE,
        _PRESENT,
    )
)
_WAITING = kept(
    select(func.count(Invitation.id)).where(
        or_(
            Invitation.state == InvitationState.UNCONFIRMED,
            (Invitation.state == InvitationState.OPEN) & (Invitation.expires_at > bindparam("present", type_=Instant)),
        )
    )
)


@dataclass
class _Kept:
    at: float
    people: int


_kept: WeakKeyDictionary[Database, dict[tuple[int, int | None], _Kept]] = WeakKeyDictionary()


def count_who_sees(database: Database, organization_id: int, narrowing: Narrowing | None, present: datetime) -> int:
    """People who can see calls of the organization; for a narrowed reader, those who can see any of theirs.

    In a session of its own, for that of a narrowed reader knows nobody else's rows.
    """
    with reading_session(database, organization_id) as session:
        rows = session.rows(_MEMBERS, {"organization": organization_id, "present": present})
        if narrowing is None:
            return len(rows)
        return sum(not narrowed or _meets(session, person, narrowing) for narrowed, person in rows)


def _meets(session: LockedSession, person: int, narrowing: Narrowing) -> bool:
    """Whether both see calls of the same party in the same days."""
    theirs = load_narrowing(session, person).windows
    return any(_overlap(mine, other) for mine in narrowing.windows for other in theirs)


def _overlap(one: PartyDays, other: PartyDays) -> bool:
    begins = max(one.from_ms, other.from_ms)
    ends = [each for each in (one.until_ms, other.until_ms) if each is not None]
    return one.party_id == other.party_id and (not ends or begins < min(ends))


def count_waiting(session: LockedSession, present: datetime) -> int:
    """Invitations of the bound organization that can still be accepted."""
    return session.rows(_WAITING, {"present": present})[0][0]


def people_kept(database: Database, membership: Membership, narrowing: Narrowing | None) -> int:
    """The number for the foot of a page, counted at most once a minute in this process."""
    found = _kept.get(database, {}).get(_key(membership, narrowing))
    if found is not None and time.monotonic() - found.at < EVERY_SECONDS:
        return found.people
    return count_anew(database, membership, narrowing)


def count_anew(database: Database, membership: Membership, narrowing: Narrowing | None) -> int:
    """The number for the policy page, which is that of the foot from then on."""
    known = _kept.setdefault(database, {})
    people = count_who_sees(database, membership.organization_id, narrowing, now())
    if len(known) >= _FORGOTTEN_OVER:
        known.clear()
    known[_key(membership, narrowing)] = _Kept(time.monotonic(), people)
    return people


def _key(membership: Membership, narrowing: Narrowing | None) -> tuple[int, int | None]:
    """One line for all who see every call. Whoever looks as somebody else is narrowed as that one, and as no other."""
    person = None if narrowing is None else hash((membership.user_account_id, narrowing))
    return membership.organization_id, person
