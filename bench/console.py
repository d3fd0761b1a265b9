"""The staff console with ten thousand organizations: pages of the list, searches, one of them, each in 100 ms."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from bench.browser import BASE_URL
from bench.engines import Engine
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import Watch, interleave
from tests.staff.signed_in import sign_in_as_staff
from webapp import create_app
from webapp.accounts.people import create_user
from webapp.clock import now
from webapp.database.engine import Database
from webapp.organizations.models import OrganizationUsage
from webapp.staff.feature_use import FEATURE_USE
from webapp.staff.jobs import count_organizations
from webapp.tallies import add, today, write_down
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import writing_session

MOST_SECONDS = 0.1
_AT_ONCE = 1000
_COUNTED = 200
_TOWNS = ("Harbour", "Quay", "Mill", "Station", "Castle", "Abbey", "Market", "Bridge", "Orchard", "Lock")
_TRADES = ("Boats", "Dental", "Motors", "Bakery", "Estates", "Vets", "Lawyers", "Tiles", "Travel", "Print")
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    name = f"{engine.name.lower()}-console"
    place = engine.create(name)
    database = place.open()
    _fill(database, scale.console_organizations)
    engine.settle(name)
    app = create_app(place.settings, database)
    client = _sign_in(app, database)
    pages = {
        "the first page, by name": _getting(client, "/staff/"),
        "the first page, most calls first": _getting(client, "/staff/?sort=calls"),
        "a page further on, most calls first": _getting(client, _further(client, "/staff/?sort=calls", 5)),
        "looking for a word": _finding(client, "castle bakery"),
        "looking for an owner's address": _finding(client, f"owner-{scale.console_organizations - 1}@"),
        "one organization": _getting(client, _first_of(client)),
        "the service": _getting(client, "/staff/service"),
    }
    for what, runs in zip(pages, interleave(scale.rounds, *pages.values()), strict=True):
        note = f"CPU {milliseconds(runs.cpu)}, worst run {milliseconds(runs.worst)}"
        what = f"{engine.name}: console of {scale.console_organizations:,} organizations, {what}"
        yield in_time(what, runs.wall, MOST_SECONDS, note)
    yield _count(engine, scale, database)
    app.extensions["callbook"].staff_database.dispose()
    database.dispose()
    engine.drop(name)


def _count(engine: Engine, scale: Scale, database: Database) -> Result:
    """The hourly chore, over a part of them: what one organization takes."""
    part = min(_COUNTED, scale.console_organizations)
    with writing_session(database) as session:
        due = OrganizationUsage.organization_id < _id_of(part)
        session.execute(update(OrganizationUsage).where(due).values(counted_at=_FIRST + timedelta(days=500)))
        session.commit()
    with Watch() as watch:
        count_organizations(database)
    note = f"CPU {milliseconds(watch.cpu / part)}"
    what = f"{engine.name}: counting one organization for the console, of {part} in a row"
    return in_time(what, watch.wall / part, MOST_SECONDS, note)


def _fill(database: Database, count: int) -> None:
    """Organizations with counts, and a month of use of four features by each."""
    for start in range(0, count, _AT_ONCE):
        turns = range(start, min(start + _AT_ONCE, count))
        with writing_session(database) as session:
            session.add_all([_organization(turn) for turn in turns])
            session.flush()
            session.add_all([_usage(turn) for turn in turns])
            session.commit()
        for turn in turns[:: max(1, len(turns) // 100)]:
            for day in range(30):
                for feature in ("calls", "reports", "people", "sources"):
                    add(database, FEATURE_USE, today() - day, _id_of(turn), feature, times=turn % 9 + 1)
            write_down(database)


def _id_of(turn: int) -> int:
    return (1 << 40) + turn * 7919


def _organization(turn: int) -> Organization:
    return Organization(
        id=_id_of(turn),
        slug=f"firm-{turn}",
        name=f"{_TOWNS[turn % 10]} {_TRADES[turn // 10 % 10]} {turn}",
        time_zone="Europe/London",
        region="GB",
        state=OrganizationState.SUSPENDED if turn % 50 == 0 else OrganizationState.OPEN,
        contact="",
        idle_minutes=30,
        second_factor_required=False,
        created_at=_FIRST + timedelta(hours=turn),
    )


def _usage(turn: int) -> OrganizationUsage:
    return OrganizationUsage(
        organization_id=_id_of(turn),
        counted_at=now(),
        owners=f"owner-{turn}@firm-{turn}.example\nsecond-{turn}@firm-{turn}.example",
        people=turn % 40 + 1,
        calls=turn * 7919 % 1_000_003,
        recent_calls=turn * 31 % 9_973,
        file_bytes=turn * 104_729 % 5_000_000_011,
        waiting_bytes=0,
        sources=turn % 4,
        silent_sources=1 if turn % 17 == 3 else 0,
        failing_sources=1 if turn % 23 == 3 else 0,
        openings=0,
        last_call_day=today() - turn % 5,
        last_sign_in_day=None if turn % 11 == 0 else today() - turn % 90,
    )


def _sign_in(app: Flask, database: Database) -> FlaskClient:
    with writing_session(database) as session:
        person = create_user(session, "stella@example.com", "nine slow tides under the pier")
        person.is_staff = True
        session.commit()
    client: Any = app.test_client()
    sign_in_as_staff(app, client, database, person)
    return client  # type: ignore[no-any-return]


def _getting(client: FlaskClient, path: str) -> Callable[[], None]:
    def run() -> None:
        answer = client.get(path, base_url=BASE_URL)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} answered {answer.status_code}")

    return run


def _finding(client: FlaskClient, words: str) -> Callable[[], None]:
    page = client.get("/staff/", base_url=BASE_URL).text
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]

    def run() -> None:
        answer = client.post("/staff/find", base_url=BASE_URL, data={"csrf_token": token, "q": words})
        if answer.status_code != 200 or "/staff/organizations/" not in answer.text:
            raise RuntimeError(f"looking for {words} answered {answer.status_code}")

    return run


def _further(client: FlaskClient, path: str, pages: int) -> str:
    """The address of the rows so many pages on."""
    for _ in range(pages):
        found = re.search(r'data-hx-get="(/staff/\?[^"]+)"', client.get(path, base_url=BASE_URL).text)
        path = found[1].replace("&amp;", "&") if found else path
    return path


def _first_of(client: FlaskClient) -> str:
    return re.findall(r'href="(/staff/organizations/[^"]+)"', client.get("/staff/", base_url=BASE_URL).text)[0]
