"""`flask restore`: only into an empty place, everything or nothing, and what is settled before it may serve."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select

from config import Settings
from tests import postgresql
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.recovery.conftest import Run, run_at
from tests.staff.chains import kinds, sentences
from webapp import clock
from webapp.accounts.models import WebSession
from webapp.audit.verify import verify_chain
from webapp.calls.models import Call
from webapp.database import dumps
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.database.installation import InstallationError, initialize, list_problems
from webapp.jobs.models import Job, JobState, LiveWorker
from webapp.outbox.actions import HELD, queue_mail
from webapp.outbox.models import MailState, OutboxMessage
from webapp.recovery import opening, restoring
from webapp.recovery.folder import ERASURES, Kept
from webapp.recovery.models import RunKind
from webapp.recovery.problem import RecoveryProblem
from webapp.recovery.queries import latest_backup, list_runs
from webapp.recovery.restoring import restore
from webapp.tenancy.consent_models import AccessGrant, AccessOpening
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session


@pytest.fixture
def restored(empty: Settings) -> Iterator[Database]:
    database = Database(empty.database_url)
    yield database
    database.dispose()


def is_empty(place: Settings) -> bool:
    """As it was before: no file of a database, or a database without a table."""
    if place.dialect == "sqlite":
        return not list(place.data_dir.glob("callbook.sqlite*")) and not list((place.data_dir / "tmp").iterdir())
    assert place.database_owner_url
    owner = Database(place.database_owner_url)
    try:
        with owner.reading.connect() as connection, connection.begin():
            return dumps.is_empty(connection) and not list((place.data_dir / "tmp").iterdir())
    finally:
        owner.dispose()


def test_a_restored_service_is_whole_and_may_serve(
    make: Make, cast: Cast, backed_up: Callable[[], Kept], empty: Settings, restored: Database
) -> None:
    call = make.call()
    kept = backed_up()
    make.call()  # after the moment: it is not in the backup
    result = run_at(empty, "restore", kept.path)

    assert result.exit_code == 0, result.output
    assert "1 call of 2 organizations" in result.output and "Everybody is signed out" in result.output
    assert "held back" not in result.output
    assert list_problems(restored, empty) == []
    with reading_session(restored, cast.harbour.id) as session:
        assert [found.call_key for found in session.scalars(select(Call))] == [call.call_key]
    with reading_session(restored) as session:
        (run,) = list_runs(session, RunKind.RESTORE, 5)
        assert run.succeeded and run.digest == kept.manifest.digest and run.backup_at == kept.moment
        backup = latest_backup(session)  # the backup knows now that it was made
        assert backup is not None and backup.digest == kept.manifest.digest
    assert kinds(restored, 0)[-1] == "service.restored"
    for organization_id in (0, cast.harbour.id, cast.quayside.id):
        assert verify_chain(restored, organization_id).wrong is None


def test_what_is_settled_first(
    make: Make,
    cast: Cast,
    backed_up: Callable[[], Kept],
    empty: Settings,
    restored: Database,
    client: PageCheckingClient,
) -> None:
    client.sign_in(cast.olive)
    grant = make.grant(cast.olive, ends_at=clock.now() + timedelta(hours=5))
    make.opening(grant, cast.stella)
    job = Job(
        id=new_id(), kind="accounts.sweep", payload="{}", state=JobState.RUNNING, run_at=clock.now(), attempts=1,
        lease_owner="somebody", lease_until=clock.now(), created_at=clock.now(),
    )  # fmt: skip
    make.store(job)
    make.store(LiveWorker(name="gone", seen_at=clock.now()))
    assert run_at(empty, "restore", backed_up().path).exit_code == 0

    with reading_session(restored) as session:
        assert session.scalars(select(WebSession)).all() == [] == session.scalars(select(LiveWorker)).all()
        kept_job = session.get_one(Job, job.id)
        assert (kept_job.state, kept_job.lease_owner) == (JobState.WAITING, None)
    with reading_session(restored, cast.harbour.id) as session:
        assert all(each.ended_at for each in session.scalars(select(AccessGrant)))
        assert all(each.ended_at for each in session.scalars(select(AccessOpening)))
    told = sentences(restored, cast.harbour.id)[-1]
    assert told.startswith("The operator restored the service from its backup of ")
    assert f"{clock.now():%-d %B %Y}" in told


def queue(make: Make, count: int) -> None:
    with make.session() as session:
        for turn in range(count):
            queue_mail(session, "invitation", f"friend{turn}@example.com", cause=f"test:{turn}", words={})
        session.commit()


def mails(database: Database) -> list[tuple[MailState, str | None]]:
    with reading_session(database) as session:
        return [(mail.state, mail.error) for mail in session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))]


def test_mails_that_waited_are_held_back_until_they_are_let_go(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, restored: Database
) -> None:
    queue(make, 3)
    with make.session() as session:
        first, second, _third = session.scalars(select(OutboxMessage).order_by(OutboxMessage.id))
        first.state, first.lease_owner, first.lease_until = MailState.SENDING, "somebody", clock.now()
        second.created_at = clock.now() - timedelta(days=8)
        session.commit()
    result = run_at(empty, "restore", backed_up().path)

    assert "3 mails waited at that moment and may have gone since: held back" in result.output
    assert mails(restored) == [(MailState.REFUSED, HELD)] * 3
    result = run_at(empty, "release-mail")
    assert result.exit_code == 0 and "2 mails wait to go." in result.output
    assert mails(restored) == [(MailState.WAITING, None), (MailState.REFUSED, HELD), (MailState.WAITING, None)]
    assert sentences(restored, 0)[-1] == "2 mails that a restore had held back were let go"
    assert "No mail is held back." in run_at(empty, "release-mail").output


def test_security_50_hooks_run_before_it_is_done_and_with_the_log_of_erasures(
    make: Make,
    settings: Settings,
    backed_up: Callable[[], Kept],
    empty: Settings,
    restored: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (settings.data_dir / ERASURES).write_text("one line\n")
    path = backed_up().path
    seen: list[tuple[str, list[str], bool]] = []

    def hook(database: Database, place: Settings) -> int:
        with writing_session(database) as session:
            (run,) = list_runs(session, RunKind.RESTORE, 5)
        log = (place.data_dir / ERASURES).read_text()
        seen.append((log, list_problems(restored, empty), run.ended_at is None))
        return 0

    monkeypatch.setattr(restoring, "after_restore", [hook])
    assert run_at(empty, "restore", path).exit_code == 0
    ((log, (problem,), runs_still),) = seen
    assert log == "one line\n" and runs_still
    assert "did not end, or still runs" in problem


def fail(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")


def change(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def change_salt(path: Path) -> None:
    content = path.read_bytes()
    digit = b"1" if content[30:31] == b"0" else b"0"
    path.write_bytes(content[:30] + digit + content[31:])


Spoil = Callable[[Path, pytest.MonkeyPatch], None]
SPOILED: dict[str, tuple[Spoil, str]] = {
    "a changed byte": (lambda path, _: change(path, 5000), "was changed or cut off"),
    "a changed first line": (lambda path, _: change_salt(path), "was changed or cut off"),
    "cut off": (lambda path, _: path.write_bytes(path.read_bytes()[:-1000]) and None, "was changed or cut off"),
    "cut off in the first line": (lambda path, _: path.write_bytes(path.read_bytes()[:20]) and None, "no backup of"),
    "no backup": (lambda path, _: path.write_bytes(b"PK\x03\x04" + bytes(9000)) and None, "This is no backup"),
    "empty": (lambda path, _: path.write_bytes(b"") and None, "This is no backup of Callbook"),
    "another manifest": (
        lambda path, _: path.with_name(f"{path.name}.json").write_text('{"file": 1}') and None,
        "is no manifest of a backup",
    ),
    "a full disk at the end": (lambda _, patch: patch.setattr(restoring, "settle", fail), "No space left"),
    "a hook that fails": (lambda _, patch: patch.setattr(restoring, "after_restore", [fail]), "No space left"),
    "something missing": (
        lambda _, patch: patch.setattr(restoring, "compare", lambda *_: ["rows of call: 2, 1"]),
        "What was restored is not what was saved: rows of call: 2, 1.",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_nothing_half_is_left(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    make.call()
    path = backed_up().path
    spoil, words = SPOILED[what]
    with monkeypatch.context() as patch:
        spoil(path, patch)
        result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and words in result.output, (result.output, result.exception)
    assert is_empty(empty)


def test_a_file_that_is_another_than_its_manifest_tells_of(
    make: Make, backed_up: Callable[[], Kept], empty: Settings
) -> None:
    first = backed_up()
    beside = first.path.with_name(f"{first.path.name}.json")
    beside.write_text(beside.read_text().replace(first.manifest.digest.hex(), "00" * 32))
    result = run_at(empty, "restore", first.path)
    assert result.exit_code == 1 and "its SHA-256 is" in result.output and is_empty(empty)
    beside.unlink()  # without a manifest the seal alone has to do
    assert run_at(empty, "restore", first.path).exit_code == 0


def test_another_key_or_none(make: Make, backed_up: Callable[[], Kept], empty: Settings) -> None:
    path = backed_up().path
    for key, passphrase, words in (
        (bytes(32), None, "the passphrase or key is another one"),
        (None, None, "was sealed with a key file"),
        (None, "six words that open nothing here", "was sealed with a key file"),
    ):
        place = replace(empty, backup_key=key, backup_passphrase=passphrase)
        result = run_at(place, "restore", path)
        assert result.exit_code == 1 and words in result.output, result.output
        assert is_empty(empty)


def test_the_number_key_must_be_there_first(make: Make, backed_up: Callable[[], Kept], empty: Settings) -> None:
    path = backed_up().path
    for key, words in ((bytes(32), "NUMBER_KEY is not the one"), (None, "put your copy of the file back")):
        result = run_at(replace(empty, number_key=key), "restore", path)
        assert result.exit_code == 1 and words in result.output, result.output
        assert is_empty(empty)


def test_only_into_an_empty_place(
    make: Make, run: Run, backed_up: Callable[[], Kept], empty: Settings, settings: Settings
) -> None:
    path = backed_up().path
    calls = [make.call()]
    result = run("restore", path)
    assert result.exit_code == 1 and ("is there already" in result.output or "is not empty" in result.output)
    with reading_session(make.database, make.organization.id) as session:
        assert len(session.scalars(select(Call)).all()) == len(calls)
    initialize(empty)
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and ("is there already" in result.output or "is not empty" in result.output)


def test_of_the_other_engine(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backed_up().path
    other = "postgresql" if empty.dialect == "sqlite" else "sqlite"
    monkeypatch.setattr(opening, "newest_version", lambda _dialect: 99)
    checked = opening.open_checked(replace(empty), path)
    with pytest.raises(opening.RecoveryProblem, match=f"This backup is of {other}"):
        opening._check_fit(empty, replace(checked.reader.facts, engine=other))


def test_of_a_newer_version(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backed_up().path
    monkeypatch.setattr(opening, "newest_version", lambda _dialect: 6)
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and "this version of Callbook knows only 6" in result.output
    assert is_empty(empty)


def test_of_an_older_version_is_upgraded_before_anything_else(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backed_up().path
    upgraded: list[Settings] = []
    settled: list[bool] = []
    settle = restoring.settle

    def upgrade(place: Settings) -> list[str]:
        if place.dialect == "postgresql":
            opening.put_roles_right(place, granted=True)
        upgraded.append(place)
        return ["0008_of_a_test"]

    def note(*arguments: object) -> int:
        settled.append(bool(upgraded))
        return settle(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "newest_version", lambda _dialect: 8)
    monkeypatch.setattr(opening, "upgrade", upgrade)
    monkeypatch.setattr(restoring, "settle", note)
    result = run_at(empty, "restore", path)
    assert result.exit_code == 0, result.output
    assert "applied 0008_of_a_test" in result.output and settled == [True]


def test_the_backup_before_an_upgrade_is_made_and_restores_upgraded(
    first_release: Settings, empty: Settings, restored: Database, tmp_path: Path
) -> None:
    (tmp_path / "before").mkdir()
    result = run_at(first_release, "backup", "--to", tmp_path / "before")
    assert result.exit_code == 0, result.output
    assert "keeps no record of this backup. Next: flask upgrade-db." in result.output
    (path,) = (tmp_path / "before").glob("*.backup")
    result = run_at(empty, "restore", path)
    assert result.exit_code == 0 and "applied 0001_one_waiting_invitation" in result.output, result.output
    assert list_problems(restored, empty) == []
    with reading_session(restored) as session:
        assert [run.succeeded for run in list_runs(session, RunKind.RESTORE, 5)] == [True]


@pytest.mark.parametrize("moment", ["open_checked", "settle"])
def test_what_somebody_makes_there_meanwhile_stays(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """SQLite: another made the file first. PostgreSQL: whoever was first holds the place, and the other is refused."""
    path, step, refused = backed_up().path, getattr(restoring, moment), []

    def meanwhile(*arguments: object) -> object:
        done = step(*arguments)
        elsewhere = replace(empty, data_dir=empty.data_dir.with_name("a second machine"))
        try:
            initialize(elsewhere)
        except InstallationError as error:
            refused.append(str(error))
            with pytest.raises(RecoveryProblem, match="is not empty"):
                restore(elsewhere, path)
        return done

    with monkeypatch.context() as patch:
        patch.setattr(restoring, moment, meanwhile)
        result = run_at(empty, "restore", path)
    there = Database(empty.database_url)
    with reading_session(there) as session:
        organizations = len(session.scalars(select(Organization)).all())
    there.dispose()
    if empty.dialect == "sqlite":
        assert result.exit_code == 1 and "is there already" in result.output, result.output
        assert organizations == 0 and not list(empty.data_dir.glob("*.restoring*"))
    else:
        assert result.exit_code == 0, result.output
        assert "still runs" in refused[0] and organizations == 2


def test_root_restores_nothing_that_the_service_could_not_open(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backed_up().path
    empty.data_dir.mkdir()
    if os.geteuid() == 0:
        os.chown(empty.data_dir, 4711, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and "Run it as that user: sudo -u '#" in result.output, result.output
    assert not list(empty.data_dir.iterdir())


@pytest.mark.parametrize("command", ["backup", "restore-drill", "init-db"])
def test_root_leaves_nothing_that_the_service_could_not_use(
    run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """One backup by root kept every later one of the service from erasures.log beside it."""
    assert settings.backup_folder is not None
    if os.geteuid() == 0:
        os.chown(settings.data_dir, 4711, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    result = run(command)
    assert result.exit_code == 1 and "Run it as that user: sudo -u '#" in result.output, result.output
    assert not list(settings.backup_folder.iterdir())


@pytest.mark.parametrize("side", ["wal", "shm", "journal"])
def test_a_side_file_that_lies_there_is_no_empty_place(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, side: str
) -> None:
    if empty.dialect == "postgresql":
        return
    path = backed_up().path
    left = Path(f"{Database(empty.database_url).sqlite_path}-{side}")
    left.parent.mkdir(exist_ok=True)
    left.write_bytes(b"of another database")
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and f"{left} is there already" in result.output
    assert left.read_bytes() == b"of another database"


@pytest.mark.postgresql
def test_the_rights_of_a_restored_database_are_those_of_a_new_one(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, settings: Settings
) -> None:
    assert run_at(empty, "restore", backed_up().path).exit_code == 0

    def rights(place: Settings) -> tuple[list[object], list[object], list[object]]:
        assert place.database_owner_url
        with postgresql.connect(place.database_owner_url) as connection:
            grants = connection.execute(
                "SELECT grantee::text, table_name::text, privilege_type::text, column_name::text"
                " FROM information_schema.column_privileges WHERE table_schema = 'public' ORDER BY 1, 2, 3, 4"
            ).fetchall()
            policies = connection.execute(
                "SELECT tablename::text, policyname::text, permissive, roles::text, cmd, qual, with_check"
                " FROM pg_policies ORDER BY 1, 2"
            ).fetchall()
            forced = connection.execute(
                "SELECT relname::text, relrowsecurity, relforcerowsecurity, relowner::regrole::text FROM pg_class"
                " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
            ).fetchall()
        return list(grants), list(policies), list(forced)

    assert rights(empty) == rights(settings)


def test_what_was_made_is_for_this_user_alone(make: Make, backed_up: Callable[[], Kept], empty: Settings) -> None:
    result: Result = run_at(empty, "restore", backed_up().path)
    assert result.exit_code == 0
    assert empty.data_dir.stat().st_mode & 0o777 == 0o700
    if empty.dialect == "sqlite":
        path = Database(empty.database_url).sqlite_path
        assert path.stat().st_mode & 0o777 == 0o600
        assert [each.name for each in path.parent.glob("callbook.sqlite*")] == ["callbook.sqlite"]
