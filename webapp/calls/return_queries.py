"""Reads calls to return: outside callers who did not get through, newest try first, by key. Called by return_views.py,
by the overview, and by the job that mails how many there are.

To a narrowed reader a row tells of the tries that reached their own parties, and of no others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from webapp.accounts.models import AccountState, UserAccount
from webapp.calls.models import Call, CallParty, CallToReturn, PartyRole, ReturnMail
from webapp.calls.outcomes import LOOK_BACK_DAYS, TRY_OUTCOMES, Direction, Outcome
from webapp.calls.spans import evened
from webapp.clock import from_ms, to_ms
from webapp.database.staff_rights import Area
from webapp.destinations.models import Party
from webapp.destinations.route_models import Number
from webapp.errors import NotFound
from webapp.pagination import Cursor
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Role
from webapp.tenancy.narrowing import Narrowing

ROWS_ON_A_PAGE = 50
COUNTED_AT_MOST = 1000
_CALLER = int(PartyRole.CALLER)


class Waiting(NamedTuple):
    """A caller, as a row of the page has it. Of a narrowed reader the first seven are those of the tries they see."""

    first_at: datetime
    last_at: datetime
    tries: int
    wait_seconds: int
    voicemail: bool
    last_call_key: int
    did_id: int | None
    party_id: int
    assigned_to: int | None
    note: str
    done_at: datetime | None
    done_by: int | None


@dataclass(frozen=True)
class WaitingPage:
    rows: Sequence[Waiting]
    next_cursor: Cursor | None


@dataclass(frozen=True)
class Member:
    """Somebody who can be asked to call."""

    id: int
    name: str
    role: Role
    narrowed: bool


def list_waiting(session: LockedSession, present: datetime, cursor: Cursor | None = None) -> WaitingPage:
    """Those whom nobody has marked as done, the newest try first, after the cursor."""
    rows = _rows(session, [CallToReturn.done_at.is_(None), _is_young(present)], cursor)
    page = rows[:ROWS_ON_A_PAGE]
    more = len(rows) > ROWS_ON_A_PAGE
    return WaitingPage(page, Cursor(to_ms(page[-1].last_at), page[-1].party_id) if more else None)


def list_done(session: LockedSession, since: datetime) -> list[Waiting]:
    """Those that were marked as done since then, the last one first."""
    rows = _rows(session, [CallToReturn.done_at >= since], None)
    return sorted(rows[:ROWS_ON_A_PAGE], key=lambda row: row.done_at or since, reverse=True)


def get_waiting(session: LockedSession, party_id: int) -> Waiting:
    """One caller, done or not. Raises NotFound, also once they got through."""
    rows = _rows(session, [CallToReturn.party_id == party_id], None)
    if not rows:
        raise NotFound
    return rows[0]


def count_waiting(session: LockedSession, present: datetime) -> int:
    """How many wait; COUNTED_AT_MOST + 1 for more than that."""
    waiting = select(CallToReturn.party_id).where(CallToReturn.done_at.is_(None), _is_young(present))
    some = waiting.limit(COUNTED_AT_MOST + 1).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def list_members(session: LockedSession, present: datetime) -> list[Member]:
    """Whose access lives, by name. Support that may not see people learns of none."""
    if not session.opens(Area.PEOPLE):
        return []
    rows = session.execute(
        select(UserAccount.id, UserAccount.name, UserAccount.email, Membership.role, Membership.narrowed)
        .join(Membership, Membership.user_account_id == UserAccount.id)
        .where(
            Membership.organization_id == session.organization_id,
            or_(Membership.ends_at.is_(None), Membership.ends_at > present),
            UserAccount.state == AccountState.ACTIVE,
        )
    )
    members = [Member(row.id, row.name or row.email, row.role, row.narrowed) for row in rows]
    return sorted(members, key=lambda each: each.name.casefold())


def find_names(session: LockedSession, ids: set[int]) -> dict[int, str]:
    """Names of people who may be members no more. For support that may not see people there are none."""
    if not ids or not session.opens(Area.PEOPLE):
        return {}
    rows = session.execute(
        select(UserAccount.id, UserAccount.name, UserAccount.email).where(UserAccount.id.in_(sorted(ids)))
    )
    return {row.id: row.name or row.email for row in rows}


def find_own_numbers(session: LockedSession, ids: set[int]) -> tuple[dict[int, Party], dict[int, str]]:
    """The parties of own numbers, and the labels of those that are listed, by the party's id."""
    if not ids:
        return {}, {}
    parties = session.scalars(select(Party).where(Party.id.in_(sorted(ids)))).all()
    labels = session.execute(select(Number.party_id, Number.label).where(Number.party_id.in_(sorted(ids)))).all()
    return {party.id: party for party in parties}, {party_id: label for party_id, label in labels if label}


def wants_mail(session: LockedSession, user_account_id: int) -> bool:
    """No mail ever goes to support."""
    return session.staff_id is None and session.get(ReturnMail, (session.organization_id, user_account_id)) is not None


def has_reached(session: LockedSession, row: Waiting, narrowing: Narrowing) -> bool:
    """Whether one of the tries reached a party that this opens: whoever is narrowed so would see the row."""
    own = aliased(CallParty)
    same_call = and_(
        own.organization_id == CallParty.organization_id,
        own.started_at == CallParty.started_at,
        own.call_key == CallParty.call_key,
    )
    found = session.scalars(
        select(CallParty.call_key)
        .join(own, same_call)
        .where(
            CallParty.party_id == row.party_id,
            CallParty.started_at.between(row.first_at, row.last_at),
            CallParty.roles.bitwise_and(_CALLER) != 0,
            narrowing.took_part(own.party_id, own.started_at),
        )
        .limit(1)
    )
    return found.first() is not None


def _is_young(present: datetime) -> Any:
    return CallToReturn.last_at >= present - timedelta(days=LOOK_BACK_DAYS)


def _rows(session: LockedSession, conditions: list[Any], cursor: Cursor | None) -> list[Waiting]:
    """At most one more than a page has."""
    own = session.narrowing is not None
    statement = (_own_tries() if own else _all_tries()).where(*conditions)
    last_at = func.max(Call.started_at) if own else CallToReturn.last_at
    if cursor is not None:
        at = from_ms(cursor.ms)
        after = or_(last_at < at, and_(last_at == at, CallToReturn.party_id < cursor.key))
        statement = statement.having(after) if own else statement.where(CallToReturn.last_at <= at, after)
    statement = statement.order_by(last_at.desc(), CallToReturn.party_id.desc()).limit(ROWS_ON_A_PAGE + 1)
    rows = session.execute(statement).all()
    return _with_last_calls(session, rows) if own else [Waiting(*row) for row in rows]


_PEOPLE_WROTE = (
    CallToReturn.party_id,
    CallToReturn.assigned_to,
    CallToReturn.note,
    CallToReturn.done_at,
    CallToReturn.done_by,
)


def _all_tries() -> Select[*tuple[Any, ...]]:
    return select(
        CallToReturn.first_at,
        CallToReturn.last_at,
        CallToReturn.tries,
        CallToReturn.wait_seconds,
        CallToReturn.voicemail,
        CallToReturn.last_call_key,
        CallToReturn.did_id,
        *_PEOPLE_WROTE,
    )


def _own_tries() -> Select[*tuple[Any, ...]]:
    """Of the calls that the session shows. Which was the last one is looked up for the rows of a page."""
    tries = and_(
        Call.organization_id == CallParty.organization_id,
        Call.started_at == CallParty.started_at,
        Call.call_key == CallParty.call_key,
    )
    theirs = and_(
        CallParty.organization_id == CallToReturn.organization_id,
        CallParty.party_id == CallToReturn.party_id,
        CallParty.started_at.between(CallToReturn.first_at, CallToReturn.last_at),
    )
    return (
        select(
            func.min(Call.started_at),
            func.max(Call.started_at),
            func.count(),
            func.max(Call.ring_seconds),
            func.max(case((Call.outcome == Outcome.VOICEMAIL, 1), else_=0)),
            *_PEOPLE_WROTE,
        )
        .select_from(CallToReturn)
        .join(CallParty, theirs)
        .join(Call, tries)
        .where(
            Call.direction == Direction.INBOUND,
            Call.outcome.in_(sorted(TRY_OUTCOMES)),
            CallParty.roles.bitwise_and(_CALLER) != 0,
        )
        .group_by(*_PEOPLE_WROTE)
    )


def _with_last_calls(session: LockedSession, rows: Sequence[Any]) -> list[Waiting]:
    """Rows of _own_tries(), each with the key and the own number of its last try."""
    wanted = {(party_id, last_at) for _first, last_at, _tries, _wait, _voicemail, party_id, *_wrote in rows}
    if not wanted:
        return []
    calls = session.execute(
        select(Call.caller_id, Call.started_at, Call.call_key, Call.did_id).where(
            Call.started_at.in_(evened({last_at for _party_id, last_at in wanted})),
            Call.caller_id.in_(evened({party_id for party_id, _last_at in wanted})),
        )
    )
    last = {(party_id, at): (call_key, did_id) for party_id, at, call_key, did_id in calls}
    return [
        Waiting(first_at, last_at, tries, wait, bool(voicemail), *last[party_id, last_at], party_id, *wrote)
        for first_at, last_at, tries, wait, voicemail, party_id, *wrote in rows
    ]
