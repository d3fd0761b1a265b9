"""The chain of an organization: what is appended follows what was there, and whatever is changed later is found."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select, update

from tests.audit.conftest import Tamperer
from tests.cast import Cast
from tests.make import Make
from webapp.audit import verify
from webapp.audit.actions import hash_event, record
from webapp.audit.models import AuditDetail, AuditEvent, AuditHead
from webapp.audit.verify import Head, Verified, check_kept, verify_chain
from webapp.database.engine import Database
from webapp.tenancy.sessions import reading_session, writing_session

WRITERS, EACH = 8, 12


def append(database: Database, organization_id: int, count: int, name: str = "Front desk") -> None:
    for _turn in range(count):
        with writing_session(database, organization_id) as session:
            record(session, "pbx.closed", actor_id=None, name=name)
            session.commit()


@pytest.fixture
def harbour(database: Database, cast: Cast) -> int:
    """Harbour's chain with ten events more: 14 in all."""
    append(database, cast.harbour.id, 10)
    return cast.harbour.id


def head_of(database: Database, organization_id: int) -> Head:
    with reading_session(database, organization_id) as session:
        row = session.scalars(select(AuditHead)).one()
        return Head(row.position, bytes(row.row_hash))


# ---------------------------------------------------------------------------------------------------------- writing


def test_security_31_eight_writers_keep_one_chain(database: Database, cast: Cast) -> None:
    failed: list[BaseException] = []

    def write(turn: int) -> None:
        try:
            append(database, cast.harbour.id, EACH, f"Writer {turn}")
        except BaseException as error:
            failed.append(error)

    before = head_of(database, cast.harbour.id).position
    threads = [threading.Thread(target=write, args=(turn,)) for turn in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    found = verify_chain(database, cast.harbour.id)
    assert (found.wrong, found.head.position) == (None, before + WRITERS * EACH)


def test_an_event_that_is_not_committed_leaves_no_gap(database: Database, harbour: int) -> None:
    with writing_session(database, harbour) as session:
        record(session, "pbx.closed", actor_id=None, name="Never")
    append(database, harbour, 1)
    assert verify_chain(database, harbour).wrong is None


def test_words_that_the_kind_does_not_name_are_refused(database: Database, harbour: int) -> None:
    with writing_session(database, harbour) as session:
        with pytest.raises(ValueError, match="is told by"):
            record(session, "pbx.closed", actor_id=None, surname="x")
        with pytest.raises(KeyError):
            record(session, "pbx.painted", actor_id=None)


def test_the_chain_of_the_service_itself_is_there(database: Database, cast: Cast) -> None:
    append(database, 0, 3)
    found = verify_chain(database, 0)
    assert (found.wrong, found.head.position) == (None, 3)


def test_every_new_organization_has_its_own_chain(database: Database, cast: Cast, harbour: int) -> None:
    assert verify_chain(database, cast.quayside.id).head.position == 2
    assert verify_chain(database, harbour).head.position == 15


# -------------------------------------------------------------------------------------------------------- tampering

SET = "UPDATE audit_event SET"
AT_5 = "WHERE organization_id = ? AND position = 5"


@pytest.mark.parametrize(
    ("statements", "position", "what"),
    [
        ([f"{SET} kind = 'pbx.added' {AT_5}"], 5, "its row was changed"),
        ([f"{SET} actor_id = 7 {AT_5}"], 5, "its row was changed"),
        ([f"{SET} object_id = 7 {AT_5}"], 5, "its row was changed"),
        ([f"{SET} words_digest = previous_hash {AT_5}"], 5, "its row was changed"),
        ([f"UPDATE audit_detail SET words = '{{\"name\":\"Back door\"}}' {AT_5}"], 5, "its words were changed"),
        ([f"DELETE FROM audit_detail {AT_5}"], 5, "the row of its words is gone"),
        ([f"DELETE FROM audit_event {AT_5}"], 5, "it is missing"),
        (["DELETE FROM audit_event WHERE organization_id = ? AND position < 5"], 1, "it is missing"),
        (["DELETE FROM audit_event WHERE organization_id = ? AND position > 11"], 12, "shorter than its head"),
        (["DELETE FROM audit_event WHERE organization_id = ?"], 1, "shorter than its head"),
        (["UPDATE audit_head SET position = 11 WHERE organization_id = ?"], 12, "longer than its head"),
        (["DELETE FROM audit_head WHERE organization_id = ?"], 15, "no head any more"),
        (
            [
                f"{SET} position = 99 {AT_5}",
                f"{SET} position = 5 WHERE organization_id = ? AND position = 6",
                f"{SET} position = 6 WHERE organization_id = ? AND position = 99",
            ],
            5,
            "reordered",
        ),
    ],
)  # fmt: skip
def test_security_31_tampering_is_found(
    statements: list[str], position: int, what: str, database: Database, harbour: int, tamper: Tamperer
) -> None:
    tamper(*statements, values=(harbour,))
    wrong = verify_chain(database, harbour).wrong
    assert wrong is not None
    assert wrong.position == position
    assert what in wrong.what


def test_security_31_another_time_is_found(database: Database, harbour: int, tamper: Tamperer) -> None:
    later = "at + 1" if database.dialect == "sqlite" else "at + interval '1 ms'"
    tamper(f"{SET} at = {later} {AT_5}", values=(harbour,))
    assert (found := verify_chain(database, harbour).wrong) and found.what == "its row was changed"


def test_security_31_a_head_with_another_hash_is_found(database: Database, harbour: int, tamper: Tamperer) -> None:
    tamper("UPDATE audit_head SET row_hash = ? WHERE organization_id = ?", values=(bytes(32), harbour))
    assert (found := verify_chain(database, harbour).wrong) and "the head was changed" in found.what


def test_security_31_a_changed_row_with_a_hash_to_match_is_found(
    database: Database, harbour: int, tamper: Tamperer
) -> None:
    with reading_session(database, harbour) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.position == 5)).one()
        session.expunge(event)
    event.kind = "pbx.added"
    tamper(
        f"{SET} kind = 'pbx.added', row_hash = ? {AT_5}",
        values=(hash_event(harbour, event), harbour),
    )
    wrong = verify_chain(database, harbour).wrong
    assert wrong and (wrong.position, wrong.what) == (6, "it does not follow the row before it (reordered, or put in)")


def test_security_31_a_row_of_another_chain_is_found(database: Database, harbour: int, cast: Cast) -> None:
    """Its hash is over the organization too."""
    with reading_session(database, cast.quayside.id) as session:
        event = session.scalars(select(AuditEvent).where(AuditEvent.position == 1)).one()
    assert hash_event(cast.quayside.id, event) == bytes(event.row_hash)
    assert hash_event(harbour, event) != bytes(event.row_hash)


def cut_off_with_head(database: Database, harbour: int, tamper: Tamperer, position: int) -> None:
    with reading_session(database, harbour) as session:
        row_hash = session.scalar(select(AuditEvent.row_hash).where(AuditEvent.position == position))
    tamper("DELETE FROM audit_event WHERE organization_id = ? AND position > ?", values=(harbour, position))
    tamper("DELETE FROM audit_detail WHERE organization_id = ? AND position > ?", values=(harbour, position))
    tamper(
        "UPDATE audit_head SET position = ?, row_hash = ? WHERE organization_id = ?",
        values=(position, row_hash, harbour),
    )


def check(database: Database, harbour: int, kept: Head) -> str:
    found: Verified = verify_chain(database, harbour, {kept.position})
    assert found.wrong is None  # the chain itself says nothing
    wrong = check_kept(found, kept)
    return wrong.what if wrong else ""


def test_security_31_the_newest_row_cut_off_with_its_head_needs_a_head_kept_outside(
    database: Database, harbour: int, tamper: Tamperer
) -> None:
    kept = head_of(database, harbour)
    cut_off_with_head(database, harbour, tamper, 13)
    assert "the chain ends at 13" in check(database, harbour, kept)


def test_security_31_so_does_a_chain_that_was_written_anew(database: Database, harbour: int, tamper: Tamperer) -> None:
    kept = head_of(database, harbour)
    cut_off_with_head(database, harbour, tamper, 10)
    append(database, harbour, 6, "Something else")
    assert "written anew" in check(database, harbour, kept)


def test_a_chain_that_has_grown_agrees_with_its_old_head(database: Database, harbour: int) -> None:
    kept = head_of(database, harbour)
    append(database, harbour, 5)
    assert check(database, harbour, kept) == ""
    assert check(database, harbour, Head(0, bytes(32))) == ""


def test_security_31_erased_words_leave_the_chain_whole(database: Database, harbour: int) -> None:
    with writing_session(database, harbour) as session:
        session.execute(update(AuditDetail).where(AuditDetail.position == 5).values(words=None, salt=b""))
        session.execute(update(AuditDetail).where(AuditDetail.position == 6).values(words=None))
        session.commit()
    assert verify_chain(database, harbour).wrong is None


def test_a_long_chain_is_read_in_pieces(database: Database, harbour: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "_ROWS_AT_ONCE", 3)
    asked: list[int] = []
    read: Callable[..., object] = verify.read_chain_rows

    def count(session: object, after: int, last: int) -> object:
        asked.append(after)
        return read(session, after, last)

    monkeypatch.setattr(verify, "read_chain_rows", count)
    assert verify_chain(database, harbour).head == head_of(database, harbour)
    assert asked == [0, 3, 6, 9, 12]


def test_what_is_appended_meanwhile_is_no_fault(
    database: Database, harbour: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Callable[..., object] = verify.read_chain_rows

    def grow(session: object, after: int, last: int) -> object:
        append(database, harbour, 1)
        return read(session, after, last)

    monkeypatch.setattr(verify, "read_chain_rows", grow)
    found = verify_chain(database, harbour)
    assert (found.wrong, found.head.position) == (None, 15)


def test_every_action_is_in_the_transaction_of_what_it_records(make: Make, cast: Cast) -> None:
    with reading_session(make.database, cast.harbour.id) as session:
        assert session.scalar(select(func.count()).select_from(AuditEvent)) == 5  # made, and four joined
