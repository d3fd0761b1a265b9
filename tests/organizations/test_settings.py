"""The settings of an organization: the company, and how its people sign in."""

import json
import re
import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import time_machine
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from config import Settings
from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import Make
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.calls.models import CallDay
from webapp.database.engine import Database
from webapp.ingest.zone_change import follow_zone
from webapp.jobs.models import Job, JobState
from webapp.jobs.queue import claim
from webapp.jobs.worker import LEASE, Worker
from webapp.organizations import settings_views
from webapp.organizations.company import COUNT_DAYS
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Membership, Organization, Role
from webapp.tenancy.sessions import reading_session, writing_session

SETTINGS = "/o/harbour/settings"
AS_IT_IS = {"name": "Harbour Boats", "time_zone": "Europe/London", "region": "GB", "contact": ""}


def harbour(database: Database, cast: Cast) -> Organization:
    with reading_session(database) as session:
        return session.get_one(Organization, cast.harbour.id)


def changes(database: Database, cast: Cast) -> list[dict[str, object]]:
    with reading_session(database, cast.harbour.id) as session:
        rows = session.scalars(
            select(AuditDetail)
            .join(AuditEvent, AuditEvent.position == AuditDetail.position)
            .where(AuditEvent.kind == "settings.changed", AuditEvent.actor_id == cast.olive.id)
            .order_by(AuditDetail.position)
        )
        return [json.loads(row.words or "") for row in rows]


def test_each_change_is_stored_and_recorded(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    assert 'value="Harbour Boats"' in client.get(SETTINGS).text
    fields = {"name": "Harbour & Co", "time_zone": "Europe/Paris", "region": "FR", "contact": "Olive, 201"}
    assert client.send(SETTINGS, fields).location == SETTINGS
    assert "The settings are stored." in client.get(SETTINGS).text
    stored = harbour(database, cast)
    assert (stored.name, stored.time_zone) == ("Harbour & Co", "Europe/Paris")
    assert (stored.region, stored.contact, stored.slug) == ("FR", "Olive, 201", "harbour")
    assert changes(database, cast) == [
        {"setting": "The name", "before": "Harbour Boats", "after": "Harbour & Co"},
        {"setting": "The time zone", "before": "Europe/London", "after": "Europe/Paris"},
        {"setting": "The country", "before": "GB", "after": "FR"},
        {"setting": "Whom to ask", "before": "", "after": "Olive, 201"},
    ]


def test_what_stays_is_not_recorded(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    client.get(SETTINGS)
    assert client.send(SETTINGS, AS_IT_IS).status_code == 303
    assert changes(database, cast) == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "Give the organization a name"),
        ("name", "x" * 101, "at most 100"),
        ("time_zone", "Europe/Atlantis", "Not a valid choice"),
        ("region", "ZZ", "Not a valid choice"),
        ("contact", "x" * 201, "at most 200"),
    ],
)
def test_what_cannot_be_is_told(
    client: PageCheckingClient, cast: Cast, database: Database, field: str, value: str, words: str
) -> None:
    client.sign_in(cast.olive)
    client.get(SETTINGS)
    answer = client.send(SETTINGS, {**AS_IT_IS, field: value})
    assert answer.status_code == 422
    assert words in answer.text
    assert harbour(database, cast).name == "Harbour Boats"


@dataclass
class InHarbour:
    """An owner of Harbour, signed in, and the worker."""

    client: PageCheckingClient
    database: Database
    settings: Settings
    cast: Cast

    def choose(self, zone: str) -> TestResponse:
        self.client.get(SETTINGS)
        return self.client.send(SETTINGS, {**AS_IT_IS, "time_zone": zone})

    def page(self) -> str:
        return str(self.client.get(SETTINGS).text)

    def zone_part(self) -> str:
        return str(self.client.get(f"{SETTINGS}/zone", headers=PART).text)

    def stored(self) -> Organization:
        return harbour(self.database, self.cast)

    def work(self) -> int:
        return Worker(self.database, self.settings).run_due()

    def days(self) -> set[int]:
        with reading_session(self.database, self.cast.harbour.id) as session:
            return set(session.scalars(select(CallDay.day)))


@pytest.fixture
def owner(client: PageCheckingClient, database: Database, settings: Settings, cast: Cast) -> InHarbour:
    client.sign_in(cast.olive)
    return InHarbour(client, database, settings, cast)


LATE = datetime(2026, 7, 15, 22, 30, tzinfo=UTC)  #: still this day in London, the next one in Paris


def test_the_zone_changes_where_there_are_calls(owner: InHarbour, make: Make, cast: Cast, database: Database) -> None:
    make.call(started_at=LATE)
    [day] = owner.days()
    assert owner.choose("Europe/Paris").status_code == 303
    # Accepted and recorded; until the job is at it, every page is by the days of before.
    assert (owner.stored().time_zone, owner.stored().next_time_zone, owner.days()) == (
        "Europe/London",
        "Europe/Paris",
        {day},
    )
    page = owner.page()
    assert "Your calls are being counted by the days of Europe/Paris." in page
    assert re.search(r'<option selected value="Europe/Paris">', page)
    assert "data-hx-get" in owner.zone_part()
    assert owner.work() == 1
    assert (owner.stored().time_zone, owner.stored().is_moving, owner.days()) == ("Europe/Paris", False, {day + 1})
    assert "Done: all your calls are counted by the days of Europe/Paris." in owner.zone_part()
    assert "data-hx-get" not in owner.zone_part()
    assert "are counted by the days" not in owner.page()
    assert "Times in Europe/Paris" in owner.page()
    assert changes(database, cast) == [
        {"setting": "The time zone", "before": "Europe/London", "after": "Europe/Paris"},
    ]


def test_another_zone_before_the_first_has_come(owner: InHarbour, make: Make, cast: Cast, database: Database) -> None:
    make.call(started_at=LATE)
    [day] = owner.days()
    for zone in ("Europe/Paris", "America/New_York", "Asia/Tokyo"):
        assert owner.choose(zone).status_code == 303
    owner.work()
    assert (owner.stored().time_zone, owner.stored().is_moving, owner.days()) == ("Asia/Tokyo", False, {day + 1})
    assert [(each["before"], each["after"]) for each in changes(database, cast)] == [
        ("Europe/London", "Europe/Paris"),
        ("Europe/Paris", "America/New_York"),
        ("America/New_York", "Asia/Tokyo"),
    ]


def test_the_old_zone_again_takes_the_change_back(owner: InHarbour, make: Make) -> None:
    make.call(started_at=LATE)
    before = owner.days()
    owner.choose("Europe/Paris")
    owner.choose("Europe/London")
    assert not owner.stored().is_moving
    owner.work()
    assert (owner.stored().time_zone, owner.days()) == ("Europe/London", before)


def test_while_single_numbers_are_counted(owner: InHarbour, make: Make) -> None:
    make.call(started_at=LATE)
    owner.choose("Europe/Paris")
    stopped = iter((False,))
    follow_zone(owner.database, make.organization.id, lambda: next(stopped))
    assert owner.stored().is_moving
    assert "Days are those of Europe/Paris now." in owner.page()
    assert "Times in Europe/Paris" in owner.page()
    owner.work()
    assert "Days are those of" not in owner.page()


@pytest.mark.parametrize("begun", [False, True])
def test_what_has_stopped_says_so_and_goes_on(owner: InHarbour, make: Make, begun: bool) -> None:
    make.call(started_at=LATE)
    owner.choose("Europe/Paris")
    if begun:
        stopped = iter((False,))
        follow_zone(owner.database, make.organization.id, lambda: next(stopped))
    with writing_session(owner.database) as session:
        session.execute(update(Job).where(Job.kind == COUNT_DAYS).values(state=JobState.DEAD))
        session.commit()
    page = owner.page()
    assert "Counting by the new days has stopped" in page
    assert ("by the days of Europe/London" in page) == (not begun)
    assert owner.choose("Europe/Paris").status_code == 303
    assert "has stopped" not in owner.page()
    assert owner.choose("Europe/Paris").status_code == 303  # nobody else is needed
    assert owner.work() == 1
    assert (owner.stored().time_zone, owner.stored().is_moving) == ("Europe/Paris", False)


def test_a_worker_that_dies_half_way_is_followed_by_another(owner: InHarbour, make: Make) -> None:
    make.call(started_at=LATE)
    owner.choose("Europe/Paris")
    held = claim(owner.database, "dies", [COUNT_DAYS], LEASE)
    assert held is not None
    stopped = iter((False,))
    follow_zone(owner.database, make.organization.id, lambda: next(stopped))
    assert owner.work() == 0
    assert "are still being counted" in owner.page()
    with time_machine.travel(datetime.now(UTC) + LEASE, tick=True):
        assert owner.work() == 1
    assert (owner.stored().time_zone, owner.stored().is_moving) == ("Europe/Paris", False)


def test_without_calls_the_zone_changes_at_once(owner: InHarbour, make: Make, cast: Cast) -> None:
    make.at(cast.quayside).call()
    assert owner.choose("Europe/Paris").status_code == 303
    assert (owner.stored().time_zone, owner.stored().is_moving) == ("Europe/Paris", False)
    assert owner.work() == 0


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "", "../../etc/passwd", "Factory"])
def test_nonsense_is_no_zone(owner: InHarbour, make: Make, zone: str) -> None:
    make.call()
    answer = owner.choose(zone)
    assert answer.status_code == 422
    assert "Not a valid choice" in answer.text
    assert not owner.stored().is_moving


def test_of_a_change_only_owners_hear(owner: InHarbour, client: PageCheckingClient, cast: Cast) -> None:
    assert client.get(f"{SETTINGS}/zone").location == SETTINGS  # no page of its own
    for person, status in ((cast.max, 403), (cast.vera, 403), (cast.quentin, 404)):
        client.sign_in(person)
        assert client.get(f"{SETTINGS}/zone", headers=PART).status_code == status


def test_how_people_sign_in(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    page = client.get(f"{SETTINGS}/signing-in").text
    assert 'selected value="30"' in page
    for minutes in ("5", "721", "long"):
        answer = client.send(f"{SETTINGS}/signing-in", {"idle_minutes": minutes})
        assert answer.status_code == 422
    assert harbour(database, cast).idle_minutes == 30
    answer = client.send(f"{SETTINGS}/signing-in", {"idle_minutes": "720", "second_factor_required": "y"})
    assert answer.location == f"{SETTINGS}/signing-in"
    stored = harbour(database, cast)
    assert (stored.idle_minutes, stored.second_factor_required) == (720, True)
    assert [(each["before"], each["after"]) for each in changes(database, cast)] == [(30, 720), (False, True)]
    # Whoever asks it of everyone sets up their own before they go on.
    assert client.get(SETTINGS).location == "/security-settings/second-factor"


def test_security_29_nothing_else_can_be_set(client: PageCheckingClient, cast: Cast, database: Database) -> None:
    client.sign_in(cast.olive)
    client.get(SETTINGS)
    extra = {"slug": "mine", "state": "3", "id": "1", "idle_minutes": "5", "second_factor_required": "y"}
    assert client.send(SETTINGS, {**AS_IT_IS, **extra}).status_code == 303
    stored = harbour(database, cast)
    assert (stored.slug, stored.state, stored.idle_minutes, stored.second_factor_required) == ("harbour", 1, 30, False)


@pytest.mark.parametrize(("name", "status"), [("olive", 200), ("max", 403), ("vera", 403), ("quentin", 404)])
def test_security_22_only_owners_come_here(client: PageCheckingClient, cast: Cast, name: str, status: int) -> None:
    client.sign_in(getattr(cast, name))
    for address in (SETTINGS, f"{SETTINGS}/signing-in"):
        assert client.get(address).status_code == status
        if status != 200:
            assert client.send(address, AS_IT_IS).status_code == status
    assert (f'href="{SETTINGS}"' in client.get("/o/harbour/").text) == (status == 200)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (SETTINGS, {"name": "Mine", "time_zone": "Europe/London", "region": "GB", "contact": ""}),
        (f"{SETTINGS}/signing-in", {"idle_minutes": "720"}),
    ],
)
def test_an_owner_who_is_none_any_more_while_they_wait_changes_nothing(
    client: PageCheckingClient,
    cast: Cast,
    make: Make,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    form: dict[str, str],
) -> None:
    make.membership(cast.max, role=Role.OWNER)
    client.sign_in(cast.max)
    client.get(path)
    waits, answers = threading.Event(), list[int]()
    check = settings_views.hold_and_check
    monkeypatch.setattr(settings_views, "hold_and_check", lambda: waits.set() or check())
    asking = threading.Thread(target=lambda: answers.append(client.send(path, form).status_code))
    with make.session() as session:
        hold_organization(session)
        session.get_one(Membership, (cast.harbour.id, cast.max.id)).role = Role.MANAGER
        session.flush()
        asking.start()
        assert waits.wait(20)
        session.commit()
    asking.join(20)
    assert answers == [403]
    stored = harbour(database, cast)
    assert (stored.name, stored.idle_minutes) == (cast.harbour.name, 30)
