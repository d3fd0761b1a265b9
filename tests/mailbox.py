"""What was queued in the outbox, as the mails that would go. Nothing is sent.

mailbox = Mailbox(database, settings)
[mail] = mailbox.messages()                      # EmailMessage: mail["To"], mail["Subject"]
client.get(mailbox.link())                       # the first address in the newest mail's text
"""

import re
from email.message import EmailMessage

from sqlalchemy import select

from config import Settings
from webapp.database.engine import Database
from webapp.outbox.models import OutboxMessage
from webapp.outbox.rendering import render_mail
from webapp.tenancy.sessions import reading_session


class Mailbox:
    """Every row of the outbox, whatever became of it."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def rows(self, to: str | None = None) -> list[OutboxMessage]:
        """As they were queued; `to` narrows to one address."""
        with reading_session(self._database) as session:
            rows = session.scalars(select(OutboxMessage).order_by(OutboxMessage.created_at, OutboxMessage.id)).all()
        return [row for row in rows if to in (None, row.to_address)]

    def messages(self, to: str | None = None) -> list[EmailMessage]:
        """Rendered, in the order of queueing. Fails on one that cannot be."""
        return [render_mail(self._settings, row) for row in self.rows(to)]

    def newest(self, to: str | None = None) -> EmailMessage:
        found = self.messages(to)
        assert found, "no mail was queued"
        return found[-1]

    def link(self, to: str | None = None) -> str:
        """The first address in the text of the newest mail."""
        return self._settings.base_url + self.path(to)

    def path(self, to: str | None = None) -> str:
        """The same without the name of the service."""
        text = text_of(self.newest(to))
        found = re.search(rf"{re.escape(self._settings.base_url)}(/\S+)", text)
        assert found, text
        return found[1]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())
