"""The owners' page "Who looked", and its file."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.accounts.session_limits import PROVED_FOR
from webapp.audit.actions import record
from webapp.audit.models import AuditDetail, AuditEvent, AuditHead, AuditViewing
from webapp.audit.viewing import sweep_viewing
from webapp.calls.models import Call
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.errors import Forbidden
from webapp.organizations import who_looked, who_looked_views
from webapp.organizations.looked_filter import LookedFilter
from webapp.tenancy.models import Membership, Numbers
from webapp.tenancy.sessions import reading_session

LOOKED = "/o/harbour/who-looked"
EXPORT = f"{LOOKED}/export"


@pytest.fixture
def olive(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.olive)
    return client


def rows_of(text: str) -> list[tuple[str, str]]:
    """Who and what of each row of a page."""
    cells = re.findall(r'<td class="(who|what)">(.*?)</td>', text, re.DOTALL)
    words = [re.sub(r"<[^>]+>", "", content).strip() for _name, content in cells]
    return list(zip(words[::2], words[1::2], strict=True))


def file_of(client: PageCheckingClient, path: str = EXPORT) -> list[dict[str, str]]:
    answer = client.get(path)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def add_events(make: Make, count: int, actor_id: int | None = None, words: str = "Front desk") -> None:
    with make.session() as session:
        for _turn in range(count):
            record(session, "pbx.closed", actor_id=actor_id, name=words)
        session.commit()


# -------------------------------------------------------------------------------------------------------------- who


def test_owners_see_it_and_others_do_not(app: Flask, cast: Cast) -> None:
    for person, status in ((cast.olive, 200), (cast.max, 403), (cast.vera, 403), (cast.quentin, 404), (cast.nora, 404)):
        browser = app.test_client()
        assert isinstance(browser, PageCheckingClient)
        browser.sign_in(person)
        for path in (LOOKED, EXPORT):
            assert browser.get(path).status_code == status, (person.email, path)
            assert browser.post(path).status_code == 405, path
        if person is cast.max:
            assert "Who looked" not in browser.get("/o/harbour/calls").text


def test_the_bar_leads_owners_there(olive: PageCheckingClient) -> None:
    assert f'<a href="{LOOKED}" aria-current="page">Who looked</a>' in olive.get(LOOKED).text


def test_it_shows_nothing_of_another_organization(
    olive: PageCheckingClient, make: Make, cast: Cast, app: Flask
) -> None:
    add_events(make.at(cast.quayside), 1, cast.quentin.id, "Theirs")
    assert "Theirs" not in olive.get(LOOKED).text
    assert "Theirs" not in olive.get(EXPORT).text


# ------------------------------------------------------------------------------------------------------------- rows


def test_the_newest_stands_first_in_plain_words(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    add_events(make, 1, cast.max.id, "Front <desk>")
    shown = rows_of(olive.get(LOOKED).text)
    assert shown[0] == ("max@example.com", "Closed the phone system Front &lt;desk&gt;")
    assert ("olive@example.com", "Signed in") in shown
    assert shown[-1] == ("The operator", "The organization was made")


def test_a_person_with_a_name_is_shown_by_it(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    with make.session() as session:
        session.merge(cast.max).name = "Max Berg"
        session.commit()
    text = olive.get(LOOKED).text
    assert ("Max Berg", "max@example.com joined as manager") in rows_of(text)
    assert 'title="max@example.com"' in text


def leave(make: Make, person_id: int) -> None:
    with make.session() as session:
        session.delete(session.scalars(select(Membership).where(Membership.user_account_id == person_id)).one())
        session.commit()


def test_somebody_who_has_left_is_known_by_what_they_joined_with(
    olive: PageCheckingClient, make: Make, cast: Cast
) -> None:
    add_events(make, 1, cast.vera.id)
    leave(make, cast.vera.id)
    with make.session() as session:
        session.merge(cast.vera).email = "new@elsewhere.example"
        session.commit()
    text = olive.get(LOOKED).text
    assert rows_of(text)[0] == ("vera@example.com (has left)", "Closed the phone system Front desk")
    assert "elsewhere" not in text
    chosen = olive.get(f"{LOOKED}?who={spell_id(cast.vera.id)}").text
    assert "selected>vera@example.com (has left)" in chosen


def test_erased_words_are_said_to_be_erased(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    add_events(make, 1, cast.vera.id)
    leave(make, cast.vera.id)
    with make.session() as session:
        session.execute(update(AuditDetail).values(words=None, salt=b""))
        session.commit()
    shown = rows_of(olive.get(LOOKED).text)
    assert shown[0] == ("Somebody who has left", "Closed the phone system (erased)")
    assert "Closed the phone system (erased)" in [row["What"] for row in file_of(olive)]


def test_times_are_of_the_organization(olive: PageCheckingClient, make: Make) -> None:
    with time_machine.travel(datetime(2026, 7, 1, 23, 30, tzinfo=UTC), tick=False):
        add_events(make, 1)
    assert "2 July 2026, 00:30:00 BST" in olive.get(f"{LOOKED}?from=2026-07-02&to=2026-07-02").text
    assert "2 July 2026" not in olive.get(f"{LOOKED}?to=2026-07-01").text


def test_what_it_is_about_is_a_link_while_it_is_there(olive: PageCheckingClient, make: Make) -> None:
    call = make.call()
    imported = make.import_file(file_name="Old.csv")
    address = f"/o/harbour/calls/{spell_id(call.call_key)}"
    assert olive.get(address).status_code == 200
    refused = f"/o/harbour/imports/{spell_id(imported.id)}"
    assert olive.get(f"{refused}/refused").status_code == 200
    text = olive.get(LOOKED).text
    assert f'<a href="{address}">Looked at the call of 15 July 2026, 13:00:00 BST</a>' in text
    assert f'<a href="{refused}">Looked at the lines of Old.csv that could not be read</a>' in text
    with make.session() as session:
        session.delete(session.scalars(select(Call)).one())
        session.commit()
    assert f'href="{address}"' not in olive.get(LOOKED).text


# --------------------------------------------------------------------------------------------------- pages and parts


def test_fifty_a_page_and_the_way_on(olive: PageCheckingClient, make: Make) -> None:
    add_events(make, 70)
    first = olive.get(LOOKED).text
    assert len(rows_of(first)) == 50
    more = re.search(r'data-hx-get="([^"]+)"', first)
    assert more and "Show earlier events" in first
    part = olive.get_part(more[1].replace("&amp;", "&")).text
    assert part.lstrip().startswith("{#") is False and "<html" not in part
    whole = olive.get(more[1]).text
    assert rows_of(part) == rows_of(whole)
    assert "That is all." in part and "From the newest" in whole
    seen = [*rows_of(first), *rows_of(part)]
    assert seen.count(("The operator", "Closed the phone system Front desk")) == 70
    assert seen[-1] == ("The operator", "The organization was made")


def test_the_foot_tells_the_chain_and_claims_no_more(olive: PageCheckingClient, make: Make) -> None:
    olive.get(LOOKED)  # that is an event itself
    with reading_session(make.database, make.organization.id) as session:
        head = session.scalars(select(AuditHead)).one()
    words = " ".join(olive.get(LOOKED).text.split())
    assert f"<code>{head.row_hash.hex()[:16]}</code>" in words
    assert f"{head.position} events are in this list" in words
    assert "verified" not in words


# ---------------------------------------------------------------------------------------------------------- filters


def test_filters_narrow_rows_and_file_alike(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    add_events(make, 2, cast.max.id)
    add_events(make, 1)
    max_key = spell_id(cast.max.id)
    for query, expected in (
        (f"who={max_key}", 3),
        (f"who={max_key}&what=imports", 2),
        ("who=operator&what=imports", 1),
        ("who=operator&what=settings", 1),
        ("what=people", 4),
        ("to=2020-01-01", 0),
    ):
        assert len(rows_of(olive.get(f"{LOOKED}?{query}").text)) == expected, query
        assert len(file_of(olive, f"{EXPORT}?{query}")) == expected, query
    page = olive.get(f"{LOOKED}?who={max_key}&what=imports").text
    assert f'<a href="{LOOKED}?what=imports" aria-label="Remove: Who max@example.com">' in page


def test_nothing_found_offers_the_way_out(olive: PageCheckingClient) -> None:
    page = olive.get(f"{LOOKED}?to=2020-01-01").text
    assert "Nothing like this was recorded" in page and "Take all filters off" in page


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("who=!", "There is no such choice"),
        ("what=everything-else", "There is no such choice"),
        ("from=yesterday", "This is no day"),
        ("from=20260101&to=0001-01-01", "This is no day"),
        ("from=2026-02-02&to=2026-02-01", "The last day lies before the first"),
        ("after=OIL", "This part of the address is damaged"),
    ],
)
def test_a_wrong_filter_says_what_to_do(olive: PageCheckingClient, query: str, words: str) -> None:
    answer = olive.get(f"{LOOKED}?{query}")
    assert answer.status_code == 422
    assert words in answer.text
    assert olive.get(f"{EXPORT}?{query}").status_code == 422


# ------------------------------------------------------------------------------------------------------------- file


def test_the_file_holds_all_of_the_selection_with_hashes(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    add_events(make, 60, cast.max.id, "=HYPERLINK(1)")
    rows = file_of(olive)
    with reading_session(make.database, make.organization.id) as session:
        events = session.scalars(select(AuditEvent).order_by(AuditEvent.position.desc())).all()
    assert [int(row["Number"]) for row in rows] == [event.position for event in events]
    assert [row["Hash"] for row in rows] == [event.row_hash.hex() for event in events]
    assert rows[0]["What"] == "Exported this list: everything"
    assert rows[1]["Group"] == "Imports and phone systems"


def test_no_cell_of_the_file_is_a_formula(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    with make.session() as session:
        session.merge(cast.max).name = "=cmd|' /C calc'!A0"
        session.commit()
    add_events(make, 1, cast.max.id)
    assert "'=cmd|' /C calc'!A0" in {row["Who"] for row in file_of(olive)}


def test_a_masked_owner_sees_no_words_of_searches(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    with make.session() as session:
        record(session, "search.made", actor_id=cast.max.id, words="“020 7946 0182”")
        session.commit()
    assert "020 7946 0182" in olive.get(LOOKED).text
    with make.session() as session:
        session.get_one(Membership, (cast.harbour.id, cast.olive.id)).numbers = Numbers.MASKED
        session.commit()
    for text in (olive.get(LOOKED).text, str(file_of(olive))):
        assert "0182" not in text
        assert "Searched the calls for (not shown to you)" in text


@pytest.mark.parametrize("address", [EXPORT, f"{LOOKED}/chain"])
def test_security_17_a_long_record_is_taken_away_with_a_fresh_proof(
    olive: PageCheckingClient, make: Make, cast: Cast, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    for _turn in range(3):
        olive.get(address)
    with time_machine.travel(now() + PROVED_FOR):
        assert olive.get(address).status_code == 200
        monkeypatch.setattr(who_looked_views, "UNPROVED_AT_MOST", 2)
        answer = olive.get(address)
        assert (answer.status_code, answer.location) == (303, f"/prove?next={address}")
        assert f'href="{address}" download' not in olive.get(LOOKED).text, "else the question would be saved as a file"


def test_whoever_may_not_export_takes_no_file_away(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    with make.session() as session:
        session.get_one(Membership, (cast.harbour.id, cast.olive.id)).may_export = False
        session.commit()
    assert olive.get(EXPORT).status_code == 403
    with make.session() as session:
        session.get_one(Membership, (cast.harbour.id, cast.olive.id)).narrowed = True
        session.commit()
    assert olive.get(LOOKED).status_code == 403


def test_the_file_ends_when_the_reader_is_no_owner_any_more(
    olive: PageCheckingClient, make: Make, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(who_looked, "_ROWS_AT_ONCE", 2)
    add_events(make, 20)
    chunks = who_looked.export_events(
        make.database, make.organization.id, cast.olive.id, LookedFilter(), ZoneInfo("Europe/London"), masked=False
    )
    assert len(next(chunks)) == 2
    leave(make, cast.olive.id)
    with pytest.raises(Forbidden):
        next(chunks)


# ---------------------------------------------------------------------------------------------------------- viewing


def events_of(database: Database, organization_id: int) -> list[tuple[str, int | None, dict[str, object]]]:
    with reading_session(database, organization_id) as session:
        rows = session.execute(
            select(AuditEvent.kind, AuditEvent.actor_id, AuditDetail.words)
            .join(AuditDetail, AuditDetail.position == AuditEvent.position)
            .order_by(AuditEvent.position)
        )
        return [(kind, actor, json.loads(words)) for kind, actor, words in rows]


def kinds_after(make: Make, act: Callable[[], object]) -> list[str]:
    before = len(events_of(make.database, make.organization.id))
    act()
    return [kind for kind, _actor, _words in events_of(make.database, make.organization.id)[before:]]


def test_views_are_noted_once_in_a_quarter_of_an_hour(olive: PageCheckingClient, make: Make, cast: Cast) -> None:
    calls = [make.call(), make.call()]
    addresses = [f"/o/harbour/calls/{spell_id(call.call_key)}" for call in calls]
    start = datetime(2027, 11, 25, 12, 0, tzinfo=UTC)

    def look() -> None:
        for path in (*addresses, "/o/harbour/calls", "/o/harbour/", LOOKED, "/o/harbour/calls?period=7d"):
            assert olive.get(path).status_code == 200

    with time_machine.travel(start, tick=False) as clock:
        olive.sign_in(cast.olive)
        olive.get("/o/harbour/")
        clock.shift(timedelta(minutes=15))
        once = kinds_after(make, look)
        assert sorted(once) == ["call.viewed"] * 2 + ["call_log.viewed", "overview.viewed", "who_looked.viewed"]
        clock.shift(timedelta(minutes=14))
        assert kinds_after(make, look) == []
        clock.shift(timedelta(minutes=2))
        assert len(kinds_after(make, look)) == 5


def test_old_notes_of_views_are_swept(olive: PageCheckingClient, make: Make) -> None:
    olive.get(LOOKED)
    sweep_viewing(make.database)
    with make.session() as session:
        assert session.scalars(select(AuditViewing)).all()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        sweep_viewing(make.database)
    with make.session() as session:
        assert not session.scalars(select(AuditViewing)).all()
        assert session.scalars(select(AuditEvent).where(AuditEvent.kind == "who_looked.viewed")).all()


def test_a_page_that_cannot_be_noted_is_not_shown(
    app: Flask, olive: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = make.call(names={"+442079460123": "Canary"})

    def fail(*_arguments: object, **_words: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr("webapp.audit.viewing.record", fail)
    app.testing = False
    answer = olive.get(f"/o/harbour/calls/{spell_id(call.call_key)}")
    assert answer.status_code == 500 and "Canary" not in answer.text
