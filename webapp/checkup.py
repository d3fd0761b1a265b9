"""What `flask check` shows: everything an operator can get wrong, one line each, with what to do about it.

Looks at the settings, the disk, the database and the mail relay; changes nothing, and connects to nobody else.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from config import Settings, SettingsError, list_open_files, load_settings
from webapp import clock
from webapp.database.engine import Database
from webapp.database.installation import list_problems, open_database
from webapp.jobs.models import LiveWorker
from webapp.outbox.queries import MailCounts, count_mails
from webapp.outbox.relay import RELAY_ERRORS, hand_over, open_relay
from webapp.outbox.rendering import sender_address
from webapp.recovery.folder import list_own
from webapp.recovery.queries import latest_backup, latest_drill
from webapp.tenancy.sessions import reading_session

_SMALLEST_FREE_BYTES = 1 << 30
#: A worker says once a minute that it is alive; a long batch may delay it.
WORKER_SEEN_WITHIN = timedelta(minutes=3)
BACKUP_MADE_WITHIN = timedelta(days=1, hours=1)
DRILL_TRIED_WITHIN = timedelta(days=90)


@dataclass(frozen=True)
class Finding:
    """One line of the screen. `words` say what is so, or what is wrong and what to do."""

    subject: str
    ok: bool
    words: str


def check_everything(environ: Mapping[str, str] | None = None, mail_to: str | None = None) -> Iterator[Finding]:
    """Every finding, as soon as it is known. `mail_to` is sent a test mail when a relay is set."""
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        for name, sentence in error.problems.items():
            yield Finding(name, False, sentence)
        yield Finding("everything else", False, "is not checked before the settings are right.")
        return
    yield Finding("settings", True, "all are well formed.")
    for name, sentence in list_open_files(os.environ if environ is None else environ).items():
        yield Finding(name, False, sentence)
    yield _check_address(settings)
    yield from _check_proxy(settings)
    yield _check_staff_networks(settings)
    yield from _check_data_dir(settings)
    database = open_database(settings)
    try:
        problems = list_problems(database, settings)
        for problem in problems:
            yield Finding("database", False, problem)
        if not problems:
            kind = "roles and row-level security are right" if database.dialect == "postgresql" else "SQLite"
            yield Finding("database", True, f"answers; schema and NUMBER_KEY fit; {kind}.")
            yield _check_worker(database)
            yield _check_backups(settings, database)
        yield _check_mail(settings, mail_to, None if problems else _count_mails(database))
    finally:
        database.dispose()


def _check_address(settings: Settings) -> Finding:
    host = urlsplit(settings.base_url).hostname or ""
    if settings.trusted_hosts and host not in settings.trusted_hosts:
        words = f"TRUSTED_HOSTS does not name {host}, the host of BASE_URL: every page would be refused. Add it."
        return Finding("address", False, words)
    if settings.secure:
        return Finding("address", True, f"{settings.base_url}, by TLS; the cookie is Secure.")
    return Finding(
        "address", True, f"{settings.base_url}: this machine only. For others put TLS in front (docs/operate.md)."
    )


def _check_proxy(settings: Settings) -> Iterator[Finding]:
    if settings.secure and settings.trusted_proxy is None:
        yield Finding(
            "proxy",
            False,
            "BASE_URL is https but TRUSTED_PROXY is not set: everybody seems to come from the proxy, so one person's "
            "wrong passwords hold up all. Set it to the address from which the proxy connects, such as 127.0.0.1.",
        )
    elif settings.trusted_proxy:
        yield Finding("proxy", True, f"{settings.trusted_proxy} is believed about who calls, nobody else is.")


def _check_staff_networks(settings: Settings) -> Finding:
    if not settings.staff_networks:
        return Finding("console", True, "answers to every network; STAFF_NETWORKS would narrow that.")
    networks = ", ".join(map(str, settings.staff_networks))
    return Finding("console", True, f"answers to {networks} only; elsewhere there is no such page.")


# ------------------------------------------------------------------------------------------------------------ mail


def _check_mail(settings: Settings, mail_to: str | None, counts: MailCounts | None) -> Finding:
    """`counts` None: the database cannot be asked."""
    waiting = counts.waiting if counts else 0
    outbox = f" {counts.words}" if counts else ""
    if settings.smtp_url is None:
        if mail_to:
            return Finding("mail", False, "SMTP_URL is not set, so no test mail can go. Set it to your mail relay.")
        words = f"no relay is set, so none goes.{outbox} Set SMTP_URL and MAIL_FROM, and what waits goes."
        return Finding("mail", waiting == 0, words)
    if settings.mail_from is None:
        return Finding("mail", False, "SMTP_URL is set but MAIL_FROM is not. Give the address that mail comes from.")
    host = urlsplit(settings.smtp_url).hostname
    try:
        with open_relay(settings) as relay:
            if mail_to is None:
                relay.noop()
                return Finding("mail", True, f"{host} answers; --mail-to ADDRESS sends a test mail.{outbox}")
            hand_over(relay, _test_mail(settings, mail_to), sender_address(settings), mail_to)
            return Finding("mail", True, f"{host} took a test mail for {mail_to}. Look whether it arrives.{outbox}")
    except RELAY_ERRORS as error:
        words = f"{host} did not take it: {type(error).__name__}: {_one_line(error)}. Check SMTP_URL.{outbox}"
        return Finding("mail", False, words)


def _count_mails(database: Database) -> MailCounts | None:
    try:
        with reading_session(database) as session:
            return count_mails(session)
    except SQLAlchemyError:
        return None


def _test_mail(settings: Settings, to: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = settings.mail_from, to, "Callbook: a test mail"
    mail.set_content(
        f"Somebody ran `flask check` for {settings.base_url}. That this arrived means that its mail works.\n"
    )
    return mail


# ---------------------------------------------------------------------------------------------------- disk, worker


def _check_data_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    if not folder.is_dir():
        yield Finding("data directory", False, f"{folder} is not there. `flask init-db` makes it.")
        return
    if folder.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            "data directory",
            False,
            f"others on this machine may look into {folder}, which holds calls and keys. Run: chmod 700 {folder}",
        )
    free = shutil.disk_usage(folder).free
    words = f"{free / 1e9:.1f} GB free in {folder}"
    if free < _SMALLEST_FREE_BYTES:
        yield Finding("disk", False, f"only {words}. An upload needs about two and a half times its size: make room.")
    else:
        yield Finding("disk", True, f"{words}.")


def _check_worker(database: Database) -> Finding:
    try:
        with reading_session(database) as session:
            seen_at = session.scalar(select(func.max(LiveWorker.seen_at)))
    except SQLAlchemyError as error:
        return Finding("worker", False, f"cannot be asked for: {type(error).__name__}.")
    if seen_at is None or clock.now() - seen_at > WORKER_SEEN_WITHIN:
        last = "none has ever run" if seen_at is None else f"the last was seen {seen_at:%Y-%m-%d %H:%M} UTC"
        return Finding("worker", False, f"{last}: imports wait. `make serve` runs one inside the server.")
    return Finding("worker", True, f"alive, seen {seen_at:%H:%M:%S} UTC.")


def _check_backups(settings: Settings, database: Database) -> Finding:
    if settings.backup_folder and settings.backup_key is None and settings.backup_passphrase is None:
        return Finding("backups", False, "neither BACKUP_KEY nor BACKUP_PASSPHRASE is set: `flask backup` makes none.")
    try:
        with reading_session(database) as session:
            backup, drill = latest_backup(session), latest_drill(session)
    except SQLAlchemyError as error:
        return Finding("backups", False, f"cannot be asked for: {type(error).__name__}.")
    if backup is None or backup.backup_at is None:
        words = "none was made yet. Set BACKUP_FOLDER and a key (docs/recovery.md), and let a timer run `flask backup`."
        return Finding("backups", False, words)
    words = f"the last one holds {backup.backup_at:%Y-%m-%d %H:%M} UTC"
    if clock.now() - backup.backup_at > BACKUP_MADE_WITHIN:
        return Finding("backups", False, f"{words}: look why `flask backup` does not run, or what it says.")
    if settings.backup_folder and not _holds_young(settings, settings.backup_folder):
        words += f", but {settings.backup_folder} holds none so young: is what it lies on mounted?"
        return Finding("backups", False, words)
    if drill is None:
        return Finding("backups", True, f"{words}; none was tried yet: `flask restore-drill`.")
    if not drill.succeeded:
        words = f"the last drill failed: {drill.words.rstrip('.')}. Run `flask backup`, then try again."
        return Finding("backups", False, words)
    assert drill.ended_at is not None
    tried = f"{words}, the last drill was good, {drill.ended_at:%Y-%m-%d %H:%M} UTC"
    if clock.now() - drill.ended_at > DRILL_TRIED_WITHIN:
        return Finding("backups", False, f"{tried}, and is too long ago: let a timer run `flask restore-drill`.")
    return Finding("backups", True, f"{tried}.")


def _holds_young(settings: Settings, folder: Path) -> bool:
    newest = list_own(settings, folder)[:1]
    return bool(newest) and clock.now() - newest[0].moment <= BACKUP_MADE_WITHIN


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".")
