"""The chain as a file, and the checker of 40 lines that owners run on it: on their machine, with Python alone."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.audit import verify
from webapp.audit.actions import record
from webapp.audit.models import AuditDetail, AuditHead
from webapp.database.engine import Database
from webapp.errors import Forbidden
from webapp.organizations.chain_file import chain_pieces
from webapp.tenancy.models import Membership, Numbers
from webapp.tenancy.sessions import reading_session, writing_session

CHAIN = "/o/harbour/who-looked/chain"
CHECKER = Path(__file__).resolve().parents[2] / "static" / "check_audit.py"
Check = Callable[..., tuple[int, str]]


@pytest.fixture
def lines(client: PageCheckingClient, cast: Cast, make: Make) -> list[str]:
    """Of a file with some events more than the cast brings."""
    with make.session() as session:
        for name in ("Front desk", "Zürich – „Büro“ ☎", 'Quote " and \\ and \n'):
            record(session, "pbx.closed", actor_id=None, name=name)
        session.commit()
    client.sign_in(cast.olive)
    answer = client.get(CHAIN)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="harbour-audit.jsonl"'
    return answer.get_data(as_text=True).splitlines(keepends=True)


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Run the checker over these lines as owners do, without any of our packages; its exit status and words."""

    def run(lines: list[str], *kept: str) -> tuple[int, str]:
        file = tmp_path / "harbour-audit.jsonl"
        file.write_text("".join(lines), "utf-8")
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(CHECKER), str(file), *kept], capture_output=True, text=True, check=False
        )
        return done.returncode, (done.stdout + done.stderr).strip()

    return run


def change(lines: list[str], position: int, **values: object) -> list[str]:
    row = json.loads(lines[position - 1]) | values
    return [*lines[: position - 1], json.dumps(row) + "\n", *lines[position:]]


def head_of(lines: list[str]) -> str:
    row = json.loads(lines[-1])
    return f"{row['position']}:{row['row_hash']}"


def test_a_whole_chain_is_whole(lines: list[str], check: Check, database: Database, cast: Cast) -> None:
    with reading_session(database, cast.harbour.id) as session:
        head = session.scalars(select(AuditHead)).one()
    assert head_of(lines) == f"{head.position}:{bytes(head.row_hash).hex()}", "it ends with its own event"
    assert check(lines) == (0, f"WHOLE: {head.position} events, and the head is {head_of(lines)}")
    assert check(lines, head_of(lines))[0] == 0
    assert check(lines, head_of(lines[:4]))[0] == 0, "a head that was mailed earlier"


@pytest.mark.parametrize("position", [1, 3, 8])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor_id", 7),
        ("object_id", 7),
        ("kind", "pbx.opened"),
        ("at_ms", 1),
        ("organization_id", 7),
        ("words_digest", "00" * 32),
        ("row_hash", "00" * 32),
    ],
)
def test_an_edit_is_found(lines: list[str], check: Check, position: int, column: str, value: object) -> None:
    status, words = check(change(lines, position, **{column: value}))
    assert status == 1 and words == f"WRONG at event {position}: it was changed"


def test_other_words_are_found(lines: list[str], check: Check) -> None:
    status, words = check(change(lines, 6, words='{"name":"Back door"}'))
    assert (status, words) == (1, "WRONG at event 6: its words were changed")
    assert check(change(lines, 6, words=None))[0] == 0, "words may be erased"


def test_a_deletion_and_a_reorder_are_found(lines: list[str], check: Check) -> None:
    place = "one is missing, was put in, or stands in another's place"
    assert check([*lines[:4], *lines[5:]]) == (1, f"WRONG at event 5: {place}")
    assert check(lines[1:]) == (1, f"WRONG at event 1: {place}")
    assert check([*lines[:2], lines[3], lines[2], *lines[4:]]) == (1, f"WRONG at event 3: {place}")
    assert check([*lines[:3], lines[2], *lines[3:]]) == (1, f"WRONG at event 4: {place}")


def test_what_is_cut_off_is_found_by_the_head_that_was_mailed(lines: list[str], check: Check) -> None:
    kept, shorter = head_of(lines), lines[:-2]
    assert check(shorter)[0] == 0, "by itself a chain that was cut off is whole"
    status, words = check(shorter, kept)
    assert status == 1 and words.startswith(f"WRONG: the head {kept} is not in it")
    assert check([], kept)[0] == 1


def cut(lines: list[str], position: int) -> list[str]:
    """As a checkpoint has it."""
    last = json.loads(lines[position - 1])
    begins = {"organization_id": last["organization_id"], "purged_to": position, "row_hash": last["row_hash"]}
    return [json.dumps(begins) + "\n", *lines[position:]]


def test_a_beginning_that_was_cut_off_unsaid_is_found(lines: list[str], check: Check) -> None:
    assert check(cut(lines, 4)) == (
        1, "WRONG: the events up to 4 are missing, and no later one says that they were removed",
    )  # fmt: skip


@pytest.mark.parametrize("erased", [False, True])
def test_a_chain_whose_beginning_was_removed_is_whole_from_there_on(
    lines: list[str], check: Check, make: Make, cast: Cast, client: PageCheckingClient, erased: bool
) -> None:
    row_hash = json.loads(lines[3])["row_hash"]
    with make.session() as session:
        told = record(session, "retention.audit_removed", actor_id=None, object_id=4, position=4, hash=row_hash)
        if erased:
            session.execute(update(AuditDetail).where(AuditDetail.position == told.position).values(words=None))
        session.commit()
    lines = client.get(CHAIN).get_data(as_text=True).splitlines(keepends=True)
    shorter = cut(lines, 4)
    assert check(cut(lines, 5))[0] == 1, "it says so of another"
    whole = f"WHOLE: {len(lines) - 4} events, and the head is {head_of(lines)}"
    assert check(shorter) == (0, whole)
    assert check(shorter, head_of(lines)) == (0, whole)
    assert check(shorter, head_of(lines[:4])) == (0, whole)
    assert "was not compared" in check(shorter, head_of(lines[:2]))[1]
    assert check([shorter[0], *lines[5:]])[0] == 1
    assert check([*lines[:4], *shorter])[0] == 1, "a beginning stands at the beginning"


def test_the_checker_has_at_most_40_lines_and_uses_python_alone() -> None:
    text = CHECKER.read_text("utf-8")
    assert len(text.splitlines()) <= 40
    assert {line for line in text.splitlines() if "import " in line} == {"import hashlib", "import json", "import sys"}


def test_the_page_offers_both(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    page = client.get("/o/harbour/who-looked").text
    assert f'href="{CHAIN}"' in page
    address = page.split('href="/static/check_audit.py')[1].split('"')[0]
    assert client.get(f"/static/check_audit.py{address}").text == CHECKER.read_text("utf-8")


def test_it_is_read_in_pieces(
    lines: list[str], cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_ROWS_AT_ONCE", 3)
    pieces = list(chain_pieces(database, cast.harbour.id, cast.olive.id, masked=False))
    assert len(pieces) > 3
    assert b"".join(pieces).decode() == "".join(lines)


def test_what_comes_meanwhile_is_not_in_it(lines: list[str], make: Make, cast: Cast, database: Database) -> None:
    pieces = chain_pieces(database, cast.harbour.id, cast.olive.id, masked=False)
    first = next(pieces)
    with make.session() as session:
        record(session, "pbx.closed", actor_id=None, name="Meanwhile")
        session.commit()
    assert b"".join([first, *pieces]).decode() == "".join(lines)


def test_who_is_no_owner_any_more_gets_no_further(
    lines: list[str], cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "_ROWS_AT_ONCE", 3)
    for changed in ({"may_export": False}, {"narrowed": True}, {"numbers": Numbers.MASKED}):
        pieces = chain_pieces(database, cast.harbour.id, cast.olive.id, masked=False)
        next(pieces)
        for values in (changed, {"may_export": True, "narrowed": False, "numbers": Numbers.FULL}):
            if values is not changed:
                with pytest.raises(Forbidden):
                    next(pieces)
            with writing_session(database, cast.harbour.id) as session:
                session.execute(update(Membership).where(Membership.user_account_id == cast.olive.id).values(**values))
                session.commit()


def test_a_masked_owner_gets_no_words_of_searches(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, check: Check
) -> None:
    with make.session() as session:
        record(session, "search.made", actor_id=cast.olive.id, words="020 7946 0999")
        record(session, "pbx.closed", actor_id=None, name="Front desk")
        session.execute(
            update(Membership).where(Membership.user_account_id == cast.olive.id).values(numbers=Numbers.MASKED)
        )
        session.commit()
    client.sign_in(cast.olive)
    text = client.get(CHAIN).get_data(as_text=True)
    assert "7946 0999" not in text and "Front desk" in text
    assert check(text.splitlines(keepends=True))[0] == 0


def test_erased_words_leave_it_whole(client: PageCheckingClient, cast: Cast, make: Make, check: Check) -> None:
    with make.session() as session:
        event = record(session, "pbx.closed", actor_id=None, name="Front desk")
        session.execute(update(AuditDetail).where(AuditDetail.position == event.position).values(words=None, salt=b""))
        session.commit()
    client.sign_in(cast.olive)
    assert check(client.get(CHAIN).get_data(as_text=True).splitlines(keepends=True))[0] == 0


def test_only_owners_and_it_is_recorded(app: Flask, cast: Cast, database: Database) -> None:
    for person, status in ((cast.olive, 200), (cast.max, 403), (cast.vera, 403), (cast.quentin, 404), (cast.nora, 404)):
        browser = app.test_client()
        assert isinstance(browser, PageCheckingClient)
        browser.sign_in(person)
        answer = browser.get(CHAIN)
        assert answer.status_code == status, person.email
        assert ("who_looked.chain_exported" in answer.get_data(as_text=True)) is (status == 200)
        assert browser.post(CHAIN).status_code == 405
