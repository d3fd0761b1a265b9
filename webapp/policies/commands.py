"""`flask check-policies`, `publish-policy` and `announce-incident`. For webapp/cli.py, which lends a session."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import click
from flask import Flask
from flask.cli import with_appcontext

from webapp.formatting import format_date
from webapp.organizations.queries import get_organization
from webapp.policies.incidents import Incident, tell_of_incident
from webapp.policies.models import Policy
from webapp.policies.publishing import Change, Publisher, publish
from webapp.policies.values import load_values, values_file
from webapp.policies.versions import draft_of
from webapp.services import services
from webapp.tenancy.lock import LockedSession

Writing = Callable[[], AbstractContextManager[LockedSession]]
_POLICIES = click.Choice([policy.word for policy in Policy])


def register_commands(app: Flask, writing: Writing) -> None:
    """`writing`: a session on a database that is fit to serve, committed at the end; it explains what goes wrong."""
    for command in (_check_command(writing), _publish_command(writing), _announce_command(writing)):
        app.cli.add_command(command)


def _check_command(writing: Writing) -> click.Command:
    @click.command("check-policies")
    @with_appcontext
    def check_policies() -> None:
        """Say what is missing or not published yet. Exit status 1 if anything is."""
        with writing() as session:
            settings = services().settings
            values = load_values(settings)
            drafts = [draft_of(session, settings, values, policy) for policy in Policy]
        wrong = [f"{name} is missing in {values_file(settings)}" for name in values.missing]
        wrong += [f"{draft.policy.word}: {draft.what_is_new}" for draft in drafts if draft.is_new]
        for draft in drafts:
            if not draft.is_new and draft.newest is not None:
                _tell(True, f"{draft.policy.word}: version {draft.newest.version} is what this service says now")
        for words in wrong:
            _tell(False, words)
        if wrong:
            click.echo("Fill in what is missing, then `flask publish-policy`. docs/policies.md says how.")
            sys.exit(1)
        click.echo("The policies are filled in and published.")

    return check_policies


def _tell(ok: bool, words: str) -> None:
    click.echo(f"{click.style('ok   ', fg='green') if ok else click.style('wrong', fg='red')} {words}")


def _publish_command(writing: Writing) -> click.Command:
    @click.command("publish-policy")
    @click.argument("name", type=_POLICIES, metavar="privacy|security")
    @click.option("--summary", required=True, help="What changes, in plain words: everybody reads it.")
    @click.option("--significant/--not-significant", required=True, help="Whether everybody is told ahead.")
    @click.option(
        "--effective",
        type=click.DateTime(["%Y-%m-%d"]),
        help="In force from this day (UTC); without it, the earliest.",
    )
    @with_appcontext
    def publish_policy(name: str, summary: str, significant: bool, effective: datetime | None) -> None:
        """Freeze the text of this version of Callbook with the values of now, for good."""
        with writing() as session:
            settings = services().settings
            values = load_values(settings)
            draft = draft_of(session, settings, values, Policy[name.upper()])
            change = Change(summary, significant, effective.replace(tzinfo=UTC) if effective else None)
            by = Publisher(None, "The operator", "by command")
            version = publish(session, draft, change, by, values.notice_days)
        click.echo(
            f"Version {version.version} of the {name} policy is published, in force from "
            f"{format_date(version.effective_at.date())}. SHA-256 {draft.digest.hex()}"
        )
        if significant and version.version > 1:
            click.echo("The worker tells everybody by mail and notice.")

    return publish_policy


def _announce_command(writing: Writing) -> click.Command:
    @click.command("announce-incident")
    @click.option("--subject", required=True, help="One line.")
    @click.option(
        "--words-file",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="What happened, whose data, what you do, what people should do.",
    )
    @click.option("--organization", "slug", help="Only the people of this one.")
    @with_appcontext
    def announce(subject: str, words_file: Path, slug: str | None) -> None:
        """Tell everybody whom it concerns of an incident, by mail and notice."""
        try:
            words = words_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            raise click.ClickException(f"{words_file.name} cannot be read: it must be a text in UTF-8.") from None
        with writing() as session:
            # An empty name is a mistake, and not everybody.
            organization = None if slug is None else get_organization(session, slug)
            incident = Incident(subject, words, organization)
            tell_of_incident(session, incident, Publisher(None, "The operator", "by command"))
        click.echo(f"The worker tells {'the people of ' + slug if slug else 'everybody'} by mail and notice.")

    return announce
