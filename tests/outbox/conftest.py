"""A relay that is real but for delivering anything, templates of the tests' own, and mails that wait."""

import contextlib
import email
import email.policy
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from config import Settings
from tests.mailbox import Mailbox
from webapp.database.engine import Database
from webapp.outbox import rendering
from webapp.outbox.actions import queue_mail
from webapp.outbox.models import OutboxMessage
from webapp.sealing import seal
from webapp.tenancy.sessions import reading_session, writing_session

TOKEN = "token-0123456789-abcdefghij-not-to-be-seen"
_TEMPLATES = {
    "test_link.subject.txt": "A link for {{ name }}\n",
    "test_link.txt": '{% extends "emails/_layout.txt" %}\n{% block content %}\nHello {{ name }},\n\n'
    "{{ base_url }}/open/{{ token }}\n{% endblock %}\n",
    "test_link.html": '{% extends "emails/_layout.html" %}\n{% from "emails/_parts.html" import action %}\n'
    "{% block title %}A link for {{ name }}{% endblock %}\n"
    '{% block content %}{{ action(base_url ~ "/open/" ~ token, "Open") }}{% endblock %}\n',
}


class Relay:
    """Answers as it is told: `answers` are those to the next recipients or mails, then "250 OK"."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.connections = 0
        self.sessions: list[Any] = []
        self.answers_to_recipients: list[str] = []
        self.answers_to_mails: list[str] = []
        self.port = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        if session not in self.sessions:
            self.connections += 1
            self.sessions.append(session)
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        answer = self.answers_to_recipients.pop(0) if self.answers_to_recipients else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.answers_to_mails.pop(0) if self.answers_to_mails else "250 OK"
        if answer.startswith("250"):
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients += envelope.rcpt_tos
        return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(relay: Relay, **options: Any) -> Iterator[Controller]:
    relay.port = free_port()
    controller = Controller(relay, hostname="127.0.0.1", port=relay.port, ready_timeout=60, **options)
    controller.start()
    try:
        yield controller
    finally:
        with contextlib.suppress(AssertionError):  # a test has stopped it
            controller.stop()


@pytest.fixture
def relay() -> Iterator[Relay]:
    """One that takes everything, without TLS or sign-in."""
    relay = Relay()
    with running(relay):
        yield relay


class SignIn:
    """Lets "callbook" in with "pass:word/ 1"."""

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes]] = []

    def __call__(
        self, _server: SMTP, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.seen.append((data.login, data.password))
        right = (data.login, data.password) == (b"callbook", b"pass:word/ 1")
        return AuthResult(success=right, handled=False)


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(autouse=True)
def _own_templates(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The real frames, and a template that no feature changes."""
    folder = tmp_path_factory.mktemp("templates")
    (folder / "emails").mkdir()
    for path in (rendering.TEMPLATES / "emails").glob("_*"):
        (folder / "emails" / path.name).write_text(path.read_text("utf-8"), "utf-8")
    for name, source in _TEMPLATES.items():
        (folder / "emails" / name).write_text(source, "utf-8")
    rendering._environment.cache_clear()
    monkeypatch.setattr(rendering, "TEMPLATES", folder)
    yield
    rendering._environment.cache_clear()


@pytest.fixture
def mailing(settings: Settings, relay: Relay) -> Settings:
    """Settings of a service that has mail set up."""
    return with_relay(settings, f"smtp://127.0.0.1:{relay.port}")


def with_relay(settings: Settings, smtp_url: str) -> Settings:
    return replace(settings, smtp_url=smtp_url, mail_from="calls@example.com")


Queue = Callable[..., int]


@pytest.fixture
def queue(database: Database, settings: Settings) -> Queue:
    """queue("to@example.com"): a mail with a link that waits; gives its id."""

    def put(to: str = "olive@example.com", cause: str = "", **changes: Any) -> int:
        with writing_session(database) as session:
            message = queue_mail(
                session,
                changes.pop("template", "test_link"),
                to,
                cause=cause or f"test:{to}",
                words=changes.pop("words", {"name": "Olive"}),
                secret=seal(settings.secret_key, TOKEN.encode()),
            )
            for name, value in changes.items():
                setattr(message, name, value)
            session.commit()
        return message.id

    return put


@pytest.fixture
def mailbox(database: Database, settings: Settings) -> Mailbox:
    return Mailbox(database, settings)


def read(database: Database, mail_id: int) -> OutboxMessage:
    with reading_session(database) as session:
        return session.get_one(OutboxMessage, mail_id)
