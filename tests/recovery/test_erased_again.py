"""SECURITY 50: a restored backup does not bring back what was erased since: it is erased again before it may serve."""

import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from config import Settings
from tests.accounts.authenticator import clock
from tests.cast import Cast
from tests.make import Make
from tests.privacy.canary import plant
from tests.recovery.conftest import run_at
from tests.staff.chains import sentences
from webapp.accounts.models import UserAccount
from webapp.audit.verify import verify_chain
from webapp.calls.models import CallRecord
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.database.installation import list_problems
from webapp.jobs.worker import Worker
from webapp.outbox.models import MailState, OutboxMessage
from webapp.outbox.rendering import render_mail
from webapp.privacy.closing import close_organization
from webapp.privacy.erasures import LOG_NAME, log_erasure, read_log
from webapp.privacy.models import Erasure, ErasureKind
from webapp.recovery import restoring
from webapp.recovery.folder import Kept
from webapp.recovery.problem import RecoveryProblem
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session

__all__ = ["clock"]


def test_a_restore_erases_again_what_the_log_says(
    make: Make, cast: Cast, backed_up: Callable[[], Kept], settings: Settings, empty: Settings
) -> None:
    plant(make, "goldfinch")
    plant(make.at(cast.quayside), "wagtail")
    kept = backed_up()
    log_erasure(settings.data_dir, ErasureKind.ORGANIZATION, cast.harbour.id)
    log_erasure(settings.data_dir, ErasureKind.PERSON, cast.nora.id)
    empty.data_dir.mkdir(exist_ok=True)
    shutil.copyfile(settings.data_dir / LOG_NAME, empty.data_dir / LOG_NAME)
    result = run_at(empty, "restore", kept.path)

    assert result.exit_code == 0, result.output
    assert "erasures.log tells of 2 erasures" in result.output
    restored = Database(empty.database_url)
    assert list_problems(restored, empty) == []
    with reading_session(restored) as session:
        assert session.get(Organization, cast.harbour.id) is None
        assert session.get(Organization, cast.quayside.id) is not None
        assert session.get(UserAccount, cast.nora.id) is None
        assert set(session.scalars(select(Erasure.subject_id))) == {cast.harbour.id, cast.nora.id}
    for organization_id, records in ((cast.harbour.id, 0), (cast.quayside.id, 1)):
        with reading_session(restored, organization_id) as session:
            assert session.scalar(select(func.count(CallRecord.record_key))) == records
    assert verify_chain(restored, 0).wrong is None
    restored.dispose()


def test_what_is_closed_in_the_backup_has_its_days_of_grace_anew(
    clock: time_machine.Traveller, make: Make, cast: Cast, backed_up: Callable[[], Kept], empty: Settings
) -> None:
    """It may have been brought back since. The backup is of a day before its end, and restored a day after that."""
    with make.session() as session:
        close_organization(session, session.get_one(UserAccount, cast.olive.id), cast.harbour.name)
        session.commit()
    clock.shift(timedelta(days=13))
    path = backed_up().path
    clock.shift(timedelta(days=2))
    result = run_at(empty, "restore", path)
    assert result.exit_code == 0, result.output

    restored = Database(empty.database_url)
    for days in (0, 13):
        clock.shift(timedelta(days=days))
        Worker(restored, empty).run_due()
        with reading_session(restored) as session:
            harbour = session.get_one(Organization, cast.harbour.id)
        assert harbour.state is OrganizationState.CLOSED and not harbour.is_to_be_erased(now())
    with reading_session(restored) as session:
        mails = session.scalars(select(OutboxMessage).where(OutboxMessage.state == MailState.WAITING)).all()
    [told] = [render_mail(empty, mail).as_string() for mail in mails if mail.template == "closing_begun"]
    assert "restored from a backup in which Harbour Boats is closed" in " ".join(told.split())
    assert {(mail.to_address, mail.template) for mail in mails} == {
        ("olive@example.com", "closing_begun"),
        ("olive@example.com", "closing_soon"),
    }
    assert sentences(restored, cast.harbour.id)[-1].startswith("The service was restored from a backup in which")
    clock.shift(timedelta(days=2))
    Worker(restored, empty).run_due()
    with reading_session(restored) as session:
        assert session.get(Organization, cast.harbour.id) is None
    restored.dispose()


def test_without_the_log_nothing_is_restored_unless_that_is_said(
    make: Make, backed_up: Callable[[], Kept], empty: Settings
) -> None:
    path = backed_up().path
    log = path.with_name(LOG_NAME)
    assert log.read_bytes() == b""  # nothing was erased: that is no log that is lost
    log.unlink()
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and "There is no erasures.log" in result.output, result.output
    result = run_at(empty, "restore", "--without-erasures-log", path)
    assert result.exit_code == 0 and "tells of 0 erasures" in result.output, result.output


def test_a_log_that_is_older_than_the_backup(make: Make, backed_up: Callable[[], Kept], empty: Settings) -> None:
    """What was erased by another machine over the same PostgreSQL has no line here: the backup adds it."""
    erased = Erasure(id=new_id(), kind=ErasureKind.PERSON, subject_id=77, erased_at=now(), row_count=1, receipt="{}")
    make.store(erased)
    path = backed_up().path
    log = path.with_name(LOG_NAME)
    (line,) = read_log(log.parent)
    assert (line.kind, line.subject_id, line.erased_at_ms) == (erased.kind, 77, to_ms(erased.erased_at))
    log.write_bytes(b"")
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and "tells of 0 erasures, and the backup knew of 1" in result.output, result.output
    assert run_at(empty, "restore", "--without-erasures-log", path).exit_code == 0


@pytest.mark.parametrize(
    "line", ['{"kind": "person"}', '{"kind": "ship", "id": 1, "erased_at_ms": 1}', "not even JSON}", "[1, 2]}", "{}"]
)
def test_a_line_of_the_log_that_is_of_no_erasure_is_named(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, line: str
) -> None:
    path = backed_up().path
    path.with_name(LOG_NAME).write_text(f'{{"kind": "person", "id": 1, "erased_at_ms": 1}}\ncut off\n{line}\n')
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and f"{path.with_name(LOG_NAME)}, line 3, is of no erasure" in result.output
    assert not (empty.data_dir / LOG_NAME).exists(), "it would keep out the next restore, of another backup, too"


def test_a_restore_that_could_erase_nothing_again_fails(
    make: Make, backed_up: Callable[[], Kept], empty: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = backed_up().path
    monkeypatch.setattr(restoring, "after_restore", [])
    with pytest.raises(RecoveryProblem, match="Nothing is there that erases again"):
        restoring.restore(empty, path)
