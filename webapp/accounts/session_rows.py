"""Rows of web_session: a new one, making way for it, another id for it. Called by web_sessions.py: it decides when."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, delete, update

from webapp.accounts.account_events import note_event
from webapp.accounts.browsers import here
from webapp.accounts.credentials import hold_person, is_unchanged
from webapp.accounts.models import Passkey, SessionState, UserAccount, WebSession
from webapp.accounts.queries import find_shortest_idle
from webapp.accounts.session_ends import end_rows
from webapp.accounts.session_limits import STAFF_IDLE_MINUTES, USUAL_IDLE_MINUTES, run_out
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session


@dataclass(frozen=True)
class Passed:
    """What somebody passed to get in. `waited`: the password in an earlier request, and this browser's row says so.

    `factor`: a code or a passkey; `passkey_id`: that one.
    """

    waited: bool = False
    factor: bool = False
    passkey_id: int | None = None


ONE_STEP = Passed()  #: the password, or an invitation; just now, and nothing else


def new_session_id() -> str:
    return secrets.token_urlsafe(32)


def digest_of(session_id: str) -> bytes:
    """What the table knows of the id."""
    return hashlib.sha256(session_id.encode()).digest()


def new_row(
    database: Database,
    session_id: str,
    person: UserAccount | None,
    state: SessionState,
    payload: dict[str, Any],
    by: Passed,
) -> WebSession:
    """Not stored yet."""
    started_at, where, signed_in = now(), here(), state == SessionState.SIGNED_IN
    return WebSession(
        id_digest=digest_of(session_id),
        id=new_id(),
        user_account_id=person.id if person else None,
        state=state,
        created_at=started_at,
        last_seen_at=started_at,
        proved_at=started_at if signed_in else None,
        idle_minutes=_idle_minutes(database, person),
        network=where.network,
        browser=where.browser,
        payload=json.dumps(payload),
        renewal_due=False,
        factor_ms=to_ms(started_at) if signed_in and by.factor else None,
        is_staff=person is not None and person.is_staff,
    )


def make_way(session: LockedSession, session_id: str | None, person: UserAccount | None, by: Passed) -> bool:
    """Delete the browser's row for a new one. False: the person's sessions were ended since they proved something; then
    nothing but that is noted. The caller commits.

    Who waited for the second step must still be waiting: what ends all sessions of a person ends that row too. A
    passkey must still be theirs.
    """
    held = hold_person(session, person.id) if person else None
    was_there = end_rows(session, WebSession.id_digest == digest_of(session_id or "")) == 1
    end_rows(session, run_out())
    if person is None:
        return True
    if (
        held is not None
        and is_unchanged(held, person)
        and (was_there or not by.waited)
        and _is_theirs(session, by, held)
    ):
        return True
    session.rollback()
    if held is not None:
        note_event(session, person.id, "sign_in.refused", here())
    return False


def move_row(session: LockedSession, session_id: str | None, fresh_id: str, **values: Any) -> bool:
    """Give a browser's row another id. False: by the id that the browser has there is none any more."""
    changed = session.execute(
        update(WebSession)
        .where(WebSession.id_digest == digest_of(session_id or ""))
        .values(id_digest=digest_of(fresh_id), **values)
    )
    assert isinstance(changed, CursorResult)
    return bool(changed.rowcount == 1)


def proved_now(*, factor: bool) -> dict[str, Any]:
    """What changes in the row of somebody who has just shown who they are; `factor`: with a code or a passkey."""
    moment = now()
    return {"proved_at": moment, "last_seen_at": moment, **({"factor_ms": to_ms(moment)} if factor else {})}


def delete_row(session: LockedSession, session_id: str | None) -> bool:
    """The session of a browser that signs out, and those that have run out. Whether that one was still there."""
    found = session.execute(delete(WebSession).where(WebSession.id_digest == digest_of(session_id or "")))
    end_rows(session, run_out())
    assert isinstance(found, CursorResult)
    return bool(found.rowcount == 1)


def _is_theirs(session: LockedSession, by: Passed, person: UserAccount) -> bool:
    return by.passkey_id is None or session.get(Passkey, (person.id, by.passkey_id)) is not None


def _idle_minutes(database: Database, person: UserAccount | None) -> int:
    if person is None:
        return USUAL_IDLE_MINUTES
    if person.is_staff:
        return STAFF_IDLE_MINUTES
    with reading_session(database) as session:
        session.bind_person(person.id)
        shortest = find_shortest_idle(session)
    return USUAL_IDLE_MINUTES if shortest is None else shortest
