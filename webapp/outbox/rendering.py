"""Makes the mail that a row of the outbox stands for, from templates/emails/. Needs no request: the worker calls it.

A template has three files: NAME.subject.txt, NAME.txt, NAME.html; the last two extend _layout.txt and _layout.html.
They get the words of the row, `base_url` (of the settings, never of a request: SECURITY 41) and `token`.
"""

import json
import re
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, select_autoescape

from config import Settings
from webapp.outbox.models import OutboxMessage
from webapp.sealing import Unsealable, unseal

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
_SENDER_NAME = "Callbook"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
#: One address and nothing beside it. Whoever queues mail has had it checked by email-validator.
_ADDRESS = re.compile(r"""([^\x00-\x20\x7f-\xa0@<>()\[\],;:\\"]+)@([^\x00-\x20\x7f-\xa0@<>()\[\],;:\\"]+)""")


class Unwritable(Exception):
    """No mail can be made of the row: its template, words, address or secret are not as they must be."""


def render_mail(settings: Settings, message: OutboxMessage) -> EmailMessage:
    """The same mail each time, its Message-ID and Date included. Raises Unwritable, whose words name no address."""
    token = _token(settings, message)
    try:
        words = {**json.loads(message.words), "base_url": settings.base_url, "token": token}
        subject, text, html = (
            _render(f"{message.template}.{kind}", message.template, words) for kind in ("subject.txt", "txt", "html")
        )
        return _compose(settings, message, subject.strip(), text, html)
    except (TemplateError, MessageError, ValueError, IndexError, TypeError) as error:
        # IndexError: what email.headerregistry makes of some addresses. The errors' own words may hold an address.
        raise Unwritable(f"could not be written: {type(error).__name__}") from None


def sender_address(settings: Settings) -> str:
    """The bare address in MAIL_FROM, which may stand there with a name."""
    return parseaddr(settings.mail_from or "")[1]


def _token(settings: Settings, message: OutboxMessage) -> str:
    if message.secret is None:
        return ""
    try:
        return unseal(settings.secret_key, message.secret, settings.secret_key_fallbacks).decode()
    except Unsealable:
        raise Unwritable("its link was sealed under another SECRET_KEY") from None


def _render(file: str, template: str, words: dict[str, Any]) -> str:
    if not _NAME.fullmatch(template):
        raise ValueError("no name of a template")
    return _environment().get_template(f"emails/{file}").render(words)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(("html",), default=False),  # subjects and texts are no HTML
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _compose(settings: Settings, message: OutboxMessage, subject: str, text: str, html: str) -> EmailMessage:
    for header in (subject, message.to_address, message.message_id, settings.mail_from or ""):
        if "\r" in header or "\n" in header:
            raise ValueError("a line end in a header")
    name, sender = parseaddr(settings.mail_from or "")
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(name or _SENDER_NAME, addr_spec=sender) if sender else _SENDER_NAME
    mail["To"] = _recipient(message.to_address)
    mail["Subject"] = subject
    mail["Date"] = message.created_at
    mail["Message-ID"] = message.message_id
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", cte="quoted-printable")
    mail.add_alternative(html.strip() + "\n", subtype="html", cte="quoted-printable")
    return mail


def _recipient(address: str) -> Address:
    """Made of its parts: addr_spec= takes no letters beyond ASCII before the "@"."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError("no address")
    return Address(username=found[1], domain=found[2])
