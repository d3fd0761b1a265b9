"""The outbox for the operator: `flask list-mail`, `flask retry-mail`. Registered by webapp/cli.py.

Addresses are shown, since an operator asks whose mail did not go; a secret never is.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from config import Settings, SettingsError, load_settings
from webapp.database.engine import Database
from webapp.database.ids import read_id, spell_id
from webapp.database.installation import InstallationError, check_start, open_database
from webapp.errors import CallbookError, NotFound
from webapp.outbox.actions import retry_mail
from webapp.outbox.models import OutboxMessage
from webapp.outbox.queries import count_mails, format_ago, list_mails
from webapp.outbox.sender import can_send
from webapp.services import Services
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session


@contextmanager
def _opened() -> Iterator[tuple[Database, Settings]]:
    """A database that is fit to serve. What a person can put right ends the command with its words."""
    try:
        known: Services | None = current_app.extensions.get("callbook")
        settings = known.settings if known else load_settings()
        database = open_database(settings, pool_size=2)
        try:
            check_start(database, settings)
            yield database, settings
        finally:
            database.dispose()
    except (SettingsError, InstallationError) as error:
        raise click.ClickException(str(error)) from None
    except CallbookError as error:
        raise click.ClickException(error.sentence or type(error).__name__) from None


@click.command("list-mail")
@click.option("--organization", "slug", help="Slug; only mails of its matters.")
@click.option("--dead", is_flag=True, help="Only those that were refused for good.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_appcontext
def list_mail_command(slug: str | None, dead: bool, as_json: bool) -> None:
    """Show the mails that wait, were refused or were handed over in the last 30 days; newest first."""
    with _opened() as (database, settings), reading_session(database) as session:
        organization_id = _organization_id(session, slug) if slug else None
        messages = list_mails(session, organization_id=organization_id, dead_only=dead)
        counts = count_mails(session)
    for message in messages:
        click.echo(json.dumps(_shown(message)) if as_json else _line(message))
    if not as_json:
        nothing = "" if can_send(settings) else " This service has no mail set up: SMTP_URL and MAIL_FROM."
        click.echo(f"In all, {counts.words}{nothing}")


def _organization_id(session: LockedSession, slug: str) -> int:
    found = session.scalar(select(Organization.id).where(Organization.slug == slug))
    if found is None:
        raise NotFound(f"There is no organization {slug}.")
    return found


def _shown(message: OutboxMessage) -> dict[str, object]:
    """Nothing of `words` or `secret`."""
    return {
        "id": spell_id(message.id),
        "template": message.template,
        "to": message.to_address,
        "state": message.state.name.lower(),
        "attempts": message.attempts,
        "error": message.error,
        "queued_at": message.created_at.isoformat(),
        "due_at": message.due_at.isoformat(),
        "ended_at": message.ended_at.isoformat() if message.ended_at else None,
    }


def _line(message: OutboxMessage) -> str:
    state = message.state.name.lower().replace("_", " ")
    tries = f", {message.attempts} tries" if message.attempts > 1 else ""
    error = f": {message.error}" if message.error else ""
    return (
        f"{spell_id(message.id)}  {message.template} for {message.to_address}, queued "
        f"{format_ago(message.created_at)}: {state}{tries}{error}"
    )


@click.command("retry-mail")
@click.argument("mail_id", metavar="ID")
@with_appcontext
def retry_mail_command(mail_id: str) -> None:
    """Send a mail at once that was put off or refused. ID as `flask list-mail` shows it."""
    with _opened() as (database, settings), writing_session(database) as session:
        try:
            number = read_id(mail_id)
        except ValueError:
            raise NotFound(f"{mail_id} is no id of a mail. `flask list-mail` shows them.") from None
        message = retry_mail(session, number)
        session.commit()
    when = "The worker sends it now." if can_send(settings) else "It goes once SMTP_URL and MAIL_FROM are set."
    click.echo(f"{message.template} for {message.to_address} waits to go. {when}")
