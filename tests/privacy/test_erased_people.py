"""People who delete their account: logged, noted, and erased again from a restored backup."""

from pathlib import Path

from flask import Flask
from sqlalchemy import select

from config import Settings
from tests.cast import Cast
from webapp import create_app
from webapp.accounts.leaving import delete_account
from webapp.accounts.models import UserAccount
from webapp.audit.models import AuditEvent
from webapp.database.engine import Database
from webapp.privacy.erasures import apply_erasures, log_erasure, read_log
from webapp.privacy.models import Erasure, ErasureKind
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session


def test_a_person_who_deletes_their_account_is_an_erasure(
    app: Flask, cast: Cast, database: Database, settings: Settings
) -> None:
    for step in delete_account(database, cast.vera.id, [cast.harbour.id]):
        step.commit()
    with reading_session(database) as session:
        erased = session.scalars(select(Erasure)).one()
    assert (erased.kind, erased.subject_id, erased.row_count) == (ErasureKind.PERSON, cast.vera.id, 1)
    assert [(each.kind, each.subject_id) for each in read_log(settings.data_dir)] == [
        (ErasureKind.PERSON, cast.vera.id)
    ]
    with reading_session(database, 0) as session:
        kinds = list(session.scalars(select(AuditEvent.kind)))
    assert kinds == ["service.person_erased"]


def test_the_only_owner_of_a_backup_is_erased_again_too(
    app: Flask, cast: Cast, database: Database, settings: Settings
) -> None:
    log_erasure(settings.data_dir, ErasureKind.PERSON, cast.quentin.id)
    apply_erasures(database, settings)
    with reading_session(database, cast.quayside.id) as session:
        assert session.get(UserAccount, cast.quentin.id) is None
        assert session.scalars(select(Membership).where(Membership.organization_id == cast.quayside.id)).all() == []


def test_two_apps_of_one_process_keep_logs_of_their_own(
    app: Flask, cast: Cast, database: Database, settings: Settings, tmp_path: Path
) -> None:
    other = Database(settings.database_url)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    create_app(Settings(**{**vars(settings), "data_dir": elsewhere}), other)
    for step in delete_account(other, cast.vera.id, [cast.harbour.id]):
        step.commit()
    assert [each.subject_id for each in read_log(elsewhere)] == [cast.vera.id]
    assert read_log(settings.data_dir) == []
    other.dispose()


def test_a_deletion_that_is_not_committed_is_taken_back_from_the_log(
    app: Flask, cast: Cast, database: Database, settings: Settings
) -> None:
    steps = delete_account(database, cast.vera.id, [cast.harbour.id])
    next(steps).commit()
    next(steps)
    assert [each.subject_id for each in read_log(settings.data_dir)] == [cast.vera.id], "before the commit"
    steps.close()
    assert read_log(settings.data_dir) == []
    apply_erasures(database, settings)
    with reading_session(database) as session:
        assert session.get(UserAccount, cast.vera.id) is not None

    for step in delete_account(database, cast.vera.id, []):
        step.commit()
    assert [each.subject_id for each in read_log(settings.data_dir)] == [cast.vera.id]
