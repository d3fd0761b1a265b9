"""Queues mails, each in the transaction of its cause: both land or neither does. Sent by the worker (sender.py).

queue_mail(session, "invitation", to, cause=f"invitation:{invitation.id}:1", words={...}, secret=sealed_token)
"""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import CursorResult, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.alarms import wake_workers_after_commit
from webapp.clock import now
from webapp.database.ids import new_id, spell_id
from webapp.errors import NotFound, Refused
from webapp.outbox.models import OLDEST_SENT, MailState, OutboxMessage
from webapp.tenancy.lock import LockedSession

#: Why a mail is held: it waited when the backup was made, and may have gone since.
HELD = "held back by a restore"
Words = Mapping[str, str | int | None]
_following: set[str] = set()


def queue_mail(
    session: LockedSession,
    template: str,
    to_address: str,
    *,
    cause: str,
    words: Words,
    secret: bytes | None = None,
    due_at: datetime | None = None,
) -> OutboxMessage:
    """Queue the mail, once for its cause; asked again for the same cause it gives the one that is there.

    `cause` names what it is sent for; the address is added to it. `secret` is sealed already (sealing.py). `due_at`:
    not before then, for mail to so many that other mail would wait behind it.
    """
    whole_cause = f"{cause}:{to_address}"
    known = _find(session, whole_cause)
    if known is not None:
        return known
    message_id = new_id()
    message = OutboxMessage(
        id=message_id,
        organization_id=session.organization_id,
        cause=whole_cause,
        template=template,
        to_address=to_address,
        words=json.dumps(dict(words), ensure_ascii=False),
        secret=secret,
        message_id=f"<{spell_id(message_id)}.{secrets.token_hex(8)}@callbook>",
        state=MailState.WAITING,
        due_at=due_at or now(),
        attempts=0,
        lease_owner=None,
        lease_until=None,
        error=None,
        created_at=now(),
        ended_at=None,
    )
    session.flush()  # what is wrong with the caller's rows is no matter of ours
    try:
        with session.begin_nested():
            session.add(message)
            session.flush()
    except IntegrityError:  # on PostgreSQL somebody else queued the same meanwhile; the caller's work goes on
        known = _find(session, whole_cause)
        if known is None:
            raise
        return known
    wake_workers_after_commit(session)
    return message


def follow_primary(template: str) -> None:
    """Mails of this template that wait go to the person's primary address, also when that is another by then."""
    _following.add(template)


def send_after(session: Session, before: str, now_primary: str) -> None:
    """What waits to go to the address that was a person's primary one, and should follow them, does."""
    theirs = (OutboxMessage.to_address == before, OutboxMessage.template.in_(_following))
    moved = update(OutboxMessage).where(*theirs, OutboxMessage.state == MailState.WAITING)
    session.execute(moved.values(to_address=now_primary).execution_options(synchronize_session=False))


def _find(session: LockedSession, whole_cause: str) -> OutboxMessage | None:
    return session.scalars(select(OutboxMessage).where(OutboxMessage.cause == whole_cause)).one_or_none()


def retry_mail(session: LockedSession, mail_id: int) -> OutboxMessage:
    """Let a mail go at once that was put off or refused. Raises NotFound, or Refused with a sentence."""
    message = session.get(OutboxMessage, mail_id)
    if message is None:
        raise NotFound("There is no such mail. `flask list-mail` shows them.")
    if message.state == MailState.HANDED_OVER:
        raise Refused("It was handed over; it is not sent twice.")
    if message.state == MailState.SENDING:
        raise Refused("It is being sent just now.")
    if message.created_at <= now() - OLDEST_SENT:
        raise Refused(f"It is older than {OLDEST_SENT.days} days. Do again what it was sent for.")
    message.state, message.due_at, message.attempts = MailState.WAITING, now(), 0
    message.error = message.ended_at = None
    session.flush()
    wake_workers_after_commit(session)
    return message


def hold_all(session: LockedSession) -> int:
    """After a restore: nothing that waits goes by itself, since it may have gone once. Returns how many."""
    waiting = OutboxMessage.state.in_((MailState.WAITING, MailState.SENDING))
    held = update(OutboxMessage).where(waiting).values(
        state=MailState.REFUSED, error=HELD, ended_at=now(), lease_owner=None, lease_until=None
    )  # fmt: skip
    return _count(session.execute(held.execution_options(synchronize_session=False)))


def release_held(session: LockedSession) -> int:
    """Let go what hold_all() held, unless it is too old by now. Returns how many."""
    held = (OutboxMessage.state == MailState.REFUSED, OutboxMessage.error == HELD)
    going = update(OutboxMessage).where(*held, OutboxMessage.created_at > now() - OLDEST_SENT).values(
        state=MailState.WAITING, error=None, ended_at=None, due_at=now(), attempts=0
    )  # fmt: skip
    released = _count(session.execute(going.execution_options(synchronize_session=False)))
    wake_workers_after_commit(session)
    return released


def _count(result: object) -> int:
    assert isinstance(result, CursorResult)
    return result.rowcount
