"""While an organization lets support look: what they see, what its people are told, what is recorded, what ends it."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.every_address import ids_of
from tests.make import Make
from tests.staff.conftest import StaffClient, StaffSignIn
from webapp.accounts.models import UserAccount
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.calls import export
from webapp.calls.models import CallSearch
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.database.staff_rights import EVERYTHING, Area
from webapp.destinations import contact_export
from webapp.errors import Forbidden
from webapp.organizations import looks
from webapp.sources import refused_views
from webapp.tenancy.consent_models import AccessGrant, AccessOpening
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import reading_session, writing_session

LOG = "/o/harbour/calls"
CALLER, CALLER_SHOWN = "+442079460123", "020 7946 0123"


@pytest.fixture
def filled(make: Make) -> dict[str, int]:
    make.call(caller=CALLER, callee="201", talk=60)
    return ids_of(make)


def open_to(make: Make, cast: Cast, client: StaffClient, areas: Area = EVERYTHING, **fields: object) -> AccessOpening:
    grant = make.grant(cast.olive, areas, **fields)
    return make.opening(grant, cast.stella, web_session_id=client.web_session_id)


def events(database: Database, cast: Cast, actor: UserAccount) -> list[tuple[str, str]]:
    """Kind and words of what the person did, in Harbour's audit."""
    with reading_session(database, cast.harbour.id) as session:
        rows = session.execute(
            select(AuditEvent.kind, AuditDetail.words)
            .join(
                AuditDetail,
                (AuditDetail.organization_id == AuditEvent.organization_id)
                & (AuditDetail.position == AuditEvent.position),
            )
            .where(AuditEvent.actor_id == actor.id)
            .order_by(AuditEvent.position)
        )
        return [(kind, words) for kind, words in rows]


def end(database: Database, opening: AccessOpening) -> None:
    with writing_session(database, opening.organization_id) as session:
        session.get_one(AccessOpening, (opening.organization_id, opening.id)).ended_at = now()
        session.commit()


# ------------------------------------------------------------------------------------------------ what support sees


def test_support_sees_the_calls_in_full_or_masked_as_it_was_allowed(
    staff_client: StaffClient, cast: Cast, make: Make, database: Database, filled: dict[str, int]
) -> None:
    opening = open_to(make, cast, staff_client, Area.CALLS)
    assert CALLER_SHOWN in staff_client.get(f"{LOG}?period=all").text
    end(database, opening)
    open_to(make, cast, staff_client, Area.CALLS, full_numbers=False)
    page = staff_client.get(f"{LOG}?period=all").text
    assert CALLER_SHOWN not in page and "020 7946 ••••" in page


@pytest.mark.parametrize("area", [*Area, EVERYTHING])
def test_menus_and_forms_are_those_of_what_is_open(
    staff_client: StaffClient, cast: Cast, make: Make, filled: dict[str, int], area: Area
) -> None:
    open_to(make, cast, staff_client, area)
    home = {
        Area.CALLS: "calls",
        Area.DESTINATIONS: "destinations",
        Area.SOURCES: "phone-systems",
        Area.PEOPLE: "people",
    }
    labels = {
        Area.CALLS: ("Overview", "Calls", "To return"),
        Area.DESTINATIONS: ("Destinations",),
        Area.SOURCES: ("Phone systems",),
        Area.PEOPLE: ("People",),
    }
    for each in area:
        page = staff_client.get(f"/o/harbour/{home[each]}").text
        nav = re.search(r'<nav aria-label="Pages">(.*?)</nav>', page, re.DOTALL)
        assert nav is not None
        found = re.findall(r">([^<]+)</a>", nav[1])
        assert sorted(found) == sorted(label for one in area for label in labels[one])
        assert "Leave Harbour" not in page
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', page)
        searches = {f"{LOG}/search", "/o/harbour/destinations/search", "/o/harbour/destinations/test"}
        assert {form for form in forms if form.startswith("/o/")} <= searches


def test_a_search_is_kept_for_support_by_the_web_role(
    staff_client: StaffClient, cast: Cast, make: Make, database: Database, filled: dict[str, int]
) -> None:
    open_to(make, cast, staff_client, Area.CALLS)
    staff_client.get(LOG)
    answer = staff_client.send(f"{LOG}/search", {"words": "946 0123", "period": "all"})
    assert answer.status_code == 303
    assert CALLER_SHOWN in staff_client.get(answer.location).text
    with reading_session(database, cast.harbour.id) as session:
        assert session.scalars(select(CallSearch.user_account_id)).all() == [cast.stella.id]
    kinds = [kind for kind, _words in events(database, cast, cast.stella)]
    assert kinds.count("search.made") == 1
    assert any("946 0123" in words for kind, words in events(database, cast, cast.stella) if kind == "search.made")


def test_the_views_read_as_the_console_does(
    app: Flask, staff_client: StaffClient, cast: Cast, make: Make, database: Database, filled: dict[str, int]
) -> None:
    """By no statement of the web role, but for who is asking and for what is recorded."""
    open_to(make, cast, staff_client)
    asked: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda _c, _u, sql, *_rest: asked.append(sql))
    for path in (LOG, "/o/harbour/destinations", "/o/harbour/phone-systems", "/o/harbour/people"):
        staff_client.get(path)
    tables = {name for sql in asked for name in re.findall(r"\b(?:FROM|JOIN) (\w+)", sql)}
    detail = {"call", "call_party", "party", "destination", "pbx", "invitation", "import_file", "call_day", "number"}
    assert asked and not tables & detail, tables


def test_what_belongs_to_another_area_is_left_out(
    staff_client: StaffClient, cast: Cast, make: Make, database: Database, filled: dict[str, int]
) -> None:
    call = make.call(caller=CALLER, callee="201", talk=60)
    make.record(call, raw=b"secret,raw,line")
    opening = open_to(make, cast, staff_client, Area.CALLS)
    path = f"{LOG}/{spell_id(call.call_key)}"
    page = staff_client.get(path).text
    assert "secret,raw,line" not in page and "not part of what you were let in to see" in page
    assert "Olive" not in page and "olive@example.com" not in page
    end(database, opening)
    open_to(make, cast, staff_client, Area.CALLS | Area.SOURCES)
    assert "secret,raw,line" in staff_client.get(path).text


def test_support_is_nobody_of_the_organization(
    client: PageCheckingClient,
    staff_client: StaffClient,
    cast: Cast,
    make: Make,
    database: Database,
    filled: dict[str, int],
) -> None:
    open_to(make, cast, staff_client)
    for path in (LOG, "/o/harbour/", "/o/harbour/calls-to-return", "/o/harbour/people"):
        page = staff_client.get(path)
        assert page.status_code == 200
        assert "stella@example.com</strong>" not in page.text
    with reading_session(database, cast.harbour.id) as session:
        mine = select(func.count()).select_from(Membership).where(Membership.user_account_id == cast.stella.id)
        assert session.scalar(mine) == 0
    assert {kind.partition(".")[0] for kind, _words in events(database, cast, cast.stella)} == {"support"}
    client.sign_in(cast.olive)
    assert "stella" not in client.get("/o/harbour/people").text.replace("stella@example.com</b>) is looking", "")
    choices = re.search(r'<select[^>]*name="who".*?</select>', client.get("/o/harbour/who-looked").text, re.DOTALL)
    assert choices is not None and "stella" not in choices[0]


# ------------------------------------------------------------------------------------------------- what is recorded


def test_security_28_each_request_is_recorded_with_name_and_reason(
    client: PageCheckingClient,
    staff_client: StaffClient,
    cast: Cast,
    make: Make,
    database: Database,
    filled: dict[str, int],
) -> None:
    open_to(make, cast, staff_client, may_download=True)
    before = len(events(database, cast, cast.stella))
    for _ in range(3):
        staff_client.get(LOG)
    staff_client.get_part(LOG)
    staff_client.get(f"{LOG}/export?period=all")
    found = events(database, cast, cast.stella)[before:]
    assert [kind for kind, _words in found] == ["support.viewed"] * 4 + ["support.downloaded", "export.made"]
    for kind, words in found:
        if kind.startswith("support."):
            assert "T-100, Two calls are missing" in words and "stella@example.com" in words and "the call log" in words
    client.sign_in(cast.olive)
    page = client.get("/o/harbour/who-looked?what=support").text
    assert "stella@example.com of support looked at the call log: T-100, Two calls are missing" in page
    assert "stella@example.com (support)" in page


def test_security_28_what_cannot_be_recorded_is_not_sent(
    app: Flask,
    staff_client: StaffClient,
    cast: Cast,
    make: Make,
    filled: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_to(make, cast, staff_client, may_download=True)
    assert CALLER in staff_client.get(f"{LOG}/export?period=all").text
    app.testing = False

    def broken(*_arguments: object, **_words: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(looks, "record", broken)
    ran: list[str] = []
    for endpoint in ("calls.index", "calls.export"):
        monkeypatch.setitem(app.view_functions, endpoint, _noted(app.view_functions[endpoint], ran))
    for path in (LOG, f"{LOG}/export?period=all"):
        for ask in (staff_client.get, staff_client.get_part):
            answer = ask(path)
            assert answer.status_code == 500
            assert CALLER not in answer.text and CALLER_SHOWN not in answer.text
            assert "Content-Disposition" not in answer.headers
    assert ran == [], "the view runs once it is recorded"


def _noted(view: Callable[..., Any], ran: list[str]) -> Callable[..., Any]:
    @wraps(view)
    def noted(**values: Any) -> Any:
        ran.append(view.__name__)
        return view(**values)

    return noted


def test_what_ends_meanwhile_is_not_recorded_nor_sent(
    app: Flask,
    staff_client: StaffClient,
    cast: Cast,
    make: Make,
    database: Database,
    filled: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between the guard's look and the record: the record asks again, under the lock that an ending takes too."""
    opening = open_to(make, cast, staff_client)
    hold = looks.hold_head

    def ended_before(session: LockedSession) -> Any:
        held = hold(session)
        session.get_one(AccessOpening, (opening.organization_id, opening.id)).ended_at = now()
        session.flush()
        return held

    monkeypatch.setattr(looks, "hold_head", ended_before)
    before = events(database, cast, cast.stella)
    assert staff_client.get(LOG).status_code == 404
    assert events(database, cast, cast.stella) == before


# ------------------------------------------------------------------------------------------------------- what ends it


def test_the_next_request_is_cut(
    client: PageCheckingClient,
    staff_client: StaffClient,
    cast: Cast,
    make: Make,
    database: Database,
    filled: dict[str, int],
) -> None:
    opening = open_to(make, cast, staff_client)
    assert staff_client.get(LOG).status_code == 200
    client.sign_in(cast.olive)
    page = client.get(LOG).text
    assert "End now" in page
    client.sign_in(cast.olive)
    answer = client.send(f"/o/harbour/support/allowed/{spell_id(opening.grant_id)}/end")
    assert answer.status_code == 303
    for ask in (staff_client.get, staff_client.get_part):
        assert ask(LOG).status_code == 404
    assert "is looking" not in client.get(LOG).text
    with reading_session(database, cast.harbour.id) as session:
        grant = session.get_one(AccessGrant, (cast.harbour.id, opening.grant_id))
        assert grant.ended_at is not None and grant.ended_by == cast.olive.id
    assert events(database, cast, cast.olive)[-1][0] == "support.ended"
    make.opening(grant, cast.stella, web_session_id=staff_client.web_session_id)
    assert staff_client.get(LOG).status_code == 404, "what an owner has ended does not open again"


def test_who_looks_closes_it(
    staff_client: StaffClient, sign_in_staff: StaffSignIn, cast: Cast, make: Make, filled: dict[str, int]
) -> None:
    open_to(make, cast, staff_client)
    page = staff_client.get(LOG).text
    assert "You are looking at the call log, destinations, phone systems and files and people" in page
    close = re.search(r'action="(/staff/[^"]+/close)"', page)
    assert close is not None
    sign_in_staff(cast.steven).send(close[1])
    assert staff_client.get(LOG).status_code == 200
    assert staff_client.send(close[1]).status_code == 303
    assert staff_client.get(LOG).status_code == 404


def test_only_owners_end_it(
    client: PageCheckingClient, cast: Cast, make: Make, staff_client: StaffClient, filled: dict[str, int]
) -> None:
    opening = open_to(make, cast, staff_client)
    client.sign_in(cast.max)
    page = client.get(LOG).text
    assert "is looking at your" in page and "End now" not in page
    assert client.send(f"/o/harbour/support/allowed/{spell_id(opening.grant_id)}/end").status_code == 403
    client.sign_in(cast.quentin)
    client.get("/o/quayside/calls")
    assert client.send(f"/o/quayside/support/allowed/{spell_id(opening.grant_id)}/end").status_code == 404
    assert staff_client.get(LOG).status_code == 200


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_CHUNK_ROWS", 2)
    monkeypatch.setattr(refused_views, "_LINES_AT_ONCE", 2)
    monkeypatch.setattr(contact_export, "_AT_ONCE", 2)


def stream(client: StaffClient, path: str) -> Iterator[bytes]:
    answer = client.get(path, buffered=False)
    assert answer.status_code == 200
    return iter(answer.response)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("how", ["opening ended", "grant ended", "narrowed", "expired"])
@pytest.mark.parametrize("what", ["calls", "lines", "destinations"])
def test_a_running_export_stops_within_a_chunk(
    staff_client: StaffClient, cast: Cast, make: Make, database: Database, how: str, what: str
) -> None:
    imported = make.import_file()
    for place in range(6):
        make.call()
        make.refused_line(imported)
        make.destination(f"Place {place}")
    opening = open_to(make, cast, staff_client, may_download=True)
    paths = {
        "calls": f"{LOG}/export?period=all",
        "lines": f"/o/harbour/imports/{spell_id(imported.id)}/refused-lines",
        "destinations": "/o/harbour/destinations/export",
    }
    pieces = stream(staff_client, paths[what])
    next(pieces)
    key = (cast.harbour.id, opening.id)
    with writing_session(database, cast.harbour.id) as session:
        grant = session.get_one(AccessGrant, (cast.harbour.id, opening.grant_id))
        if how == "opening ended":
            session.get_one(AccessOpening, key).ended_at = now()
        elif how == "grant ended":
            grant.ended_at, grant.ended_by = now(), cast.olive.id
        elif how == "narrowed":
            grant.areas = Area.PEOPLE
        else:
            session.get_one(AccessOpening, key).until_at = now() - timedelta(milliseconds=1)
        session.commit()
    with pytest.raises(Forbidden):
        next(pieces)


# ----------------------------------------------------------------------------------------- what its people are told


def test_its_people_are_told_on_every_page(
    client: PageCheckingClient,
    staff_client: StaffClient,
    cast: Cast,
    make: Make,
    database: Database,
    filled: dict[str, int],
) -> None:
    opening = open_to(make, cast, staff_client, Area.CALLS)
    until = opening.until_at.astimezone(ZoneInfo(cast.harbour.time_zone)).strftime("%H:%M")
    client.sign_in(cast.olive)
    for path in (LOG, "/o/harbour/", "/o/harbour/settings", "/o/harbour/people", "/o/harbour/who-looked"):
        page = client.get(path).text
        assert f"Support (<b>stella@example.com</b>) is looking at your call log, until {until}." in page, path
        assert "End now" in page
    for person in (cast.max, cast.vera, cast.nina):
        client.sign_in(person)
        page = client.get(LOG).text
        assert "is looking at your call log" in page and "End now" not in page, person.email
    client.sign_in(cast.quentin)
    assert "is looking at your" not in client.get("/o/quayside/calls").text
    end(database, opening)
    client.sign_in(cast.olive)
    assert "is looking" not in client.get(LOG).text


def test_as_long_as_nobody_looks_a_page_asks_now_and_then_only(
    client: PageCheckingClient,
    staff_client: StaffClient,
    cast: Cast,
    make: Make,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client.sign_in(cast.olive)
    asked: list[str] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _c, _u, sql, *_rest: asked.append(sql) if "access_opening" in sql else None,
    )
    monkeypatch.setattr(looks, "_QUIET_MS", 60_000)
    for _ in range(5):
        client.get(LOG)
    assert len(asked) <= 1
    opening = open_to(make, cast, staff_client)
    monkeypatch.setattr(looks, "_QUIET_MS", 0)
    asked.clear()
    assert "is looking" in client.get(LOG).text
    assert len(asked) == 1
    monkeypatch.setattr(looks, "_QUIET_MS", 60_000)
    looks._quiet.clear()
    for _ in range(2):
        assert "is looking" in client.get(LOG).text, "on every page, not on the first alone"
    end(database, opening)
    assert "is looking" not in client.get(LOG).text, "the end is never late"
