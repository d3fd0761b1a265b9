"""Required by law: entering, agreeing, taking back, the archive, its key, and who is told."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from config import Settings
from tests.accounts.authenticator import mails, words_of, work
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.staff.chains import (
    SERVICE,
    address_of,
    id_in,
    kinds,
    manifest_of,
    open_archive,
    positions,
    rows_of,
    sentences,
    show_key,
    stored,
)
from webapp.accounts.models import AccountState, UserAccount
from webapp.database.engine import Database
from webapp.database.staff_rights import EVERYTHING, Area
from webapp.staff.disclosure_archive import NOTHING_FOUND
from webapp.staff.disclosure_jobs import look_after_disclosures
from webapp.tenancy.consent_models import Disclosure, DisclosureState
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import writing_session

NEW = "/staff/disclosures/new"
WORDS = {
    "organization": "harbour",
    "legal_basis": "Code of Procedure, section 100, order 7/2026",
    "authority": "Court of Harbourtown",
    "scope": "All calls of July 2026",
    "areas": [int(Area.CALLS)],
}


@pytest.fixture
def entered(make: Make, cast: Cast) -> Callable[..., Disclosure]:
    """A disclosure that Stella entered."""
    return lambda **fields: make.disclosure(**{"asked_by": cast.stella.id, **fields})


@pytest.fixture
def produced(
    entered: Callable[..., Disclosure],
    steven_client: PageCheckingClient,
    database: Database,
    settings: Settings,
) -> Callable[..., Disclosure]:
    """One that Stella entered and Steven agreed to, with its archive."""

    def make_one(**fields: Any) -> Disclosure:
        disclosure = entered(**fields)
        assert steven_client.send(address_of(disclosure, "/agree")).status_code == 303
        work(database, settings)
        return stored(database, disclosure)

    return make_one


def sole(database: Database, cast: Cast) -> None:
    """Stella is the only member of staff who can sign in."""
    with writing_session(database) as session:
        session.get_one(UserAccount, cast.steven.id).state = AccountState.DISABLED
        session.commit()


# ---------------------------------------------------------------------------------------------------------- entering


def test_the_register_is_empty_at_first(staff_client: PageCheckingClient) -> None:
    page = staff_client.get("/staff/disclosures")
    assert "No disclosure was ever entered" in page.text
    assert "ever entered: 0" in page.text


def test_it_is_entered_and_listed(staff_client: PageCheckingClient, cast: Cast, database: Database) -> None:
    staff_client.get(NEW)
    done = staff_client.send(NEW, {**WORDS, "first": "2026-07-01", "last": "2026-07-31"})
    assert done.status_code == 303, done.text
    page = staff_client.get(done.location).text
    assert "Waits for a second member of staff" in page
    assert "calls from 1 July 2026 to 31 July 2026" in page
    assert "another member of staff must agree" in page
    assert ">Agree<" not in page
    assert "Harbour Boats" in staff_client.get("/staff/disclosures").text
    [told] = sentences(database, SERVICE, "legal.asked")
    for words in ("stella@example.com", "Harbour Boats", "Court of Harbourtown", "order 7/2026", "31 July 2026"):
        assert words in told
    assert kinds(database, cast.harbour.id, "disclosure") == []
    assert id_in(done.location)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"organization": "nowhere"}, "No organization has this name"),
        ({"organization": ""}, "Give its name in addresses."),
        ({"legal_basis": " "}, "Give the law"),
        ({"authority": ""}, "Say who asks."),
        ({"scope": ""}, "Write what exactly"),
        ({"areas": []}, "Choose what is handed out."),
        ({"first": "2026-07-31", "last": "2026-07-01"}, "The last day is before the first."),
        ({"first": "0001-01-01"}, "Give a day after 1989"),
        ({"first": "tomorrow"}, "This is no day of the calendar. Write it as 2026-05-03, or leave it empty."),
        ({"gag": "Order 8"}, "Say until when"),
        ({"gag_until": "2099-01-01"}, "by whose order"),
        ({"gag": "Order 8", "gag_until": "2020-01-01"}, "This day is over"),
    ],
)
def test_what_makes_no_sense_is_refused_beside_its_field(
    staff_client: PageCheckingClient, database: Database, fields: dict[str, Any], said: str
) -> None:
    staff_client.get(NEW)
    answer = staff_client.send(NEW, {**WORDS, **fields})
    assert answer.status_code == 422
    assert said in answer.text
    assert "Nothing was changed yet." in answer.text
    if fields.get("authority", "x"):
        assert "Court of Harbourtown" in answer.text  # what was typed is kept
    assert "ever entered: 0" in staff_client.get("/staff/disclosures").text
    assert kinds(database, SERVICE) == []


def test_one_day_is_a_period(staff_client: PageCheckingClient) -> None:
    staff_client.get(NEW)
    done = staff_client.send(NEW, {**WORDS, "first": "2026-07-15", "last": "2026-07-15"})
    assert "calls from 15 July 2026 to 15 July 2026" in staff_client.get(done.location).text


def test_one_that_does_not_exist_is_not_found(staff_client: PageCheckingClient) -> None:
    for path in ("/staff/disclosures/1", "/staff/disclosures/1/archive"):
        assert staff_client.get(path).status_code == 404
    for action in ("agree", "take-back", "try-again", "key"):
        assert staff_client.send(f"/staff/disclosures/1/{action}").status_code == 404


@pytest.mark.parametrize("name", ["olive", "quentin"])
def test_nobody_else_finds_any_of_it(
    client: PageCheckingClient, cast: Cast, entered: Callable[..., Disclosure], name: str
) -> None:
    client.sign_in(getattr(cast, name))
    disclosure = entered()
    for path in ("/staff/disclosures", NEW, address_of(disclosure), address_of(disclosure, "/archive")):
        assert client.get(path).status_code == 404
    for action in ("/agree", "/take-back", "/try-again", "/key"):
        assert client.send(address_of(disclosure, action)).status_code == 404


def test_no_form_without_its_token_does_anything(
    staff_client: PageCheckingClient, steven_client: PageCheckingClient, entered: Callable[..., Disclosure]
) -> None:
    paths = [NEW, "/staff/help-code", "/staff/lost-factor", "/staff/lost-factor/1/stop"]
    paths += [address_of(entered(), action) for action in ("/agree", "/take-back", "/try-again", "/key")]
    for path in paths:
        for headers in ({}, {"X-CSRFToken": steven_client.token()}):
            assert staff_client.post(path, headers=headers).status_code == 400, path


# ---------------------------------------------------------------------------------------------------------- agreeing


def test_two_different_staff_must_agree(
    staff_client: PageCheckingClient,
    steven_client: PageCheckingClient,
    cast: Cast,
    entered: Callable[..., Disclosure],
    database: Database,
) -> None:
    disclosure = entered()
    own = staff_client.send(address_of(disclosure, "/agree"))
    assert own.status_code == 422
    assert "another member of staff must agree" in own.text
    assert stored(database, disclosure).state == DisclosureState.WAITS

    assert ">Agree<" in steven_client.get(address_of(disclosure)).text
    assert steven_client.send(address_of(disclosure, "/agree")).status_code == 303
    now_agreed = stored(database, disclosure)
    assert (now_agreed.state, now_agreed.agreed_by) == (DisclosureState.AGREED, cast.steven.id)
    [told] = sentences(database, SERVICE, "legal.agreed")
    assert "steven@example.com" in told and "second of two" in told


def test_agreeing_twice_or_to_what_was_taken_back_changes_nothing(
    steven_client: PageCheckingClient,
    entered: Callable[..., Disclosure],
    database: Database,
    settings: Settings,
) -> None:
    agreed, gone = entered(), entered(state=DisclosureState.TAKEN_BACK)
    steven_client.send(address_of(agreed, "/agree"))
    again = steven_client.send(address_of(agreed, "/agree"))
    assert again.status_code == 422 and "agreed already" in again.text
    late = steven_client.send(address_of(gone, "/agree"))
    assert late.status_code == 422 and "It was taken back" in late.text
    work(database, settings)
    assert steven_client.send(address_of(agreed, "/agree")).status_code == 422
    assert kinds(database, SERVICE, "legal") == ["legal.told", "legal.agreed", "legal.produced"]
    assert stored(database, gone).state == DisclosureState.TAKEN_BACK


def test_an_operator_alone_waits_24_hours_and_it_is_marked(
    clock: time_machine.Traveller,
    enter: Callable[[UserAccount], PageCheckingClient],
    cast: Cast,
    client: PageCheckingClient,
    entered: Callable[..., Disclosure],
    database: Database,
    settings: Settings,
) -> None:
    sole(database, cast)
    disclosure = entered()
    early = enter(cast.stella).send(address_of(disclosure, "/agree"))
    assert early.status_code == 422
    assert "You are the only member of staff" in early.text and "16 July 2026, 12:00 UTC" in early.text
    clock.shift(timedelta(hours=24, seconds=-1))
    assert enter(cast.stella).send(address_of(disclosure, "/agree")).status_code == 422
    clock.shift(1)
    stella = enter(cast.stella)
    assert stella.send(address_of(disclosure, "/agree")).status_code == 303
    work(database, settings)

    assert "Agreed by one person alone." in stella.get(address_of(disclosure)).text
    assert "by one person alone" in stella.get("/staff/disclosures").text
    assert "by one person alone" in sentences(database, SERVICE, "legal.agreed")[0]
    assert "by one person alone" in sentences(database, cast.harbour.id, "disclosure.told")[0]
    assert words_of(mails(database, "disclosure_told")[0])["how"].startswith("by one person alone")
    assert manifest_of(open_archive(stella, disclosure, show_key(stella, disclosure)))["by_one_person_alone"] is True
    client.sign_in(cast.olive)
    assert "by one person alone" in client.get("/o/harbour/who-looked/required-by-law").text


def test_who_is_not_alone_any_more_does_not_agree_alone(
    clock: time_machine.Traveller,
    enter: Callable[[UserAccount], PageCheckingClient],
    cast: Cast,
    entered: Callable[..., Disclosure],
    database: Database,
) -> None:
    disclosure = entered()
    clock.shift(timedelta(hours=30))
    assert enter(cast.stella).send(address_of(disclosure, "/agree")).status_code == 422
    assert stored(database, disclosure).state == DisclosureState.WAITS


# ------------------------------------------------------------------------------------------------------- taking back


def test_it_can_be_taken_back_until_the_archive_is_made(
    staff_client: PageCheckingClient,
    steven_client: PageCheckingClient,
    entered: Callable[..., Disclosure],
    produced: Callable[..., Disclosure],
    database: Database,
    settings: Settings,
) -> None:
    waiting, agreed = entered(), entered()
    assert staff_client.send(address_of(waiting, "/take-back")).status_code == 303
    assert mails(database) == []  # nobody was told of it
    steven_client.send(address_of(agreed, "/agree"))
    assert staff_client.send(address_of(agreed, "/take-back")).status_code == 303
    work(database, settings)
    assert positions(database, agreed) == []
    assert stored(database, agreed).state == DisclosureState.TAKEN_BACK
    assert {mail.template for mail in mails(database)} == {"disclosure_told", "disclosure_taken_back"}
    again = staff_client.send(address_of(agreed, "/take-back"))
    assert again.status_code == 422 and "taken back already" in again.text

    made = staff_client.send(address_of(produced(), "/take-back"))
    assert made.status_code == 422 and "can no longer be taken back" in made.text


def test_taken_back_while_it_is_made_nothing_stays(
    staff_client: PageCheckingClient,
    steven_client: PageCheckingClient,
    make: Make,
    entered: Callable[..., Disclosure],
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make.call(caller="+442079460123")
    disclosure = entered()
    steven_client.send(address_of(disclosure, "/agree"))

    def taking_back(*given: Any) -> Any:
        staff_client.send(address_of(disclosure, "/take-back"))
        return []

    monkeypatch.setattr("webapp.staff.disclosure_archive.list_sheets", taking_back)
    work(database, settings)
    assert stored(database, disclosure).state == DisclosureState.TAKEN_BACK
    monkeypatch.undo()
    look_after_disclosures(database)
    assert positions(database, disclosure) == []


# ------------------------------------------------------------------------------------------------- archive and key


def test_the_archive_holds_exactly_the_scope(
    staff_client: PageCheckingClient,
    make: Make,
    cast: Cast,
    produced: Callable[..., Disclosure],
) -> None:
    def at(day: int, hour: int = 12) -> datetime:
        return datetime(2026, 7, day, hour, tzinfo=UTC)

    make.call(started_at=at(14, 23), caller="+442079460100")
    inside = make.call(started_at=at(15, 0), caller="+442079460101", callee="201", names={"+442079460101": "Ann Lee"})
    make.record(inside, raw=b'"=cmd|x","\xff\\"')
    make.call(started_at=at(16, 0), caller="+442079460102")
    other = make.at(cast.quayside)
    other.call(pbx=other.pbx(), started_at=at(15), caller="+33145678901", callee="301")

    period = {"from_at": at(15, 0), "until_at": at(16, 0)}
    disclosure = produced(areas=Area.CALLS | Area.SOURCES, **period)
    archive = open_archive(staff_client, disclosure, show_key(staff_client, disclosure))

    assert set(archive.namelist()) == {
        *("calls.csv", "who-took-part.csv", "phone-systems.csv", "files.csv", "lines.csv", "manifest.json"),
    }
    [call] = rows_of(archive, "calls.csv")
    assert call.startswith("2026-07-15T00:00:00.000Z,") and "+442079460101,Ann Lee" in call and "inbound" in call
    parties = rows_of(archive, "who-took-part.csv")
    assert sorted(line.split(",")[2] for line in parties) == ["+442079460101", "201"]
    [line] = rows_of(archive, "lines.csv")
    assert line.endswith('"""=cmd|x"",""\\xff\\\\"""')
    everything = b"".join(archive.read(name) for name in archive.namelist())
    for foreign in (b"+442079460100", b"+442079460102", b"+33145678901", b"Phone system 2"):
        assert foreign not in everything


def test_every_area_has_its_files_and_the_manifest_proves_them(
    app: Flask,
    staff_client: PageCheckingClient,
    make: Make,
    cast: Cast,
    produced: Callable[..., Disclosure],
    database: Database,
    tmp_path: Any,
) -> None:
    call = make.call(caller="+442079460123", callee="201")
    make.record(call)
    make.refused_line(make.import_file(), raw=b"no call at all")
    make.destination("Reception", note="=1+1")
    make.number("+442079460000")
    disclosure = produced(areas=EVERYTHING)
    key = show_key(staff_client, disclosure)
    archive = open_archive(staff_client, disclosure, key)
    manifest = manifest_of(archive)

    files = {each["name"]: each for each in manifest["files"]}
    assert set(files) == set(archive.namelist()) - {"manifest.json"}
    for name, each in files.items():
        content = archive.read(name)
        assert each["bytes"] == len(content) and each["rows"] == len(rows_of(archive, name)), name
    assert sum(each["rows"] for each in files.values()) == disclosure.row_count
    assert files["people.csv"]["rows"] == 4 and "olive@example.com" in archive.read("people.csv").decode()
    assert "'=1+1" in archive.read("destinations.csv").decode()
    assert "no call at all" in archive.read("refused-lines.csv").decode()
    assert manifest["authority"] == "Court of Harbourtown" and manifest["by_one_person_alone"] is False
    assert "quentin" not in archive.read("people.csv").decode()

    sealed = tmp_path / "harbour.sealed"
    sealed.write_bytes(staff_client.get(address_of(disclosure, "/archive")).data)
    opened = app.test_cli_runner().invoke(args=["open-disclosure", str(sealed), "--key-stdin"], input=key)
    assert opened.exit_code == 0, opened.output
    assert "every file in it is as its manifest says" in opened.output
    assert (tmp_path / "harbour.zip").read_bytes()[:2] == b"PK"
    for wrong, said in (("0" * 64, "the key is another one"), ("abc", "64 digits")):
        refused = app.test_cli_runner().invoke(
            args=["open-disclosure", str(sealed), "--to", str(tmp_path / "x.zip"), "--key-stdin"], input=wrong
        )
        assert refused.exit_code == 1 and said in refused.output
    assert not list(tmp_path.glob("x.zip*"))
    assert app.test_cli_runner().invoke(args=["open-disclosure", str(sealed), "--key-stdin"], input=key).exit_code == 1


def test_many_calls_go_page_by_page(
    staff_client: PageCheckingClient,
    make: Make,
    produced: Callable[..., Disclosure],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webapp.staff.disclosure_rows._AT_ONCE", 3)
    for number in range(7):
        make.call(caller=f"+44207946010{number}", started_at=datetime(2026, 7, 15, 12, number // 3, tzinfo=UTC))
        make.destination(f"Person {number}")
    disclosure = produced(areas=Area.CALLS | Area.DESTINATIONS)
    archive = open_archive(staff_client, disclosure, show_key(staff_client, disclosure))
    assert len(rows_of(archive, "calls.csv")) == len(set(rows_of(archive, "calls.csv"))) == 7
    assert len(rows_of(archive, "who-took-part.csv")) == 14
    assert len(rows_of(archive, "destinations.csv")) == 7


def test_the_key_is_shown_once_and_to_who_entered_it(
    staff_client: PageCheckingClient,
    steven_client: PageCheckingClient,
    produced: Callable[..., Disclosure],
    database: Database,
) -> None:
    disclosure = produced()
    other = steven_client.send(address_of(disclosure, "/key"))
    assert other.status_code == 422 and "shown to the one who entered" in other.text
    key = show_key(staff_client, disclosure)
    again = staff_client.send(address_of(disclosure, "/key"))
    assert again.status_code == 422 and "shown already" in again.text
    for client in (staff_client, steven_client):
        page = client.get(address_of(disclosure)).text
        assert key not in page and "shown already" in page
    assert min(positions(database, disclosure)) == 0
    assert kinds(database, SERVICE, "legal.key") == ["legal.key_shown"]
    # The archive can be fetched again, by both: it opens with the key alone.
    assert "calls.csv" in open_archive(steven_client, disclosure, key).namelist()
    assert "calls.csv" in open_archive(staff_client, disclosure, key).namelist()
    assert len(sentences(database, SERVICE, "legal.fetched")) == 2


def test_without_the_key_the_stored_archive_tells_nothing(
    staff_client: PageCheckingClient, make: Make, produced: Callable[..., Disclosure]
) -> None:
    make.call(caller="+442079460123")
    disclosure = produced(areas=EVERYTHING)
    sealed = staff_client.get(address_of(disclosure, "/archive"))
    assert sealed.headers["Content-Disposition"].startswith('attachment; filename="harbour-disclosure-')
    for words in (b"442079460123", b"calls.csv", b"Harbour", b"Court"):
        assert words not in sealed.data


def test_a_scope_that_matches_nothing_says_so(
    staff_client: PageCheckingClient, make: Make, produced: Callable[..., Disclosure]
) -> None:
    make.call()
    disclosure = produced(from_at=datetime(2020, 1, 1, tzinfo=UTC), until_at=datetime(2020, 1, 2, tzinfo=UTC))
    page = staff_client.get(address_of(disclosure)).text
    assert "0 rows" in page and "Nothing that is stored matches this scope." in page
    archive = open_archive(staff_client, disclosure, show_key(staff_client, disclosure))
    assert rows_of(archive, "calls.csv") == []
    assert NOTHING_FOUND in manifest_of(archive)["notes"]
    assert [each["rows"] for each in manifest_of(archive)["files"]] == [0, 0]


def test_of_an_organization_that_was_closed(
    staff_client: PageCheckingClient, make: Make, cast: Cast, produced: Callable[..., Disclosure], database: Database
) -> None:
    make.call()
    with writing_session(database) as session:
        session.get_one(Organization, cast.harbour.id).state = OrganizationState.CLOSED
        session.commit()
    staff_client.get(NEW)
    entered_now = staff_client.send(NEW, WORDS)
    assert "This organization was closed." in staff_client.get(entered_now.location).text
    disclosure = produced()
    archive = open_archive(staff_client, disclosure, show_key(staff_client, disclosure))
    assert len(rows_of(archive, "calls.csv")) == 1
    assert len(mails(database, "disclosure_told")) == 1


def test_after_thirty_days_the_archive_is_deleted(
    clock: time_machine.Traveller,
    enter: Callable[[UserAccount], PageCheckingClient],
    cast: Cast,
    produced: Callable[..., Disclosure],
    database: Database,
) -> None:
    disclosure = produced()
    clock.shift(timedelta(days=30))
    look_after_disclosures(database)
    assert positions(database, disclosure) != []
    clock.shift(1)
    look_after_disclosures(database)
    look_after_disclosures(database)
    assert positions(database, disclosure) == []
    assert kinds(database, SERVICE, "legal.deleted") == ["legal.deleted"]
    stella = enter(cast.stella)
    assert "The archive was deleted" in stella.get(address_of(disclosure)).text
    assert stella.get(address_of(disclosure, "/archive")).status_code == 404


# --------------------------------------------------------------------------------------------------------- being told


def test_the_owners_are_told_at_once(
    client: PageCheckingClient, cast: Cast, produced: Callable[..., Disclosure], database: Database
) -> None:
    disclosure = produced()
    [mail] = mails(database, "disclosure_told")
    assert mail.to_address == cast.olive.email
    assert words_of(mail)["authority"] == "Court of Harbourtown"
    assert disclosure.told_at is not None
    [told] = sentences(database, cast.harbour.id, "disclosure")
    assert "Court of Harbourtown" in told and "All calls in July" in told
    client.sign_in(cast.olive)
    assert "Disclosures that we may tell you about: 1" in client.get("/o/harbour/who-looked").text
    page = client.get("/o/harbour/who-looked/required-by-law").text
    assert "Court of Harbourtown" in page and "All calls in July" in page and "0 rows" in page
    other = client.application.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.quentin)
    assert "Disclosures that we may tell you about: 0" in other.get("/o/quayside/who-looked").text
    assert "Nothing that we may tell you about" in other.get("/o/quayside/who-looked/required-by-law").text


@pytest.mark.parametrize("name", ["vera", "max"])
def test_the_page_is_for_owners(client: PageCheckingClient, cast: Cast, name: str) -> None:
    client.sign_in(getattr(cast, name))
    assert client.get("/o/harbour/who-looked/required-by-law").status_code == 403
