"""SECURITY 49: after leaving, nothing of an organization is anywhere; a restored backup is erased again.

The golden canary: a string in every personal column is looked for in the bytes of the database, in its dump, in files,
in logs and in mails.
"""

import io
import json
import logging
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from psycopg import sql
from sqlalchemy import func, select

from config import Settings
from tests import postgresql
from tests.accounts.authenticator import clock
from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row
from tests.make import Make
from tests.privacy.canary import Planted, plant
from webapp import logs
from webapp.accounts.jobs import forget_alone
from webapp.accounts.leaving import delete_account
from webapp.accounts.models import FactorRemoval, UserAccount
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.service_chain import note_for_service
from webapp.audit.verify import verify_chain
from webapp.calls.models import Call
from webapp.clock import now
from webapp.database.base import Base
from webapp.database.engine import Database
from webapp.jobs.worker import Worker
from webapp.outbox import claims
from webapp.outbox.models import OutboxMessage
from webapp.outbox.rendering import render_mail
from webapp.policies.models import Announcement
from webapp.privacy.catalogue import TABLES
from webapp.privacy.closing import close_organization
from webapp.privacy.entries import How, Whose
from webapp.privacy.erasing import Receipt
from webapp.privacy.erasures import LOG_NAME, apply_erasures, log_erasure, read_log
from webapp.privacy.models import Erasure, ErasureKind
from webapp.tenancy.consent_models import Disclosure
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = ["clock"]
WORD, OTHER = "goldfinch", "wagtail"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that the server would write to standard error."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def planted(clock: time_machine.Traveller, app: Flask, make: Make, cast: Cast) -> Planted:
    """Harbour with a string in every personal column, in its name and address, and in what staff did to it."""
    own = plant(make, WORD)
    plant(make.at(cast.quayside), OTHER)
    with writing_session(make.database) as session:
        organization = session.get_one(Organization, cast.harbour.id)
        organization.name, organization.slug = f"{WORD}-name", f"{WORD}-slug"
        told = {"staff": "Stella", "organization": f"{WORD}-slug", "reason": f"{WORD}-reason"}
        note_for_service(session, "service.resumed", cast.stella.id, cast.harbour.id, **told)
        session.commit()
    note_what_staff_did(make, cast, own)
    Importing(make.database, cast.harbour).load(make.pbx().id, asterisk_row(name=f"{WORD}-caller"))
    return own


def note_what_staff_did(make: Make, cast: Cast, own: Planted) -> None:
    """Before it had its name of today, and of its people: in the service's own chain."""
    with make.session() as session:
        disclosure_id = session.scalars(select(Disclosure.id)).one()
        announcement = select(Announcement.id).where(Announcement.organization_id == cast.harbour.id)
        announcement_id = session.scalars(announcement).one()
        removal = select(FactorRemoval.id).where(FactorRemoval.user_account_id == own.person.id)
        removal_id = session.scalars(removal).one()
        staff, address = f"{WORD}-staff", f"{WORD}@example.com"
        told: list[tuple[str, int, dict[str, str]]] = [
            ("legal.told", disclosure_id, {"organization": f"{WORD}-before", "authority": f"{WORD}-authority"}),
            (
                "service.incident_announced",
                announcement_id,
                {"staff": "Stella", "whom": f"everybody of {WORD}-before", "subject": "Down", "reason": "It was down"},
            ),
            ("help_code.used", own.person.id, {"staff": staff, "email": address}),
            ("lost_factor.stopped", removal_id, {"email": address, "why": "They found it"}),
        ]
        for kind, object_id, words in told:
            note_for_service(session, kind, cast.stella.id, object_id, **words)
        session.commit()


def close(make: Make, cast: Cast) -> None:
    with make.session() as session:
        organization = session.get_one(Organization, make.organization.id)
        close_organization(session, session.get_one(UserAccount, cast.olive.id), organization.name)
        session.commit()


def erase(clock: time_machine.Traveller, make: Make, cast: Cast, settings: Settings) -> None:
    close(make, cast)
    clock.shift(timedelta(days=14))
    Worker(make.database, settings).run_due()


def bytes_of(database: Database, settings: Settings) -> bytes:
    """All that a thief of the disk would have: the file and its log as they are, or what a dump brings."""
    if database.dialect == "sqlite":
        path = database.sqlite_path
        return b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    owner = settings.database_owner_url
    assert owner is not None
    with postgresql.connect(owner) as connection:
        found = connection.execute("SELECT relname FROM pg_class WHERE relforcerowsecurity").fetchall()
        tables = [sql.Identifier(str(row[0])) for row in found]
        for table in tables:  # else row-level security would hide the rows from the dump
            connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(table))
        words = ["pg_dump", "--inserts", owner.replace("+psycopg", "")]
        dump = subprocess.run(words, capture_output=True, check=True).stdout
        for table in tables:
            connection.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(table))
    return dump


def is_anywhere(word: str, content: bytes) -> bool:
    """As text, or as the hexadecimal in which a dump writes bytes."""
    return word.encode() in content or word.encode().hex().encode() in content


def counts(database: Database, organization_id: int) -> dict[str, int]:
    """Rows that name the organization, by table."""
    found = {}
    for mapper in Base.registry.mappers:
        if "organization_id" in mapper.columns and mapper.local_table.name != "membership":  # type: ignore[attr-defined]
            with reading_session(database, organization_id) as session:
                column = mapper.class_.organization_id
                name = mapper.local_table.name  # type: ignore[attr-defined]
                found[name] = session.scalar(
                    select(func.count()).select_from(mapper.class_).where(column == organization_id)
                )
    return {name: count for name, count in found.items() if count}


# ------------------------------------------------------------------------------------------------------- the canary


def test_security_49_after_leaving_no_canary_is_anywhere(
    clock: time_machine.Traveller,
    planted: Planted,
    make: Make,
    cast: Cast,
    database: Database,
    settings: Settings,
    written: io.StringIO,
) -> None:
    assert is_anywhere(WORD, bytes_of(database, settings))
    erase(clock, make, cast, settings)
    if database.dialect == "sqlite":
        with closing(sqlite3.connect(database.sqlite_path)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left = bytes_of(database, settings)
    persons = {key for key in planted.strings if TABLES[key[0]].whose is Whose.PERSON}
    found = {key for key, text in planted.strings.items() if is_anywhere(text, left)}
    assert found <= persons, "what is the organization's is gone"
    assert not any(is_anywhere(f"{WORD}-{each}", left) for each in ("name", "slug", "reason", "caller", "before"))
    assert is_anywhere(OTHER, left), "of nobody else anything is gone"

    clock.shift(timedelta(days=91))
    forget_alone(database)
    Worker(database, settings).run_due()
    if database.dialect == "sqlite":
        with closing(sqlite3.connect(database.sqlite_path)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left = bytes_of(database, settings)
    assert [key for key, text in planted.strings.items() if is_anywhere(text, left)] == []
    assert not is_anywhere(WORD, left)
    others = [path for path in settings.data_dir.rglob("*") if path.is_file() and "sqlite" not in path.name]
    assert not any(is_anywhere(WORD, path.read_bytes()) for path in others)
    assert WORD not in written.getvalue()


def test_what_is_deleted_is_overwritten_at_once(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    if database.dialect != "sqlite":
        with reading_session(database) as session:
            assert session.get(Organization, cast.harbour.id) is not None
        return
    erase(clock, make, cast, settings)
    own = {key: text for key, text in planted.strings.items() if TABLES[key[0]].whose is not Whose.PERSON}
    left = bytes_of(database, settings)
    assert [key for key, text in own.items() if is_anywhere(text, left)] == []


def test_no_row_names_it_any_more(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    before = counts(database, cast.harbour.id)
    assert len(before) > 40
    erase(clock, make, cast, settings)
    stays = {name for name, table in TABLES.items() if table.erased.how in (How.STAYS, How.OF_THEMSELVES)}
    assert counts(database, cast.harbour.id).keys() <= stays
    with reading_session(database) as session:
        assert session.get(Organization, cast.harbour.id) is None
        assert session.get(Organization, cast.quayside.id) is not None
    assert verify_chain(database, 0).wrong is None
    assert verify_chain(database, cast.quayside.id).wrong is None


def test_accounts_stay_their_persons_own_and_those_alone_go_by_the_rule(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    erase(clock, make, cast, settings)
    with reading_session(database) as session:
        assert session.get_one(UserAccount, cast.olive.id).alone_since is not None
    clock.shift(timedelta(days=91))
    forget_alone(database)
    with reading_session(database) as session:
        assert session.get(UserAccount, cast.olive.id) is None
        assert session.get(UserAccount, cast.quentin.id) is not None


# ----------------------------------------------------------------------------------------------------- the receipt


def receipts(database: Database) -> list[OutboxMessage]:
    with reading_session(database) as session:
        return list(session.scalars(select(OutboxMessage).where(OutboxMessage.template == "erasure_receipt")))


def test_its_owners_get_a_receipt_that_is_wiped_once_it_is_handed_over(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    erase(clock, make, cast, settings)
    [message] = receipts(database)
    assert (message.to_address, message.organization_id) == ("olive@example.com", None)
    mail = render_mail(settings, message)
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert WORD not in mail.as_string()
    with reading_session(database) as session:
        erased = session.scalars(select(Erasure)).one()
    rows = json.loads(erased.receipt)
    assert (erased.kind, erased.subject_id) == (ErasureKind.ORGANIZATION, cast.harbour.id)
    assert erased.row_count == sum(rows.values()) > 50
    assert {"call", "call_record", "membership", "organization", "audit_event", "outbox_message"} <= rows.keys()
    receipt = Receipt(cast.harbour.id, int(erased.erased_at.timestamp() * 1000), rows)
    assert receipt.digest in text and f"call: {rows['call']}" in text
    with reading_session(database, 0) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.kind == "service.erased")).one()
        words = session.get_one(AuditDetail, (0, event.position)).words
    assert json.loads(words or "") == {"rows": receipt.total, "digest": receipt.digest}

    held = claims.claim(database)
    while held is not None and held.template != "erasure_receipt":
        held = claims.claim(database)
    assert held is not None and claims.mark_handed_over(database, held)
    assert receipts(database) == []


@pytest.mark.parametrize("is_told", [True, False])
def test_a_receipt_tells_of_no_disclosure_that_an_order_hides(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings,
    is_told: bool,
) -> None:  # fmt: skip
    with make.session() as session:
        session.scalars(select(Disclosure)).one().told_at = now() if is_told else None
        session.commit()
    assert {"disclosure", "disclosure_chunk"} <= counts(database, cast.harbour.id).keys()
    erase(clock, make, cast, settings)
    [message] = receipts(database)
    with reading_session(database) as session:
        rows = json.loads(session.scalars(select(Erasure)).one().receipt)
    assert {name: count for name, count in rows.items() if "disclosure" in name} == (
        {"disclosure": 1} if is_told else {}
    )
    assert message.words.count("disclosure") == is_told
    assert not {"disclosure", "disclosure_chunk"} & counts(database, cast.harbour.id).keys()


# ------------------------------------------------------------------------------------------------------------ log


def test_the_log_is_appended_to_once_and_names_nobody(tmp_path: Path) -> None:
    for _turn in range(2):
        log_erasure(tmp_path, ErasureKind.ORGANIZATION, 7, 1000)
        log_erasure(tmp_path, ErasureKind.PERSON, 7, 2000)
    lines = (tmp_path / LOG_NAME).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"kind": "organization", "id": 7, "erased_at_ms": 1000},
        {"kind": "person", "id": 7, "erased_at_ms": 2000},
    ]
    assert (tmp_path / LOG_NAME).stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_crash_cut_off_is_passed_over(tmp_path: Path) -> None:
    log_erasure(tmp_path, ErasureKind.PERSON, 7, 2000)
    with (tmp_path / LOG_NAME).open("a") as file:
        file.write('{"kind": "per')
    assert [each.subject_id for each in read_log(tmp_path)] == [7]
    log_erasure(tmp_path, ErasureKind.PERSON, 8, 3000)
    assert [each.subject_id for each in read_log(tmp_path)] == [7, 8]


def test_a_log_that_root_begins_belongs_to_whom_its_folder_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() == 0:
        os.chown(tmp_path, 4711, 4712)
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _file, *owner: given.append(owner))
    for subject_id in (7, 8):
        log_erasure(tmp_path, ErasureKind.PERSON, subject_id, 2000)
    assert given == [(tmp_path.stat().st_uid, tmp_path.stat().st_gid)]


def test_a_restored_backup_is_erased_again(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings,
    tmp_path: Path,
) -> None:  # fmt: skip
    if database.dialect != "sqlite":
        log_erasure(settings.data_dir, ErasureKind.ORGANIZATION, cast.harbour.id)
        apply_erasures(database, settings)
        apply_erasures(database, settings)
        assert not is_anywhere(f"{WORD}-call-record", bytes_of(database, settings))
        return
    with closing(sqlite3.connect(database.sqlite_path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = tmp_path / "backup" / "callbook.sqlite"
    backup.parent.mkdir()
    shutil.copyfile(database.sqlite_path, backup)
    for step in delete_account(database, cast.vera.id, [cast.harbour.id]):
        step.commit()
    erase(clock, make, cast, settings)
    clock.shift(timedelta(days=91))
    forget_alone(database)

    restored = Database(f"sqlite:///{backup}")
    apply_erasures(restored, settings)
    apply_erasures(restored, settings)
    with reading_session(restored) as session:
        assert session.get(Organization, cast.harbour.id) is None
        assert session.get(UserAccount, cast.vera.id) is None
        assert session.get(UserAccount, cast.quentin.id) is not None
        assert {each.subject_id for each in session.scalars(select(Erasure))} == {
            each.subject_id for each in read_log(settings.data_dir)
        }
    assert verify_chain(restored, 0).wrong is None
    restored.dispose()
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("VACUUM")
    assert not is_anywhere(WORD, backup.read_bytes())


def test_calls_of_others_are_untouched(
    clock: time_machine.Traveller, planted: Planted, make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    quayside = Importing(database, cast.quayside)
    before = len(quayside.all(Call))
    erase(clock, make, cast, settings)
    assert len(quayside.all(Call)) == before > 0
