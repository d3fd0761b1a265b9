"""`flask backup`, `flask restore`, `flask restore-drill`, `flask release-mail`. Registered by webapp/cli.py.

Others script against them: names and options stay. A backup that is not made ends with status 1 and says why.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from config import Settings, SettingsError, load_settings
from webapp.audit.service_chain import note_for_service
from webapp.database.installation import InstallationError, check_start, open_database
from webapp.database.upgrade_files import newest_version
from webapp.formatting import format_size
from webapp.outbox.actions import release_held
from webapp.recovery.backing_up import make_backup
from webapp.recovery.drilling import drill
from webapp.recovery.folder import ERASURES
from webapp.recovery.manifest import Facts
from webapp.recovery.problem import RecoveryProblem
from webapp.recovery.restoring import restore
from webapp.services import Services
from webapp.tenancy.sessions import writing_session


def register_commands(app: Flask) -> None:
    for command in (backup, restore_command, restore_drill, release_mail):
        app.cli.add_command(command)


@contextmanager
def _explained() -> Iterator[Settings]:
    """What a person can put right ends the command with its words.

    SIGTERM, and SIGHUP of a terminal that was closed, end it as Ctrl-C does: tidied up.
    """
    heard = [each for each in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(each) != signal.SIG_IGN]  # nohup
    before = {each: signal.signal(each, _end) for each in heard}
    try:
        known: Services | None = current_app.extensions.get("callbook")
        yield known.settings if known else load_settings()
    except (SettingsError, InstallationError, RecoveryProblem) as error:
        raise click.ClickException(str(error)) from None
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


@click.command("backup")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder in the place of BACKUP_FOLDER.",
)
@with_appcontext
def backup(folder: Path | None) -> None:
    """Write one sealed file of the database as it is now. The service may go on serving meanwhile."""
    began = time.monotonic()
    with _explained() as settings:
        made = make_backup(settings, folder)
    facts = made.manifest.facts
    click.echo(
        f"{made.path} is written: {format_size(made.manifest.byte_count)}, {_held(facts)}, "
        f"in {time.monotonic() - began:,.1f} s."
    )
    for name in made.removed:
        click.echo(f"{name} went: it is older than what is kept.")
    for name in made.ahead:
        click.echo(f"{name} is passed over: its moment has not come yet. Was a clock wrong?", err=True)
    click.echo(
        "NUMBER_KEY, SECRET_KEY and the passphrase or key of the backups are not in it: keep copies of them elsewhere."
    )
    click.echo(f"{ERASURES} lies beside it, by which a restore erases again what was erased since.")
    if facts.schema < newest_version(facts.engine):
        click.echo("The database is to be upgraded: it keeps no record of this backup. Next: flask upgrade-db.")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--without-erasures-log", is_flag=True, help="Even where erasures.log is lost: what was erased is back.")
@with_appcontext
def restore_command(file: Path, without_erasures_log: bool) -> None:
    """Restore a backup into an empty place: an SQLite file that is not there, or an empty PostgreSQL database."""
    began = time.monotonic()
    with _explained() as settings:
        restored = restore(settings, file, without_log=without_erasures_log)
    facts = restored.manifest.facts
    click.echo(
        f"Restored as of {facts.moment:%Y-%m-%d %H:%M:%S} UTC: {_held(facts)}, "
        f"rows and audit heads as its manifest has them, in {time.monotonic() - began:,.1f} s."
    )
    for name in restored.upgrades:
        click.echo(f"applied {name}")
    erasures = "1 erasure" if restored.erasures == 1 else f"{restored.erasures:,} erasures"
    click.echo(f"{ERASURES} tells of {erasures}: what of that was in the backup is erased again.")
    click.echo(
        "Everybody is signed out, what support was allowed has ended, and organizations that were closed at that "
        "moment have all their days of grace anew."
    )
    if restored.held:
        click.echo(
            f"{restored.held:,} {'mail' if restored.held == 1 else 'mails'} waited at that moment and may have gone "
            "since: held back. `flask list-mail --dead` shows them, `flask release-mail` lets them all go, `flask "
            "retry-mail ID` one."
        )
    click.echo("Next: flask check, then start the service. What happened after that moment has to be done again.")


@click.command("restore-drill")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
@with_appcontext
def restore_drill(file: Path | None) -> None:
    """Try the newest backup, or FILE, in a scratch database. Exit status 1 when it is not as its manifest says."""
    began = time.monotonic()
    with _explained() as settings:
        drilled = drill(settings, file)
    seconds = time.monotonic() - began
    for words in drilled.different:
        click.echo(f"different: {words}", err=True)
    if drilled.different:
        raise click.ClickException(f"{drilled.name} does not restore as it should, found in {seconds:,.1f} s.")
    assert drilled.manifest is not None
    facts = drilled.manifest.facts
    click.echo(
        f"{drilled.name} restores: {_held(facts)} as of "
        f"{facts.moment:%Y-%m-%d %H:%M:%S} UTC, rows of {len(facts.tables)} tables and {len(facts.heads):,} audit "
        f"chains as its manifest has them, in {seconds:,.1f} s."
    )


@click.command("release-mail")
@with_appcontext
def release_mail() -> None:
    """Let the mails go that a restore held back, those that are not older than a week."""
    with _explained() as settings:
        database = open_database(settings, pool_size=2)
        try:
            check_start(database, settings)
            with writing_session(database) as session:
                count = release_held(session)
                if count:
                    note_for_service(session, "service.mails_let_go", None, count=count)
                session.commit()
        finally:
            database.dispose()
    words = "A mail waits to go." if count == 1 else f"{count:,} mails wait to go."
    click.echo(words if count else "No mail is held back.")


def _held(facts: Facts) -> str:
    organizations = "organization" if facts.organizations == 1 else "organizations"
    return f"{facts.calls:,} {'call' if facts.calls == 1 else 'calls'} of {facts.organizations:,} {organizations}"
