"""flask check: one screen, a line each, status 1 when anything is wrong."""

import contextlib
import email.message
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from aiosmtpd.controller import Controller
from flask import Flask

from config import Settings
from webapp import checkup, clock
from webapp.checkup import Finding, check_everything
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.database.installation import number_key, number_key_check
from webapp.jobs.models import LiveWorker
from webapp.recovery.folder import file_name, manifest_path
from webapp.recovery.manifest import Facts, Manifest, installation_mark, write_manifest
from webapp.recovery.models import RecoveryRun, RunKind
from webapp.tenancy.sessions import writing_session

KEY = "for this test alone: 0123456789 abcdefghij"


@pytest.fixture
def environ(settings: Settings) -> dict[str, str]:
    """As the environment would say what `settings` says."""
    assert settings.number_key
    urls = {"DATABASE_URL": settings.database_url, "DATABASE_OWNER_URL": settings.database_owner_url or ""}
    settings.data_dir.chmod(0o700)
    return {"DATA_DIR": str(settings.data_dir), "SECRET_KEY": KEY, "NUMBER_KEY": settings.number_key.hex(), **urls}


@pytest.fixture
def worker(database: Database) -> None:
    """A worker that is alive, and a young backup."""
    with writing_session(database) as session:
        session.add(LiveWorker(name="here", seen_at=clock.now()))
        session.commit()
    store_run(database, RunKind.BACKUP, timedelta(hours=2))


def store_run(database: Database, kind: RunKind, ago: timedelta, words: str = "") -> None:
    at = clock.now() - ago
    row = RecoveryRun(
        id=new_id(), kind=kind, started_at=at, ended_at=at, succeeded=not words, backup_name="b", backup_at=at,
        byte_count=1, digest=b"", organizations=1, calls=1, heads_digest=b"", words=words,
    )  # fmt: skip
    with writing_session(database) as session:
        session.add(row)
        session.commit()


def wrong(environ: dict[str, str], mail_to: str | None = None) -> dict[str, str]:
    return {found.subject: found.words for found in check_everything(environ, mail_to) if not found.ok}


def right(environ: dict[str, str], mail_to: str | None = None) -> dict[str, str]:
    return {found.subject: found.words for found in check_everything(environ, mail_to) if found.ok}


def test_everything_is_right(environ: dict[str, str], worker: None) -> None:
    assert wrong(environ) == {}
    assert {"settings", "address", "mail", "disk", "database", "worker"} <= right(environ).keys()


def test_from_where_the_console_answers(environ: dict[str, str], worker: None) -> None:
    assert "every network" in right(environ)["console"]
    fenced = right({**environ, "STAFF_NETWORKS": "192.0.2.0/24,2001:db8:1::/48"})
    assert "192.0.2.0/24, 2001:db8:1::/48 only" in fenced["console"]
    assert "no network" in wrong({**environ, "STAFF_NETWORKS": "192.0.2.1/24"})["STAFF_NETWORKS"]


def test_every_wrong_setting_is_a_line(environ: dict[str, str]) -> None:
    found = wrong({**environ, "SECRET_KEY": "short", "PORT": "x", "BASE_URL": "http://calls.example.com"})

    assert {"SECRET_KEY", "PORT", "BASE_URL"} <= found.keys()
    assert "docs/operate.md" in found["BASE_URL"]


def test_a_host_that_is_not_trusted(environ: dict[str, str], worker: None) -> None:
    found = wrong({**environ, "TRUSTED_HOSTS": "other.example.com"})

    assert list(found) == ["address"]
    assert "127.0.0.1" in found["address"]


def test_tls_without_a_trusted_proxy(environ: dict[str, str], worker: None) -> None:
    behind = {**environ, "BASE_URL": "https://calls.example.com"}

    assert list(wrong(behind)) == ["proxy"]
    assert wrong({**behind, "TRUSTED_PROXY": "127.0.0.1"}) == {}


def test_no_worker_was_ever_alive(environ: dict[str, str]) -> None:
    assert "none has ever run" in wrong(environ)["worker"]


def test_a_worker_that_was_last_seen_long_ago(environ: dict[str, str], database: Database) -> None:
    with writing_session(database) as session:
        session.add(LiveWorker(name="gone", seen_at=clock.now() - checkup.WORKER_SEEN_WITHIN - timedelta(seconds=1)))
        session.commit()

    assert "the last was seen" in wrong(environ)["worker"]


def test_a_full_disk(environ: dict[str, str], worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(300_000_000))

    assert wrong(environ)["disk"].startswith("only 0.3 GB")


def test_a_data_directory_that_others_may_look_into(environ: dict[str, str], worker: None) -> None:
    os.chmod(environ["DATA_DIR"], 0o755)  # noqa: S103

    assert "chmod 700" in wrong(environ)["data directory"]


def test_a_missing_data_directory_and_database(environ: dict[str, str], tmp_path: Path) -> None:
    nothing = {
        **environ,
        "DATA_DIR": str(tmp_path / "nothing"),
        "DATABASE_URL": f"sqlite:///{tmp_path}/nothing/x.sqlite",
    }
    del nothing["DATABASE_OWNER_URL"]
    found = wrong(nothing)

    assert set(found) == {"data directory", "database"}
    assert not (tmp_path / "nothing").exists()


def test_a_wrong_number_key(environ: dict[str, str]) -> None:
    assert "NUMBER_KEY" in wrong({**environ, "NUMBER_KEY": "ff" * 32})["database"]


# -------------------------------------------------------------------------------------------------------------- mail


class Mailbox:
    """What a relay does with a mail: keeps it, or refuses it."""

    def __init__(self) -> None:
        self.mails: list[email.message.Message] = []
        self.answer = "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802 - aiosmtpd's
        self.mails.append(email.message_from_bytes(envelope.content))  # type: ignore[attr-defined]
        return self.answer


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def relay(mailbox: Mailbox) -> Iterator[Controller]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    yield controller
    with contextlib.suppress(AssertionError):  # a test has stopped it
        controller.stop()


@pytest.fixture
def mailing(environ: dict[str, str], relay: Controller, worker: None) -> dict[str, str]:
    return {**environ, "SMTP_URL": f"smtp://127.0.0.1:{relay.port}", "MAIL_FROM": "callbook@example.com"}


def test_a_relay_that_answers(mailing: dict[str, str], mailbox: Mailbox) -> None:
    assert "answers" in right(mailing)["mail"]
    assert mailbox.mails == []


def test_a_test_mail(mailing: dict[str, str], mailbox: Mailbox) -> None:
    assert "took a test mail for me@example.com" in right(mailing, "me@example.com")["mail"]
    assert [(mail["To"], mail["From"]) for mail in mailbox.mails] == [("me@example.com", "callbook@example.com")]


def test_a_relay_that_refuses(mailing: dict[str, str], mailbox: Mailbox) -> None:
    mailbox.answer = "554 no thank you"

    assert "no thank you" in wrong(mailing, "me@example.com")["mail"]


def test_a_relay_that_is_not_there(mailing: dict[str, str], relay: Controller) -> None:
    relay.stop()

    assert "Check SMTP_URL" in wrong(mailing)["mail"]


def test_a_relay_without_tls_is_not_given_the_password(mailing: dict[str, str], mailbox: Mailbox) -> None:
    starttls = mailing["SMTP_URL"].replace("smtp://", "smtp+starttls://user:secret@")
    found = wrong({**mailing, "SMTP_URL": starttls}, "me@example.com")["mail"]

    assert "STARTTLS" in found
    assert "secret" not in found
    assert mailbox.mails == []


def test_an_address_cannot_forge_headers(mailing: dict[str, str], mailbox: Mailbox) -> None:
    assert "mail" in wrong(mailing, "me@example.com\nBcc: all@example.com")
    assert mailbox.mails == []


def test_mail_without_a_sender(mailing: dict[str, str]) -> None:
    assert "MAIL_FROM" in wrong({**mailing, "MAIL_FROM": ""})["mail"]


def test_a_test_mail_without_a_relay(environ: dict[str, str], worker: None) -> None:
    assert "SMTP_URL is not set" in wrong(environ, "me@example.com")["mail"]


# -------------------------------------------------------------------------------------------------------- the command


@pytest.mark.parametrize(("ok", "status"), [(True, 0), (False, 1)])
def test_the_status_says_whether_anything_is_wrong(
    ok: bool, status: int, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.cli.check_everything", lambda mail_to: iter([Finding("disk", ok, "as it is.")]))

    done = app.test_cli_runner().invoke(args=["check"])

    assert done.exit_code == status
    assert "disk: as it is." in done.output
    assert ("ok" if ok else "wrong") in done.output


def test_a_secret_that_everybody_may_read(environ: dict[str, str], worker: None, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(environ.pop("SECRET_KEY"))
    key.chmod(0o644)
    assert "chmod o=" in wrong({**environ, "SECRET_KEY_FILE": str(key)})["SECRET_KEY_FILE"]
    key.chmod(0o640)
    assert wrong({**environ, "SECRET_KEY_FILE": str(key)}) == {}


def test_backups(environ: dict[str, str], settings: Settings, database: Database) -> None:
    folder = settings.data_dir / "backups"
    assert "none was made yet. Set BACKUP_FOLDER and a key" in wrong(environ)["backups"]
    store_run(database, RunKind.BACKUP, timedelta(hours=30))
    assert "look why `flask backup` does not run" in wrong(environ)["backups"]
    store_run(database, RunKind.BACKUP, timedelta(hours=2))
    assert "none was tried yet" in right(environ)["backups"]

    environ = {**environ, "BACKUP_FOLDER": str(folder)}
    assert "neither BACKUP_KEY nor BACKUP_PASSPHRASE" in wrong(environ)["backups"]
    environ = {**environ, "BACKUP_KEY": "ab" * 32}
    assert f"but {folder} holds none so young" in wrong(environ)["backups"]
    folder.mkdir()
    put_backup(settings, folder, timedelta(hours=30))
    assert "holds none so young: is what it lies on mounted?" in wrong(environ)["backups"]
    put_backup(settings, folder, timedelta(hours=2))
    assert "none was tried yet" in right(environ)["backups"]

    store_run(database, RunKind.DRILL, timedelta(days=91))
    assert "is too long ago" in wrong(environ)["backups"]
    store_run(database, RunKind.DRILL, timedelta(hours=1), words="There was none.")
    assert "the last drill failed: There was none. Run" in wrong(environ)["backups"]
    store_run(database, RunKind.DRILL, timedelta(0))
    assert "the last drill was good" in right(environ)["backups"]


def put_backup(settings: Settings, folder: Path, ago: timedelta) -> None:
    """What lies there after a backup, as far as its name, its size and its manifest tell."""
    moment = clock.now() - ago
    path = folder / file_name(moment)
    path.write_bytes(b"sealed")
    mark = installation_mark(number_key_check(number_key(settings)))
    facts = Facts(moment, settings.dialect, 7, mark, {}, {})
    manifest_path(path).write_text(write_manifest(Manifest(path.name, 6, b"", facts)))
