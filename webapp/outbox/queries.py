"""What waits in the outbox, what went and what was refused: words for pages, rows for commands and for the demo.

A page sees the mails of its session's organization, or, with none bound, those about people's own accounts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.sql.elements import ColumnElement

from webapp import clock
from webapp.errors import NotFound
from webapp.outbox.models import MailState, OutboxMessage
from webapp.tenancy.lock import LockedSession

NOT_SET_UP = "this service has no mail set up"
_AT_MOST = 500


@dataclass(frozen=True)
class MailCounts:
    waiting: int
    refused: int

    @property
    def words(self) -> str:
        """ "2 mails wait to go, 1 was refused (flask list-mail --dead)." """
        waiting = "1 mail waits to go" if self.waiting == 1 else f"{self.waiting:,} mails wait to go"
        if not self.refused:
            return f"{waiting}, none was refused."
        return f"{waiting}, {self.refused:,} {'was' if self.refused == 1 else 'were'} refused (flask list-mail --dead)."


def mail_states(session: LockedSession, causes: Iterable[str], *, can_send: bool) -> dict[str, str]:
    """For each cause the words for its newest mail; a cause without one is left out.

    A cause may be the beginning of several: "invitation:7" finds "invitation:7:1:a@b.c", but no mail of invitation 70.
    `can_send` is sender.can_send(settings).
    """
    wanted = list(dict.fromkeys(causes))
    if not wanted:
        return {}
    beginnings = [OutboxMessage.cause.startswith(f"{cause}:", autoescape=True) for cause in wanted]
    mine = OutboxMessage.organization_id == session.organization_id
    found = session.scalars(
        select(OutboxMessage).where(mine, or_(*beginnings)).order_by(OutboxMessage.created_at, OutboxMessage.id)
    ).all()
    newest = {cause: message for message in found for cause in wanted if message.cause.startswith(f"{cause}:")}
    return {cause: mail_words(message, can_send=can_send) for cause, message in newest.items()}


def mail_state(session: LockedSession, cause: str, *, can_send: bool) -> str | None:
    """The words for the newest mail of one cause; None when none was queued, or it is forgotten (after 30 days)."""
    return mail_states(session, [cause], can_send=can_send).get(cause)


def mail_words(message: OutboxMessage, *, can_send: bool) -> str:
    """ "waiting to go", "handed over 3 min ago", "refused: 550 refused by the relay" or NOT_SET_UP."""
    if message.state == MailState.HANDED_OVER:
        assert message.ended_at is not None
        return f"handed over {format_ago(message.ended_at)}"
    if message.state == MailState.REFUSED:
        return f"refused: {message.error}"
    if not can_send:
        return NOT_SET_UP
    return f"waiting to go: {message.error}" if message.error else "waiting to go"


def format_ago(instant: datetime) -> str:
    """ "just now", "3 min ago", "2 h ago", "4 days ago"."""
    minutes = int((clock.now() - instant).total_seconds()) // 60
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min ago"
    if minutes < 48 * 60:
        return f"{minutes // 60} h ago"
    return f"{minutes // (24 * 60)} days ago"


# ---------------------------------------------------------------------------------- for the operator and for the demo


def count_mails(session: LockedSession) -> MailCounts:
    """Of the whole service."""
    by_state = select(OutboxMessage.state, func.count(OutboxMessage.id)).group_by(OutboxMessage.state)
    counts: dict[MailState, int] = dict(session.execute(by_state).all())
    waiting = counts.get(MailState.WAITING, 0) + counts.get(MailState.SENDING, 0)
    return MailCounts(waiting, counts.get(MailState.REFUSED, 0))


def list_mails(
    session: LockedSession, *, organization_id: int | None = None, dead_only: bool = False
) -> list[OutboxMessage]:
    """Of the whole service, or of one organization; newest first."""
    narrowed: list[ColumnElement[bool]] = []
    if organization_id is not None:
        narrowed.append(OutboxMessage.organization_id == organization_id)
    if dead_only:
        narrowed.append(OutboxMessage.state == MailState.REFUSED)
    newest_first = (OutboxMessage.created_at.desc(), OutboxMessage.id.desc())
    return list(session.scalars(select(OutboxMessage).where(*narrowed).order_by(*newest_first).limit(_AT_MOST)))


def get_mail(session: LockedSession, mail_id: int) -> OutboxMessage:
    """Of the whole service. Raises NotFound."""
    message = session.get(OutboxMessage, mail_id)
    if message is None:
        raise NotFound
    return message
