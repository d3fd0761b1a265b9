"""/demo/mail: the mails of the demo, which has no relay to send them.

Public, and right only because it is the demo: its people and calls are made up, it keeps a database of its own that no
real installation serves, and only this machine is answered. Everywhere else these pages do not exist.
"""

import ipaddress
import re
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from config import Settings
from webapp import access
from webapp.errors import NotFound
from webapp.outbox.models import OutboxMessage
from webapp.outbox.queries import format_ago, get_mail, list_mails
from webapp.outbox.rendering import Unwritable, render_mail
from webapp.services import services
from webapp.tenancy.sessions import reading_session

bp = Blueprint("outbox", __name__)


@dataclass(frozen=True)
class ShownMail:
    """What a page shows of one mail. `problem`: why there is no text, "" if there is."""

    id: int
    to_address: str
    ago: str
    subject: str
    text: str = ""
    html: str = ""
    links: tuple[str, ...] = ()
    problem: str = ""


@bp.get("/demo/mail")
@access.public
def list_mail() -> ResponseReturnValue:
    settings = _demo_settings()
    with reading_session(services().database) as session:
        mails = [_show(settings, message) for message in list_mails(session)]
    return render_template("outbox/mails.html", mails=mails)


@bp.get("/demo/mail/<id:outbox_message_id>")
@access.public
def show_mail(outbox_message_id: int) -> ResponseReturnValue:
    settings = _demo_settings()
    with reading_session(services().database) as session:
        mail = _show(settings, get_mail(session, outbox_message_id))
    return render_template("outbox/mail.html", mail=mail)


def _demo_settings() -> Settings:
    """Raises NotFound unless this is the demo, asked by the machine that it runs on."""
    settings = services().settings
    if not settings.demo or not ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback:  # noqa: S104
        raise NotFound
    return settings


def _show(settings: Settings, message: OutboxMessage) -> ShownMail:
    ago = format_ago(message.created_at)
    try:
        mail = render_mail(settings, message)
    except Unwritable as error:
        # SECRET_KEY is a new one at every start of the demo.
        return ShownMail(message.id, message.to_address, ago, message.template, problem=str(error))
    bodies = {part.get_content_subtype(): part.get_content() for part in mail.iter_parts()}
    own = re.findall(rf"{re.escape(settings.base_url)}(/\S*)", bodies["plain"])
    return ShownMail(
        message.id,
        message.to_address,
        ago,
        str(mail["Subject"]),
        bodies["plain"],
        bodies["html"],
        tuple(dict.fromkeys(own)),
    )
