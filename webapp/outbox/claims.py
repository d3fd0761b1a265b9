"""Who sends which mail: rows of outbox_message are claimed with a lease and ended, each in a short transaction.

As in jobs/queue.py every change of a claimed row asks for the lease's owner. A sender that dies between the relay's
answer and the commit leaves a lease that runs out: that mail goes again, with the same Message-ID. Called by sender.py.
"""

import os
import secrets
import socket
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, and_, delete, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from webapp import clock
from webapp.database.engine import Database
from webapp.outbox.models import OLDEST_SENT, MailState, OutboxMessage
from webapp.tenancy.sessions import reading_session, writing_session

#: Longer than a relay can take with every answer (relay.TIMEOUT_SECONDS each).
LEASE = timedelta(minutes=5)
#: With the waits below: given up after about three days.
MOST_ATTEMPTS = 20
_FIRST_RETRY = timedelta(minutes=1)
_LONGEST_RETRY = timedelta(hours=6)
KEPT_ONCE_ENDED = timedelta(days=30)


_wiped_once_sent: set[str] = set()


def wipe_once_sent(template: str) -> None:
    """Let the rows of mails of this template be deleted as soon as they are handed over."""
    _wiped_once_sent.add(template)


def is_any_due(database: Database) -> bool:
    """A look that takes no write lock."""
    now = clock.now()
    with reading_session(database) as session:
        return any(
            session.scalar(select(OutboxMessage.id).where(*due).limit(1)) is not None
            for due in (_waiting(now), _abandoned(now))
        )


def claim(database: Database, lease: timedelta = LEASE) -> OutboxMessage | None:
    """Take the mail that has been due longest, or whose sender is gone. It holds its lease's owner."""
    now = clock.now()
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    for due in (_waiting(now), _abandoned(now)):
        with reading_session(database) as session:
            if session.scalar(select(OutboxMessage.id).where(*due).limit(1)) is None:
                continue
        with writing_session(database) as session:
            claimed: OutboxMessage | None = session.scalars(_claiming(due, owner, now + lease)).first()
            session.commit()
        if claimed is not None:
            return claimed
    return None


def _waiting(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        OutboxMessage.state == MailState.WAITING,
        OutboxMessage.due_at <= now,
        OutboxMessage.created_at > now - OLDEST_SENT,
    )


def _abandoned(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        OutboxMessage.state == MailState.SENDING,
        OutboxMessage.lease_until <= now,
        OutboxMessage.created_at > now - OLDEST_SENT,
    )


def _claiming(due: tuple[ColumnElement[bool], ...], owner: str, until: datetime) -> Any:
    # PostgreSQL: a row that another worker is claiming is passed over. SQLite has one writer and drops the clause.
    first = (
        select(OutboxMessage.id)
        .where(*due)
        .order_by(OutboxMessage.due_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(OutboxMessage)
        .where(OutboxMessage.id == first.scalar_subquery())
        .values(state=MailState.SENDING, attempts=OutboxMessage.attempts + 1, lease_owner=owner, lease_until=until)
        .returning(OutboxMessage)
        .execution_options(synchronize_session=False)
    )


def mark_handed_over(database: Database, held: OutboxMessage) -> bool:
    """The relay has it; its secret is wiped. False: the lease had run out, and somebody else sends it again."""
    if held.template in _wiped_once_sent:
        return _wipe(database, held)
    return _change(database, held, state=MailState.HANDED_OVER, secret=None, error=None, ended_at=clock.now())


def _wipe(database: Database, held: OutboxMessage) -> bool:
    with writing_session(database) as session:
        mine = (OutboxMessage.id == held.id, OutboxMessage.lease_owner == held.lease_owner)
        result = session.execute(delete(OutboxMessage).where(*mine).execution_options(synchronize_session=False))
        session.commit()
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == 1)


def put_off(database: Database, held: OutboxMessage, words: str) -> bool:
    """Try again later, each time later; at last never."""
    if held.attempts >= MOST_ATTEMPTS:
        return refuse(database, held, f"given up: {words}")
    return _change(
        database, held, state=MailState.WAITING, error=words, due_at=clock.now() + _wait_after(held.attempts)
    )


def _wait_after(attempts: int) -> timedelta:
    minutes: int = 2 ** min(attempts - 1, 20)
    return min(_FIRST_RETRY * minutes, _LONGEST_RETRY)


def refuse(database: Database, held: OutboxMessage, words: str) -> bool:
    """For good, until somebody runs `flask retry-mail`: so the secret stays until the mail is too old anyway."""
    return _change(database, held, state=MailState.REFUSED, error=words, ended_at=clock.now())


def _change(database: Database, held: OutboxMessage, **values: Any) -> bool:
    with writing_session(database) as session:
        result = session.execute(
            update(OutboxMessage)
            .where(
                OutboxMessage.id == held.id,
                OutboxMessage.state == MailState.SENDING,
                OutboxMessage.lease_owner == held.lease_owner,
            )
            .values(lease_owner=None, lease_until=None, **values)
            .execution_options(synchronize_session=False)
        )
        session.commit()
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == 1)


def hold_back(database: Database, words: str) -> int:
    """No mail would be taken now: all that are due wait a minute, at no attempt. Returns how many."""
    now = clock.now()
    with writing_session(database) as session:
        result = session.execute(
            update(OutboxMessage)
            .where(or_(and_(*_waiting(now)), and_(*_abandoned(now))))
            .values(
                state=MailState.WAITING,
                due_at=now + _FIRST_RETRY,
                error=words,
                lease_owner=None,
                lease_until=None,
            )
            .execution_options(synchronize_session=False)
        )
        session.commit()
    assert isinstance(result, CursorResult)
    return result.rowcount


def count_handed_over(database: Database, since: datetime) -> int:
    with reading_session(database) as session:
        handed_over = (OutboxMessage.state == MailState.HANDED_OVER, OutboxMessage.ended_at > since)
        return session.scalar(select(func.count(OutboxMessage.id)).where(*handed_over)) or 0


def sweep(database: Database) -> None:
    """Every hour: end what is too old to be sent, wipe the secrets of what will not go, forget what ended long ago."""
    now = clock.now()
    too_old = OutboxMessage.created_at <= now - OLDEST_SENT
    unfinished = (OutboxMessage.state == MailState.WAITING) | (
        (OutboxMessage.state == MailState.SENDING) & (OutboxMessage.lease_until <= now)
    )
    ending = {"state": MailState.REFUSED, "error": "too old", "lease_owner": None, "lease_until": None}
    with writing_session(database) as session:
        for statement in (
            update(OutboxMessage).where(too_old, unfinished).values(**ending, ended_at=now),
            update(OutboxMessage)
            .where(too_old, OutboxMessage.state == MailState.REFUSED, OutboxMessage.secret.is_not(None))
            .values(secret=None),
            delete(OutboxMessage).where(OutboxMessage.ended_at < now - KEPT_ONCE_ENDED),
        ):
            session.execute(statement.execution_options(synchronize_session=False))
        session.commit()
