"""Every `flask` command: makes and upgrades the database, makes organizations and people, says what is wrong.

Registered by create_app(), and by wsgi.py on a bare app when the settings are wrong, so that each command can say so.
Others script against these: names and options stay.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from config import Settings, SettingsError, load_settings
from webapp.accounts.lost_factor import take_away
from webapp.accounts.people import create_user
from webapp.accounts.queries import find_person
from webapp.accounts.staff import create_staff, disable_staff
from webapp.audit.actions import record
from webapp.audit.commands import register_commands as register_audit_commands
from webapp.audit.service_chain import note_for_service
from webapp.checkup import check_everything
from webapp.database.ids import spell_id
from webapp.database.installation import InstallationError, check_start, initialize, number_key_file, open_database
from webapp.database.upgrade_files import UpgradeFilesError
from webapp.database.upgrades import upgrade
from webapp.errors import CallbookError, Refused
from webapp.invitations.actions import Inviter, file_unconfirmed, invite, whole_offer
from webapp.organizations.actions import add_member, create_organization
from webapp.organizations.members import has_owner
from webapp.organizations.queries import get_organization
from webapp.outbox.commands import list_mail_command, retry_mail_command
from webapp.permissions import print_matrix
from webapp.policies.commands import register_commands as register_policy_commands
from webapp.recovery.commands import register_commands as register_recovery_commands
from webapp.services import Services
from webapp.sources.commands import register_commands as register_source_commands
from webapp.staff.disclosure_commands import register_commands as register_disclosure_commands
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Role
from webapp.tenancy.sessions import writing_session

_LONGEST_PASSWORD_INPUT = 4096


def register_commands(app: Flask) -> None:
    """Add every command to `flask`."""
    for command in (
        init_db,
        upgrade_db,
        create_organization_command,
        create_user_command,
        remove_factor_command,
        create_staff_command,
        disable_staff_command,
        check,
        list_mail_command,
        retry_mail_command,
        permissions,
    ):
        app.cli.add_command(command)
    register_audit_commands(app)
    register_source_commands(app)
    register_disclosure_commands(app)
    register_recovery_commands(app)
    register_policy_commands(app, writing)


@contextmanager
def explained() -> Iterator[None]:
    """What a person can put right ends the command with its words and status 1, not with a trace."""
    try:
        yield
    except SettingsError as error:
        raise click.ClickException(f"the settings are not right.\n{error}") from None
    except (InstallationError, UpgradeFilesError) as error:
        raise click.ClickException(str(error)) from None
    except CallbookError as error:
        raise click.ClickException(error.sentence or type(error).__name__) from None


def settings_of_command() -> Settings:
    """Of the app, or read anew where the app could not be made of them. Raises SettingsError."""
    known: Services | None = current_app.extensions.get("callbook")
    return known.settings if known else load_settings()


@contextmanager
def writing() -> Iterator[LockedSession]:
    """A session on a database that is fit to serve, committed at the end."""
    with explained():
        settings = settings_of_command()
        database = open_database(settings, pool_size=2)
        try:
            check_start(database, settings)
            with writing_session(database) as session:
                yield session
                session.commit()
        finally:
            database.dispose()


@click.command("permissions")
@with_appcontext
def permissions() -> None:
    """Print who may call which address: every route, from anonymous to owner and staff."""
    click.echo(print_matrix(current_app))


@click.command("init-db")
@with_appcontext
def init_db() -> None:
    """Make the database, its roles and NUMBER_KEY. Run again, it changes no data."""
    with explained():
        settings = settings_of_command()
        made = initialize(settings)
    where = settings.data_dir if settings.dialect == "sqlite" else "PostgreSQL"
    click.echo(
        f"The database is ready ({where})." if made else "The database was there already; its data is as it was."
    )
    if made and settings.number_key is None:
        click.echo(
            f"Keep a copy of {number_key_file(settings)}, apart from your backups: without it no record is recognised "
            "again, and no backup can be restored."
        )


@click.command("upgrade-db")
@with_appcontext
def upgrade_db() -> None:
    """Bring the database to the schema of this version. Make a backup first."""
    with explained():
        applied = upgrade(settings_of_command())
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("The database is up to date.")


@click.command("create-organization")
@click.argument("slug")
@click.option("--name", required=True, help="As its people call it.")
@click.option("--time-zone", required=True, help="IANA name, such as Europe/London.")
@click.option("--region", required=True, help="ISO 3166 country of its numbers, such as GB.")
@click.option("--owner", metavar="MAIL", help="Invite its first owner: a mail with a link goes there.")
@with_appcontext
def create_organization_command(slug: str, name: str, time_zone: str, region: str, owner: str | None) -> None:
    """Make a customer, at /o/SLUG/."""
    with writing() as session:
        organization = create_organization(session, slug, name, time_zone, region)
        invitation = None
        if owner is not None:
            operator = Inviter(organization, None, settings_of_command().secret_key)
            invitation = invite(session, operator, owner, whole_offer(Role.OWNER))
        note_for_service(session, "service.organization_made", None, organization.id, organization=slug)
    if invitation is None:
        click.echo(f"Organization {slug} is ready. Next: flask create-user EMAIL --organization {slug} --role owner")
        return
    click.echo(f"Organization {slug} is ready; {invitation.email} is invited to own it, for seven days.")
    if settings_of_command().smtp_url is None:
        click.echo("No mail is set up (SMTP_URL): the mail waits. flask list-mail shows it.")
    else:
        click.echo(f"The mail goes to {invitation.email}.")


@click.command("create-user")
@click.argument("email")
@click.option("--organization", "slug", required=True, help="Slug of the organization.")
@click.option("--role", type=click.Choice([role.word for role in Role]), required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else it is asked for.")
@with_appcontext
def create_user_command(email: str, slug: str, role: str, password_stdin: bool) -> None:
    """Make a person who can sign in, and a member of an organization that has no owner yet.

    Somebody known only gets the membership. Where there is an owner, this files an invitation for an owner to confirm.
    """
    if not _may_let_in(slug):
        _file_invitation(email, slug, Role[role.upper()])
        return
    password = _read_password(password_stdin)
    with writing() as session:
        organization = get_organization(session, slug)
        person = find_person(session, email)
        is_new = person is None
        person = person or create_user(session, email, password, (organization.name, organization.slug))
        session.bind_organization(organization.id)
        add_member(session, person, Role[role.upper()])
        record(session, "support.user_made", actor_id=None, object_id=person.id, email=person.email, role=role)
        what = f"a new {role}, account {spell_id(person.id)}"
        note_for_service(session, "service.user_made", None, organization.id, organization=slug, what=what)
    known = "" if is_new else " They had an account; its password is as it was."
    click.echo(f"{person.email} is {role} of {slug}.{known}")


def _may_let_in(slug: str) -> bool:
    """Whether the operator alone decides: in the demo, and before there is an owner who could."""
    with writing() as session:
        session.bind_organization(get_organization(session, slug).id)
        return settings_of_command().demo or not has_owner(session)


def _file_invitation(email: str, slug: str, role: Role) -> None:
    with writing() as session:
        organization = get_organization(session, slug)
        session.bind_organization(organization.id)
        operator = Inviter(organization, None, settings_of_command().secret_key)
        invitation = file_unconfirmed(session, operator, email, role)
        what = f"a {role.word} to be confirmed by an owner"
        note_for_service(session, "service.user_made", None, organization.id, organization=slug, what=what)
    click.echo(
        f"{slug} has an owner, who decides who comes in. {invitation.email} stands on its People page now; nothing is "
        "mailed, and no password was set, until an owner confirms it."
    )


@click.command("remove-second-factor")
@click.argument("email")
@with_appcontext
def remove_factor_command(email: str) -> None:
    """For somebody who has lost phone, passkeys and recovery codes. Make sure that it is them who ask."""
    with writing() as session:
        person = find_person(session, email)
        if person is None:
            raise Refused(f"Nobody here has the address {email}.")
        if not person.has_factor:
            raise Refused(f"{person.email} has neither an authenticator app nor a passkey.")
        session.bind_person(person.id)
        why = "by a command of the person who runs Callbook"
        take_away(session, person, None, why)
        note_for_service(session, "lost_factor.done", None, person.id, email=person.email, why=why)
    click.echo(f"{person.email} signs in by password alone now; their open browsers are signed out, and they are told.")


@click.command("create-staff")
@click.argument("email")
@click.option("--name", required=True, help="By which customers will read of them.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else it is asked for.")
@with_appcontext
def create_staff_command(email: str, name: str, password_stdin: bool) -> None:
    """Make a member of the operator's staff, who is in no organization. There is no other way to make one."""
    password = _read_password(password_stdin)
    with writing() as session:
        person = create_staff(session, email, name, password)
    click.echo(
        f"{person.email} is of staff. They sign in at {settings_of_command().base_url}/staff/sign-in and set up a "
        "passkey or an authenticator app there before anything opens."
    )


@click.command("disable-staff")
@click.argument("email")
@with_appcontext
def disable_staff_command(email: str) -> None:
    """Shut a member of staff out at once: every browser of theirs is signed out, and none gets in again."""
    with writing() as session:
        person = disable_staff(session, email)
    click.echo(f"{person.email} is shut out; their open browsers are signed out.")


def _read_password(from_stdin: bool) -> str:
    if not from_stdin:
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password
    text = sys.stdin.read(_LONGEST_PASSWORD_INPUT)
    return text.removesuffix("\n").removesuffix("\r")


@click.command("check")
@click.option("--mail-to", metavar="ADDRESS", help="Send a test mail there.")
@with_appcontext
def check(mail_to: str | None) -> None:
    """Say what is wrong, and what to do about it. Exit status 1 if anything is."""
    wrong = 0
    for finding in check_everything(mail_to=mail_to):
        wrong += not finding.ok
        mark = click.style("ok   ", fg="green") if finding.ok else click.style("wrong", fg="red")
        click.echo(f"{mark} {finding.subject}: {finding.words}")
    if wrong:
        click.echo(f"{wrong} of these are wrong." if wrong > 1 else "One of these is wrong.")
        sys.exit(1)
    click.echo("Everything is right.")
