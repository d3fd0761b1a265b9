"""The settings of an organization: the company, and how its people sign in."""

import json

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.database.engine import Database
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

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


def test_the_zone_stays_once_there_are_calls(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.call()
    client.sign_in(cast.olive)
    assert "It stays as it is" in client.get(SETTINGS).text
    answer = client.send(SETTINGS, {**AS_IT_IS, "name": "Harbour & Co", "time_zone": "Europe/Paris"})
    assert answer.status_code == 422
    assert "The time zone cannot be changed any more" in answer.text
    assert (harbour(database, cast).time_zone, harbour(database, cast).name) == ("Europe/London", "Harbour Boats")
    assert client.send(SETTINGS, {**AS_IT_IS, "name": "Harbour & Co"}).status_code == 303


def test_calls_of_others_do_not_hold_the_zone(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.at(cast.quayside).call()
    client.sign_in(cast.olive)
    client.get(SETTINGS)
    assert client.send(SETTINGS, {**AS_IT_IS, "time_zone": "Europe/Paris"}).status_code == 303


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
