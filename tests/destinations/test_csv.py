"""Contacts as CSV: the export, what a file would change, storing it, and files that are wrong."""

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import delete, func, select, update
from werkzeug.test import TestResponse

from config import Settings
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.destinations.test_people_pages import EXTENSION, LIST, NUMBER, add, page_of
from tests.make import EPOCH, Make
from webapp.accounts.session_limits import PROVED_FOR
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations import (
    contact_import,
    contact_jobs,
    contact_preview,
    contact_refused,
    contact_rows,
    csv_views,
)
from webapp.destinations.contact_models import ContactImport, ContactState
from webapp.destinations.listing import list_patterns
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, PartyHolder, PatternKind
from webapp.destinations.turns import hand_over, turns_of
from webapp.jobs.models import Job, StoredChunk, StoredFile
from webapp.jobs.worker import Worker
from webapp.tenancy.models import Membership, Numbers

IMPORT = f"{LIST}/import"
COUNTS = re.compile(r"<dt>([^<]+)</dt><dd>([\d,]+)</dd>")
Bring = Callable[[str | bytes], str]


@pytest.fixture
def max_(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.max)
    return client


@pytest.fixture
def work(app: object, database: Database, settings: Settings) -> Callable[[], None]:
    """Does what waits in the queue, here and now."""
    worker = Worker(database, settings)

    def run() -> None:
        worker.run_due()

    return run


@pytest.fixture
def bring(max_: PageCheckingClient, work: Callable[[], None]) -> Bring:
    """Hands a file in and has it looked at; gives the address of its page."""

    def hand_in(content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        answer = max_.send(IMPORT, {"file": (io.BytesIO(data), "contacts.csv")}, content_type="multipart/form-data")
        assert answer.status_code == 303, answer.text
        work()
        return str(answer.location)

    return hand_in


def counts(answer: TestResponse) -> dict[str, int]:
    return {word: int(number.replace(",", "")) for word, number in COUNTS.findall(answer.text)}


def reasons(answer: TestResponse) -> list[tuple[str, str]]:
    return re.findall(r"<tr><td>([\d,]+)</td><td>([^<]+)</td></tr>", answer.text)


def told(answer: TestResponse) -> list[tuple[str, ...]]:
    """What would change: line, name, what it brings."""
    return re.findall(r"<tr><td>([\d,]+)</td><td>([^<]+)</td><td>([^<]+)</td></tr>", answer.text)


def destinations(make: Make) -> dict[str, Destination]:
    with make.session() as session:
        return {each.name: each for each in session.scalars(select(Destination))}


def test_a_file_is_looked_at_and_then_stored(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None]
) -> None:
    party = make.party("+441632960123")
    add(make, "Ann Lee", EXTENSION, note="kept")
    add(make, "Same", Pattern(PatternKind.EXTENSION, "299"))
    page = bring(
        "name,kind,patterns,colour,note\n"
        "Tyne Valley,Customer,01632 960123,blue,Quay side\n"
        'Ann Lee,,"204; 07700 900123",,\n'
        "Same,,299,,\n"
        "Sales,team,,,\n"
        "Nobody,,one two three?,,\n"
    )
    answer = max_.get(page)
    assert counts(answer) == {"Lines": 5, "New": 2, "Changed": 1, "The same as now": 1, "Refused": 1}
    [(line, reason)] = reasons(answer)
    assert line == "6"
    assert "is no extension, number or prefix" in reason
    assert len(destinations(make)) == 2, "nothing is stored before the yes"

    assert max_.send(f"{page}/store").location == page
    work()
    answer = max_.get(page)
    assert "The contacts are stored." in answer.text
    assert counts(answer) == {"Lines": 5, "Added": 2, "Changed": 1, "The same as now": 1, "Refused": 1}
    found = destinations(make)
    assert (found["Tyne Valley"].kind, found["Tyne Valley"].colour) == (DestinationKind.CUSTOMER, 2)
    with make.session() as session:
        own = list_patterns(session, [found["Ann Lee"].id])[found["Ann Lee"].id]
        assert own == [EXTENSION, Pattern(PatternKind.NUMBER, "447700900123")]
        [holder] = session.scalars(select(PartyHolder).where(PartyHolder.party_id == party.id))
        assert (holder.destination_id, holder.from_at) == (found["Tyne Valley"].id, EPOCH)
        assert session.scalar(select(func.count(StoredFile.id))) == 0, "the file is gone once it is stored"
        words = session.scalars(select(AuditDetail.words)).all()
        assert any('"file":"contacts.csv"' in each and '"added":2' in each for each in words)
    assert found["Ann Lee"].note == "kept"


def test_the_look_names_what_would_change_before_what_is_new(
    max_: PageCheckingClient, make: Make, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = add(make, "Ann Lee", EXTENSION, note="old")
    add(make, "Sales", kind=DestinationKind.TEAM, members=frozenset({ann.id}))
    lines = (
        "Ann Lee,,204,,,\n"
        "Tyne Valley,customer,01632 960123; +44 1632 96*,blue,Quay side,\n"
        "Ann Lee,Other contact,07700 900123,,new words,\n"
        "Crew,team,,,,Ben\n"
        "Ben,person,,,,\n"
        "Selling,team,,,,Ben\n"
        "Sales,menu,,,,\n"
    )
    page = bring(f"name,kind,patterns,colour,note,members\n{lines}")
    assert told(max_.get(page)) == [
        ("4", "Ann Lee", "07700 900123; kind: Person → Other contact; note: new words"),
        ("8", "Sales", "kind: Team → Menu"),
        ("3", "Tyne Valley", "New customer; 01632 960123; +44 163296*; colour: Blue; note: Quay side"),
        ("6", "Ben", "New person"),
        ("7", "Selling", "New team; people: Ben"),
    ]
    for module in (contact_import, contact_preview):
        monkeypatch.setattr(module, "CHANGES_KEPT", 1)
    monkeypatch.setattr(contact_preview, "_AT_ONCE", 2)
    answer = max_.get(page)
    assert [line for line, _name, _what in told(answer)] == ["4", "3"]
    assert "<p>And 3 more.</p>" in answer.text
    monkeypatch.setattr(contact_preview, "CHANGES_KEPT", 2)
    monkeypatch.setattr(contact_import, "CHANGES_KEPT", 2)
    assert [line for line, _name, _what in told(max_.get(page))] == ["4", "8", "3", "6"], "read on to what changes"
    monkeypatch.setattr(contact_preview, "LINES_LOOKED_AT", 1)
    monkeypatch.setattr(csv_views, "LINES_LOOKED_AT", 1)
    assert "stands behind the first 1 lines, which change nothing" in max_.get(page).text
    with make.session() as session:
        session.execute(delete(StoredChunk))
        session.commit()
    assert told(max_.get(page)) == [], "of a file that is thrown away this very moment"


def test_the_look_names_the_columns_that_are_not_read(max_: PageCheckingClient, bring: Bring) -> None:
    answer = max_.get(bring("Full name,Birthday,Phone,Fax,,fax \u202e,Fax\nAnn,1 May,204,,,,\n"))
    assert "Columns that are read: Full name, Phone. <strong>Not read: Birthday, Fax, fax.</strong>" in answer.text
    answer = max_.get(bring("name,number\nBen,205\n"))
    assert "Columns that are read: name, number.</p>" in answer.text
    long = ",".join(f"{'x' * 41}{turn:02}" for turn in range(10, 30))
    answer = max_.get(bring(f"name,<b>,{long}\nCat\n"))
    assert f"Not read: &lt;b&gt;, {'x' * 40}…, " in answer.text
    assert answer.text.count("x…") == 11 and "x… and 9 more.</strong>" in answer.text


def test_all_refused_lines_are_downloaded_put_right_and_sent_again(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that are not shown; of each piece of the file, what earlier lines have left counts as before."""
    for module in (contact_import, contact_refused):
        monkeypatch.setattr(module, "REFUSED_KEPT", 2)
    lines = 'Ann,,204,=1+1\nBen,,"2\n4?",\nANN,boat,,Tue\nCat,,204,"a\nb"\nDan,,206,,more\n'
    page = bring(f"Name,type,Phone,=Fax\n{lines}")
    answer = max_.get(page)
    assert (counts(answer)["Refused"], len(reasons(answer))) == (3, 2)
    assert "<p>And 1 more.</p>" in answer.text and "Download 3 lines" in answer.text
    answer = max_.get(f"{page}/refused-lines")
    assert answer.mimetype == "text/csv"
    rows = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert rows[0] == ["line", "why", "Name", "type", "Phone", "'=Fax"]
    assert [(row[0], row[2:]) for row in rows[1:]] == [
        ("4", ["Ben", "", "2\n4?", ""]),
        ("5", ["ANN", "boat", "", "Tue"]),
        ("7", ["Cat", "", "204", "a\nb"]),
    ]
    assert "Extension 204 is Ann in an earlier line." in rows[3][1]
    again = max_.get(bring(answer.text.replace("boat", "person").replace('"2\n4?"', "205").encode()))
    assert {**counts(again), "New": 0} == {"Lines": 3, "New": 0, "Changed": 0, "The same as now": 0, "Refused": 0}
    assert "<strong>Not read: line, why, &#39;=Fax.</strong>" in again.text
    with make.session() as session:
        told = session.scalars(select(AuditEvent.kind)).all()
    assert told.count("refused_lines.downloaded") == 1


def test_refused_lines_are_downloaded_while_the_file_waits(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_import, "REFUSED_KEPT", 1)
    page = bring("name,kind\nAnn,\nBen,boat\nCat,boat\n")
    with make.session() as session:
        session.execute(update(Membership).values(may_export=False))
        session.commit()
    assert max_.get(f"{page}/refused-lines").status_code == 403
    assert "Download" not in max_.get(page).text
    with make.session() as session:
        session.execute(update(Membership).values(may_export=True))
        session.commit()
    monkeypatch.setattr(csv_views, "UNPROVED_AT_MOST", 1)
    with time_machine.travel(now() + PROVED_FOR):
        assert max_.get(f"{page}/refused-lines").location == f"/prove?next={page}/refused-lines"
    max_.send(f"{page}/store")
    work()
    answer = max_.get(page)
    assert "And 1 more. The file is not kept: send it again" in answer.text and "Download" not in answer.text
    assert max_.get(f"{page}/refused-lines").location == page


def test_pasted_lines_are_a_file_too(max_: PageCheckingClient, make: Make, work: Callable[[], None]) -> None:
    answer = max_.send(IMPORT, {"lines": "name;number\nAnn;204\n"})
    work()
    assert counts(max_.get(answer.location))["New"] == 1


def test_a_waiting_file_says_when_nobody_works(max_: PageCheckingClient) -> None:
    page = max_.send(IMPORT, {"lines": "name;number\nAnn;204\n"}).location
    assert "no background worker" not in max_.get(page).text
    with time_machine.travel(now() + timedelta(minutes=1)):
        assert "no background worker" in max_.get(page).text


def test_doubles_in_a_file_are_one_destination_and_a_number_is_one_persons(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None]
) -> None:
    page = bring("name,number\nAnn,204\nANN,205\nAnn,204\nBen,205\n")
    wanted = {"Changed": 1, "The same as now": 1, "Refused": 1, "Lines": 4}
    answer = max_.get(page)
    assert counts(answer) == {**wanted, "New": 1}
    assert reasons(answer) == [("5", "Extension 205 is ANN in an earlier line.")]
    max_.send(f"{page}/store")
    work()
    assert counts(max_.get(page)) == {**wanted, "Added": 1}
    assert list(destinations(make)) == ["Ann"]


def test_a_number_that_is_anothers_is_refused_with_both_named(
    max_: PageCheckingClient, make: Make, bring: Bring
) -> None:
    add(make, "Ben", EXTENSION)
    add(make, "Twin")
    add(make, "twin")
    gone = add(make, "Gone", Pattern(PatternKind.EXTENSION, "207"))
    max_.send(page_of(gone, "/archive"))
    answer = max_.get(bring("name,number\nAnn,204\nTwin,205\nCrew,206\nGone,207\n"))
    assert [reason for _line, reason in reasons(answer)] == [
        "Extension 204 is Ben already.",
        "More than one is called Twin, so it is not clear which is meant.",
        "Extension 207 is Gone (archived) already.",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("\u200b,,,", "It has no name of at most 80 characters."),
        ("x" * 81 + ",,,", "It has no name of at most 80 characters."),
        ("Ann,boat,,", "is no kind. Write one of: Person, Team"),
        ("Ann,,204 at Nowhere,", "There is no phone system named Nowhere."),
        ("Rome,zone,,", "A zone is recognised by the beginning of its numbers"),
        ("Crew,team,,Nobody Known", "There is no person called Nobody Known."),
        ("A\0nn,,204,", "It holds characters that are no text."),
    ],
)
def test_a_line_that_cannot_be_stored_says_why(max_: PageCheckingClient, bring: Bring, line: str, told: str) -> None:
    answer = max_.get(bring(f"name,kind,patterns,members\n{line}\nBen,,205,\n"))
    [(number, reason)] = reasons(answer)
    assert number == "2"
    assert told in reason
    assert counts(answer)["New"] == 1


def test_a_line_that_makes_a_zone_of_a_team_is_refused_both_times(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None]
) -> None:
    add(make, "Support", kind=DestinationKind.TEAM)
    page = bring("name,kind,note\nSupport,zone,half\nBen,,\n")
    for store in (False, True):
        if store:
            max_.send(f"{page}/store")
            work()
        [(line, reason)] = reasons(max_.get(page))
        assert (line, counts(max_.get(page))["Refused"]) == ("2", 1)
        assert "A zone is recognised by the beginning" in reason
    found = destinations(make)
    support = found["Support"]
    assert (support.kind, support.note, support.version) == (DestinationKind.TEAM, "", 1)
    assert "Ben" in found


def test_what_others_have_at_another_time_stays_theirs(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None]
) -> None:
    """A number that was given up is theirs from now on; one that is to be another's tomorrow, until then."""
    ann, ben, moment = add(make, "Ann"), add(make, "Ben", EXTENSION), now()
    with make.session() as session:
        hand_over(session, EXTENSION, None, moment - timedelta(days=1), actor_id=None)
        hand_over(session, NUMBER, ben.id, moment + timedelta(days=1), actor_id=None)
        session.commit()
    page = bring("name,patterns\nAnn,204; 01632 960123\n")
    assert counts(max_.get(page))["Changed"] == 1
    max_.send(f"{page}/store")
    work()
    with make.session() as session:
        given_up, still_to_come = (turns_of(session, pattern.key) for pattern in (EXTENSION, NUMBER))
    assert [turn.destination_id for turn in given_up] == [ben.id, None, ann.id]
    assert given_up[-1].from_ms >= to_ms(moment)
    assert [turn.destination_id for turn in still_to_come] == [ann.id, ben.id]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "The first line names the columns"),
        ("a,b\n1,2\n", "A column “name” has to be there."),
        ("name,number,phone\nAnn,1,2\n", "Two columns are called patterns."),
        (bytes(range(256)), "The first line names the columns"),
        (b"PK\x03\x04 of a workbook", "Save the sheet as “CSV UTF-8” and send that."),
    ],
)
def test_a_file_of_something_else_is_refused(
    max_: PageCheckingClient, make: Make, bring: Bring, content: str | bytes, told: str
) -> None:
    page = bring(content)
    answer = max_.get(page)
    assert told in answer.text
    assert "Nothing of it is stored." in answer.text
    assert max_.send(f"{page}/store", part=True).status_code == 422
    with make.session() as session:
        assert session.scalar(select(func.count(StoredFile.id))) == 0


def test_a_file_with_too_many_lines_is_refused_as_a_whole(
    max_: PageCheckingClient, make: Make, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_rows, "MOST_LINES", 3)
    answer = max_.get(bring("name\n" + "".join(f"Ann {turn}\n" for turn in range(4))))
    assert "A file may hold 3 contacts." in answer.text
    assert destinations(make) == {}


def test_formulas_come_in_as_text_and_go_out_harmless(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None]
) -> None:
    page = bring('name,note\n"=HYPERLINK(""http://x"")","@SUM(A1)"\n')
    max_.send(f"{page}/store")
    work()
    [name] = destinations(make)
    assert name == '=HYPERLINK("http://x")'
    rows = list(csv.reader(io.StringIO(max_.get(f"{LIST}/export").text.lstrip("\ufeff"))))
    assert rows[1][0] == '\'=HYPERLINK("http://x")'
    assert rows[1][4] == "'@SUM(A1)"


def test_an_export_comes_back_as_it_was(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None]
) -> None:
    ann = add(make, "Ann", EXTENSION, NUMBER, note="+ the boats\non Monday", colour=4)
    add(make, "Sales", kind=DestinationKind.TEAM, members=frozenset({ann.id}))
    add(make, "=1+1", Pattern(PatternKind.PREFIX, "33"), kind=DestinationKind.ZONE)
    exported = max_.get(f"{LIST}/export").data
    answer = max_.get(bring(exported))
    assert counts(answer) == {"Lines": 3, "New": 0, "Changed": 0, "The same as now": 3, "Refused": 0}


def test_security_17_a_large_export_asks_for_proof(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more than 50,000 rows, as whoever signed in ten minutes ago; the proof leads back to the file."""
    monkeypatch.setattr(csv_views, "UNPROVED_AT_MOST", 1)
    export = f"{LIST}/export"
    add(make, "Ann", EXTENSION)
    with time_machine.travel(now() + PROVED_FOR):
        assert max_.get(export).mimetype == "text/csv"
        add(make, "Ben")
        answer = max_.get(export)
        assert (answer.status_code, answer.location) == (303, f"/prove?next={export}")
        with make.session() as session:
            told = select(func.count(AuditEvent.position)).where(AuditEvent.kind == "destination.exported")
            assert session.scalar(told) == 1, "only what was handed out is told"
        assert f'href="{export}" download' not in max_.get(LIST).text, "else the question would be saved as a file"
        max_.get("/prove")
        assert max_.send("/prove", {"password": PASSWORD, "next": export}).location == export
        assert max_.get(export).mimetype == "text/csv"


def test_a_line_that_runs_on_is_told_of_with_where_it_began(max_: PageCheckingClient, bring: Bring) -> None:
    answer = max_.get(bring('name,number\nAnn,"204\n205"\nBen,"206\nCat,207\nDan,208\n'))
    [(line, reason)] = reasons(answer)
    assert line == "6"
    assert "“Cat,207” is no extension" in reason
    assert reason.endswith("It began in line 4: if it was to end there, a quotation mark is missing.")
    assert counts(answer)["New"] == 1, "line breaks in a cell are allowed"


@pytest.mark.parametrize(
    "content",
    ["name;number\r\nJürgen;204\r\n".encode("cp1252"), "name\tnumber\r\nJürgen\t204\r\n".encode("utf-16")],
    ids=["CSV", "Unicode text"],
)
def test_files_of_excel_are_read(
    max_: PageCheckingClient, make: Make, bring: Bring, work: Callable[[], None], content: bytes
) -> None:
    page = bring(content)
    max_.send(f"{page}/store")
    work()
    assert list(destinations(make)) == ["Jürgen"]


def test_storing_that_broke_off_goes_on_behind_its_last_batch(
    max_: PageCheckingClient,
    make: Make,
    bring: Bring,
    work: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit in ("_LINES_AT_FIRST", "_FEWEST_LINES", "_MOST_LINES"):
        monkeypatch.setattr(contact_jobs, limit, 2)
    page = bring("name,number\n" + "".join(f"Ann {turn},{300 + turn}\n" for turn in range(7)))
    whole, calls = contact_jobs._do_batch, iter(range(100))

    def broken(*arguments: object, **more: object) -> float | None:
        if next(calls) == 2:
            raise RuntimeError("the machine went down")
        return whole(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(contact_jobs, "_do_batch", broken)
    max_.send(f"{page}/store")
    work()
    assert len(destinations(make)) == 4
    monkeypatch.setattr(contact_jobs, "_do_batch", whole)
    with make.session() as session:
        [received] = session.scalars(select(ContactImport))
        assert (received.state, received.added_count) == (ContactState.STORING, 4)
        session.execute(update(Job).values(run_at=EPOCH))
        session.commit()
    work()
    with make.session() as session:
        [received] = session.scalars(select(ContactImport))
        assert (received.state, received.added_count, received.same_count) == (ContactState.STORED, 7, 0)
    assert len(destinations(make)) == 7


def test_a_file_can_be_thrown_away(max_: PageCheckingClient, make: Make, bring: Bring) -> None:
    page = bring("name,number\nAnn,204\n")
    assert max_.send(f"{page}/throw-away").location == IMPORT
    assert "thrown away" in max_.get(page).text
    assert max_.send(f"{page}/store", part=True).status_code == 422
    assert max_.send(f"{page}/throw-away", part=True).status_code == 422
    with make.session() as session:
        assert session.scalar(select(func.count(StoredFile.id))) == 0
    assert destinations(make) == {}


def test_without_a_file_or_lines_the_form_says_so(max_: PageCheckingClient) -> None:
    answer = max_.send(IMPORT, {"lines": " "})
    assert answer.status_code == 422
    assert "Choose a file, or paste its lines below." in answer.text


def test_who_may_not_export_or_sees_dots_gets_no_file(client: PageCheckingClient, make: Make, cast: Cast) -> None:
    add(make, "Ann", NUMBER)
    make.membership(cast.vera, may_export=False)
    client.sign_in(cast.vera)
    assert client.get(f"{LIST}/export").status_code == 403
    assert client.get(IMPORT).status_code == 403
    make.membership(cast.max, numbers=Numbers.MASKED)
    waiting = f"{IMPORT}/{spell_id(make.contact_import().id)}"
    client.sign_in(cast.max)
    for address in (f"{LIST}/export", IMPORT, waiting, f"{waiting}/progress"):
        assert client.get(address).status_code == 403
    for address in (IMPORT, f"{waiting}/store", f"{waiting}/throw-away"):
        assert client.send(address).status_code == 403
