"""The console's list of organizations: their counts, its orders, its pages by key, and looking for one."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select, update

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.organizations.actions import create_organization
from webapp.organizations.models import OrganizationUsage
from webapp.staff.jobs import count_organizations
from webapp.staff.listing import ON_A_PAGE, Asked, Sort, page_of
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, staff_session, writing_session

CONSOLE, FIND = "/staff/", "/staff/find"


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*>([^<]+)</a>', page)


def more(database: Database, count: int, **figures: int) -> None:
    """So many more organizations, each with these figures plus its number modulo 7: many have the same."""
    with writing_session(database) as session:
        for number in range(count):
            row = Organization(
                id=1000 + number,
                slug=f"firm-{number:03}",
                name=f"Firm {number % 40:03}",
                time_zone="Europe/London",
                region="GB",
                state=OrganizationState.OPEN,
                contact="",
                idle_minutes=30,
                second_factor_required=False,
                created_at=NOON,
            )
            zeros = ("people", "calls", "recent_calls", "file_bytes", "waiting_bytes", "sources", "silent_sources")
            values: dict[str, Any] = dict.fromkeys((*zeros, "failing_sources", "openings"), 0)
            values |= {name: figure + number % 7 for name, figure in figures.items()}
            session.add(row)
            session.flush()
            session.add(
                OrganizationUsage(
                    organization_id=row.id, counted_at=now(), owners=f"owner-{number}@firm.example", **values
                )
            )
        session.commit()


def test_each_with_its_counts(staff_client: PageCheckingClient, make: Make, cast: Cast) -> None:
    for number in range(3):
        make.call(started_at=now() - timedelta(hours=number + 1))
    make.membership(cast.olive, last_used_at=now())
    count_organizations(make.database)

    page = staff_client.get(CONSOLE).text

    assert names(page) == ["Harbour Boats", "Quayside Ltd"]
    [row] = [row for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL) if "Harbour" in row]
    words = " ".join(re.sub(r"<[^>]+>", " ", row).split())
    assert "harbour" in words and "4 people 3 calls stored 0 B of files 1 phone system well" in words, words
    assert f"{now().day} {now():%B}" in words


def test_a_new_one_is_listed_at_once(staff_client: PageCheckingClient, make: Make) -> None:
    with writing_session(make.database) as session:
        create_organization(session, "just-now", "Just Now", "Europe/London", "GB")
        session.commit()

    page = staff_client.get(CONSOLE).text

    assert "Just Now" in names(page)
    assert page.count("Not counted yet") == 3
    count_organizations(make.database)
    assert "Not counted yet" not in staff_client.get(CONSOLE).text


@pytest.mark.parametrize("sort", list(Sort))
def test_pages_by_key_show_each_once(staff_client: PageCheckingClient, make: Make, sort: Sort) -> None:
    more(make.database, 2 * ON_A_PAGE + 10, calls=5, file_bytes=10, failing_sources=0, last_sign_in_day=20_000)
    found: list[str] = []
    address, pages = f"{CONSOLE}?sort={sort.value}", 0
    while address:
        text = staff_client.get(address).text if not pages else staff_client.get_part(address).text
        found += re.findall(r'href="/staff/organizations/(?!new")([0-9a-z]+)"', text)
        pages += 1
        following = re.search(r'data-hx-get="(/staff/\?[^"]+)"', text)
        address = following[1].replace("&amp;", "&") if following else ""
    assert pages == 3
    assert len(found) == len(set(found)) == 2 * ON_A_PAGE + 12


def test_the_largest_come_first(staff_client: PageCheckingClient, make: Make) -> None:
    more(make.database, 9, calls=5)
    with writing_session(make.database) as session:
        session.execute(update(OrganizationUsage).where(OrganizationUsage.organization_id == 1003).values(calls=999))
        session.commit()
    assert names(staff_client.get(f"{CONSOLE}?sort=calls").text)[0] == "Firm 003"


def test_by_state(staff_client: PageCheckingClient, make: Make, cast: Cast) -> None:
    with writing_session(make.database) as session:
        session.get_one(Organization, cast.quayside.id).state = OrganizationState.SUSPENDED
        session.commit()
    assert names(staff_client.get(f"{CONSOLE}?state=suspended").text) == ["Quayside Ltd"]
    assert names(staff_client.get(f"{CONSOLE}?state=nonsense&sort=nonsense&after=nonsense").text) == [
        "Harbour Boats",
        "Quayside Ltd",
    ]
    empty = staff_client.get(f"{CONSOLE}?state=closed").text
    assert "No organization is in this state" in empty


@pytest.mark.parametrize("words", ["boats", "HARBOUR", "harbour bo", "olive@example", "olive@example.com"])
def test_by_name_and_by_an_owner_s_address(staff_client: PageCheckingClient, make: Make, words: str) -> None:
    count_organizations(make.database)
    staff_client.get(CONSOLE)
    answer = staff_client.send(FIND, {"q": words})
    assert answer.status_code == 200
    assert names(answer.text) == ["Harbour Boats"]
    assert not re.findall(rf'(?:href|action|get)="[^"]*{re.escape(words.split("@")[0])}[^"]*"', answer.text)


def test_nobody_but_owners_is_found_by_address(staff_client: PageCheckingClient, make: Make) -> None:
    count_organizations(make.database)
    staff_client.get(CONSOLE)
    assert "No organization has this" in staff_client.send(FIND, {"q": "vera@example.com"}).text
    assert "No organization has this" in staff_client.send(FIND, {"q": "%"}).text


def test_a_look_for_nothing_leads_to_the_list(staff_client: PageCheckingClient) -> None:
    staff_client.get(CONSOLE)
    assert staff_client.send(FIND, {"q": "  ", "sort": "calls"}).location == "/staff/?sort=calls"


def test_many_that_have_the_words_are_not_all_shown(staff_client: PageCheckingClient, make: Make) -> None:
    more(make.database, 60)
    staff_client.get(CONSOLE)
    page = staff_client.send(FIND, {"q": "firm"}, part=True).text
    assert len(names(page)) == 50
    assert "The first 50 with “firm”" in page


def test_no_words_are_logged(staff_client: PageCheckingClient, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    staff_client.get(CONSOLE)
    with caplog.at_level("DEBUG"):
        staff_client.send(FIND, {"q": "olive@example.com"})
    assert "olive" not in caplog.text


@pytest.mark.parametrize("person", ["olive", "max", "vera", "quentin", "nora"])
def test_to_everybody_else_there_is_no_console(client: PageCheckingClient, cast: Cast, person: str) -> None:
    client.sign_in(getattr(cast, person))
    missing = client.get("/staff/nothing").status_code
    for path in (CONSOLE, "/staff/service", f"/staff/organizations/{spell_id(cast.harbour.id)}"):
        assert client.get(path).status_code == missing == 404
    assert client.send(FIND, {"q": "boats"}).status_code == 404


def test_a_stranger_signs_in_first(client: PageCheckingClient, cast: Cast) -> None:
    assert client.get(CONSOLE).status_code == 303


def plan(database: Database, asked: Asked) -> str:
    """How the engine would read a page, where sorting is as dear as it is with ten thousand."""
    caught: list[tuple[str, Any]] = []

    def catch(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        caught.append((statement, parameters))

    with staff_session(database) as session:
        statement = page_of(session, asked)
        event.listen(database.engine, "before_cursor_execute", catch)
        try:
            session.execute(statement)
        finally:
            event.remove(database.engine, "before_cursor_execute", catch)
    sql, values = caught[-1]
    with database.engine.connect() as connection:
        if database.dialect == "sqlite":
            return " ".join(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values))
        for way in ("sort", "incremental_sort", "seqscan", "hashjoin", "mergejoin"):
            connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        return " ".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}", values))


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("state", [None, OrganizationState.OPEN])
def test_no_page_sorts_all_of_them(make: Make, sort: Sort, state: OrganizationState | None) -> None:
    more(make.database, 60, calls=1)
    with reading_session(make.database) as session:
        after = session.scalars(select(Organization.id).order_by(Organization.id)).first()
    for asked in (Asked(state, sort), Asked(state, sort, after)):
        found = plan(make.database, asked)
        assert "TEMP B-TREE" not in found and "Sort" not in found, found


def test_without_a_database_role_it_says_what_to_set(app: Flask, staff_client: PageCheckingClient) -> None:
    known = app.extensions["callbook"]
    app.extensions["callbook"] = replace(known, staff_database=None)
    try:
        for path in (CONSOLE, "/staff/service"):
            page = staff_client.get(path)
            assert page.status_code == 503
            assert "DATABASE_STAFF_URL" in page.text
    finally:
        app.extensions["callbook"] = known
