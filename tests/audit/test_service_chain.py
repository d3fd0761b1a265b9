"""The service's own chain: appended to in the transaction of what it tells, whatever the session is bound to."""

import threading

import pytest
from flask import Flask
from sqlalchemy import select

from tests.audit.conftest import Tamperer
from tests.cast import Cast
from webapp.audit.actions import record
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.service_chain import SERVICE_ID, note_for_service
from webapp.audit.verify import verify_chain
from webapp.database.engine import Database
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session, writing_session

WRITERS, EACH = 4, 6


def told(database: Database, organization_id: int = SERVICE_ID) -> list[str]:
    with reading_session(database, organization_id) as session:
        return [str(words) for words in session.scalars(select(AuditDetail.words).order_by(AuditDetail.position))]


def length(database: Database, organization_id: int) -> int:
    found = verify_chain(database, organization_id)
    assert found.wrong is None
    return found.head.position


def close(where: LockedSession | Database, name: str, actor_id: int | None = None) -> None:
    note_for_service(where, "pbx.closed", actor_id, None, name=name)


def test_both_chains_land_together(database: Database, cast: Cast) -> None:
    before = length(database, cast.harbour.id)
    with writing_session(database, cast.harbour.id) as session:
        record(session, "pbx.closed", actor_id=cast.stella.id, name="Front desk")
        close(session, "of harbour", cast.stella.id)
        session.commit()
    assert (length(database, SERVICE_ID), length(database, cast.harbour.id)) == (1, before + 1)
    assert told(database) == ['{"name":"of harbour"}']
    with reading_session(database, SERVICE_ID) as session:
        assert session.scalars(select(AuditEvent.actor_id)).all() == [cast.stella.id]


def test_what_is_undone_is_in_neither(database: Database, cast: Cast) -> None:
    before = length(database, cast.harbour.id)
    with writing_session(database, cast.harbour.id) as session:
        record(session, "pbx.closed", actor_id=None, name="Front desk")
        close(session, "of harbour")
    assert (length(database, SERVICE_ID), length(database, cast.harbour.id)) == (0, before)


def test_the_session_goes_on_where_it_was(database: Database, cast: Cast) -> None:
    before = length(database, cast.harbour.id)
    with writing_session(database, cast.harbour.id) as session:
        session.bind_person(cast.olive.id)
        close(session, "first")
        assert len(session.scalars(select(Membership)).all()) == 4
        record(session, "pbx.closed", actor_id=None, name="Front desk")
        close(session, "second")
        session.commit()
    assert length(database, cast.harbour.id) == before + 1
    assert told(database) == ['{"name":"first"}', '{"name":"second"}']


def test_a_session_without_organization_sees_none_afterwards(database: Database, cast: Cast) -> None:
    with writing_session(database) as session:
        close(session, "of nobody")
        assert session.scalars(select(AuditEvent)).all() == []
        session.bind_organization(cast.quayside.id)
        assert len(session.scalars(select(AuditEvent)).all()) == 2
        session.commit()
    assert length(database, SERVICE_ID) == 1


def test_a_database_alone_is_enough(database: Database, cast: Cast) -> None:
    close(database, "by itself")
    assert told(database) == ['{"name":"by itself"}']


def test_unknown_words_are_refused(database: Database, cast: Cast) -> None:
    with pytest.raises(ValueError, match="told by"):
        note_for_service(database, "pbx.closed", None, None, colour="red")
    assert length(database, SERVICE_ID) == 0


def test_security_31_many_writers_of_several_organizations_keep_one_chain(database: Database, cast: Cast) -> None:
    failed: list[BaseException] = []

    def write(organization_id: int) -> None:
        try:
            for turn in range(EACH):
                with writing_session(database, organization_id) as session:
                    record(session, "pbx.closed", actor_id=None, name="x")
                    close(session, str(turn))
                    session.commit()
        except BaseException as error:
            failed.append(error)

    threads = [
        threading.Thread(target=write, args=((cast.harbour, cast.quayside)[turn % 2].id,)) for turn in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert length(database, SERVICE_ID) == WRITERS * EACH


def test_verify_audit_checks_it(app: Flask, database: Database, cast: Cast) -> None:
    for name in ("one", "two", "three"):
        close(database, name)
    run = app.test_cli_runner().invoke(args=("verify-audit",))
    assert run.exit_code == 0
    assert "head - 3 " in run.stdout
    tamper = Tamperer(app.extensions["callbook"].settings, SERVICE_ID)
    tamper("UPDATE audit_event SET actor_id = 7 WHERE organization_id = 0 AND position = 2")
    run = app.test_cli_runner().invoke(args=("verify-audit",))
    assert run.exit_code == 1
    assert run.stderr.splitlines() == ["wrong - 2: its row was changed"]
