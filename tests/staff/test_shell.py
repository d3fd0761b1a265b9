"""flask shell: no organization before its audit says that the operator looks, and why; commands leave a line too."""

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from tests.cast import PASSWORD, Cast
from tests.make import Make
from tests.staff.told import told
from webapp.calls.models import Call
from webapp.database.engine import Database
from webapp.errors import NotFound, Refused
from webapp.staff import shell
from webapp.tenancy.sessions import reading_session

WHY = "Ticket 4711"


@pytest.fixture
def stored(make: Make) -> Call:
    return make.call()


def test_the_shell_opens_without_an_organization(app: Flask, stored: Call, capsys: pytest.CaptureFixture[str]) -> None:
    with app.app_context():
        there = app.make_shell_context()
        assert "No organization is open" in capsys.readouterr().out
        with there["session"] as session:
            assert session.organization_id is None
            assert session.scalars(select(Call)).all() == []
        assert there["bind"] is shell.bind


def test_bind_writes_first_and_then_opens(app: Flask, cast: Cast, stored: Call, database: Database) -> None:
    with app.app_context(), shell.bind("harbour", f"  {WHY} ") as session:
        # Committed already: another session reads it, though nothing was asked of this one yet.
        assert told(database, cast.harbour.id, "support") == [("support.shell", None, {"reason": WHY})]
        assert told(database) == [("service.shell", None, {"organization": "harbour", "reason": WHY})]
        assert [call.call_key for call in session.scalars(select(Call))] == [stored.call_key]
        assert session.only_reads
    with app.app_context(), shell.bind("quayside", WHY, writing=True) as session:
        assert session.scalars(select(Call)).all() == []
        assert not session.only_reads


@pytest.mark.parametrize("reason", ["", "   ", "no", "x" * 301])
def test_without_a_reason_it_opens_nothing(
    app: Flask, cast: Cast, stored: Call, database: Database, reason: str
) -> None:
    with app.app_context(), pytest.raises(Refused, match="Say why"):
        shell.bind("harbour", reason)
    assert told(database, cast.harbour.id, "support") == told(database) == []


def test_an_organization_that_is_not_there(app: Flask, cast: Cast, database: Database) -> None:
    with app.app_context(), pytest.raises(NotFound):
        shell.bind("nowhere", WHY)
    assert told(database) == []


def test_where_it_cannot_be_written_nothing_opens(
    app: Flask, cast: Cast, stored: Call, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_words: object) -> None:
        raise RuntimeError("the chain cannot be written")

    monkeypatch.setattr(shell, "note_for_service", fail)
    with app.app_context(), pytest.raises(RuntimeError):
        shell.bind("harbour", WHY)
    assert told(database, cast.harbour.id, "support") == []


# ----------------------------------------------------------------------------------------------------------- commands


def run(app: Flask, *words: str, given: str = "") -> Result:
    done = app.test_cli_runner().invoke(args=words, input=given)
    assert done.exit_code == 0, done.output
    return done


def test_commands_leave_a_line_in_the_service_chain(app: Flask, database: Database, tmp_path: Path) -> None:
    run(app, "create-organization", "marina", "--name", "Marina", "--time-zone", "Europe/London", "--region", "GB")
    for name in ("ann", "ben"):
        words = ("create-user", f"{name}@marina.example.com", "--organization", "marina", "--role", "owner")
        run(app, *words, "--password-stdin", given=f"{PASSWORD}\n")
    run(app, "create-pbx", "Front desk", "--organization", "marina", "--format", "asterisk_cdr_csv")
    file = tmp_path / "Master.csv"
    file.write_text(
        '"","02079460101","201","from-trunk","""C"" <02079460101>","PJSIP/p-1","PJSIP/201-1","Dial","PJSIP/201,30",'
        '"2026-03-02 09:00:00","2026-03-02 09:00:05","2026-03-02 09:00:35",35,30,"ANSWERED","DOCUMENTATION","1.1",""\n',
        "utf-8",
    )
    run(app, "import-calls", str(file), "--organization", "marina", "--pbx", "Front desk")
    lines = told(database)
    assert [kind for kind, _actor, _words in lines] == [
        "service.organization_made",
        "service.user_made",
        "service.user_made",
        "service.imported",
    ]
    assert all(actor is None and words["organization"] == "marina" for _kind, actor, words in lines)
    assert "marina.example.com" not in str(lines)
    with reading_session(database) as session:
        organization_id = shell.get_organization(session, "marina").id
    [(_kind, actor, words)] = told(database, organization_id, "support")
    assert (actor, words) == (None, {"email": "ann@marina.example.com", "role": "owner"})
    kinds = [kind for kind, actor, _words in told(database, organization_id) if actor is None]
    assert kinds == ["organization.made", "support.user_made", "invitation.filed", "pbx.added", "import.started"]
