"""While a gag holds, nothing that the customer can see moves; when it ends, the customer is told."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from config import Settings
from tests.accounts.authenticator import mails, words_of, work
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.every_address import addresses, ids_of
from tests.house.test_schema import TENANT
from tests.make import Make
from tests.staff.chains import SERVICE, address_of, head, kinds, open_archive, sentences, show_key, stored
from webapp.accounts.models import UserAccount
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.staff_rights import EVERYTHING
from webapp.organizations.disclosures import count_told
from webapp.staff.disclosure_jobs import look_after_disclosures
from webapp.tenancy.consent_models import Disclosure, DisclosureState
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import reading_session

Enter = Callable[[UserAccount], PageCheckingClient]
GAG = {"gag": "Court of Harbourtown, order 8/2026"}


def pages_of(app: Flask, client: PageCheckingClient, ids: dict[str, int]) -> list[str]:
    """Every page of the organization that its owner can open. What leaves as a file is in the audit each time, so it
    would move what the other pages show: the rows it is made of are compared instead.
    """
    paths = [each.path for each in addresses(app, "harbour", ids) if each.method == "GET" and each.path[:3] == "/o/"]
    return [path for path in paths if client.get(path).mimetype == "text/html"]


def everything_shown(client: PageCheckingClient, paths: list[str]) -> dict[str, str]:
    """As text; tokens of forms change and say nothing."""
    token = r'(csrf[-_]token"[^>]*?(?:value|content)=)"[^"]+"'
    return {path: re.sub(token, r"\1", client.get(path).text) for path in paths}


def everything_stored(database: Database, organization_id: int) -> dict[str, list[Any]]:
    """Every row of the organization, but for the disclosure itself, which no page and no role of its people reads."""
    rows: dict[str, list[Any]] = {}
    with database.reading.connect() as connection, connection.begin():
        set_local(connection, organization_id, None)
        for table in sorted(TENANT - {"disclosure", "disclosure_chunk"}):
            found = connection.exec_driver_sql(f"SELECT * FROM {table} WHERE organization_id = {organization_id}")
            rows[table] = sorted(str(tuple(row)) for row in found)
        for table in ("organization", "outbox_message", "organization_usage", "feature_use"):
            rows[table] = [str(tuple(row)) for row in connection.exec_driver_sql(f"SELECT * FROM {table}")]
        jobs = f"SELECT kind FROM job WHERE organization_id = {organization_id}"
        rows["job"] = [str(row[0]) for row in connection.exec_driver_sql(jobs)]
    return rows


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What is not the same in both, so that a failure says where to look."""
    return {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


@pytest.fixture
def gagged(make: Make, cast: Cast, clock: time_machine.Traveller) -> Disclosure:
    return make.disclosure(asked_by=cast.stella.id, areas=EVERYTHING, gag_until=now() + timedelta(days=10), **GAG)


def carry_out(enter: Enter, cast: Cast, disclosure: Disclosure, database: Database, settings: Settings) -> None:
    """Agreed to, made, its key shown, fetched."""
    assert enter(cast.steven).send(address_of(disclosure, "/agree")).status_code == 303
    work(database, settings)
    stella = enter(cast.stella)
    assert "calls.csv" in open_archive(stella, disclosure, show_key(stella, disclosure)).namelist()
    look_after_disclosures(database)


def test_while_the_gag_holds_nothing_moves(
    app: Flask,
    client: PageCheckingClient,
    make: Make,
    cast: Cast,
    gagged: Disclosure,
    enter: Enter,
    database: Database,
    settings: Settings,
) -> None:
    ids = ids_of(make)
    client.sign_in(cast.olive)
    paths = pages_of(app, client, ids)  # what is noted once in a quarter of an hour is noted now
    pages, rows = everything_shown(client, paths), everything_stored(database, cast.harbour.id)
    assert differing(everything_shown(client, paths), pages) == {}, "the comparison itself moves something"
    assert len(pages) > 40 and "Disclosures that we may tell you about: 0" in pages["/o/harbour/who-looked"]

    carry_out(enter, cast, gagged, database, settings)

    assert stored(database, gagged).state == DisclosureState.PRODUCED
    assert differing(everything_shown(client, paths), pages) == {}
    assert differing(everything_stored(database, cast.harbour.id), rows) == {}
    assert kinds(database, cast.harbour.id, "disclosure") == []
    assert mails(database, "disclosure_told") == []
    assert "legal.told" not in kinds(database, SERVICE)


def test_staff_see_the_gag_and_the_whole_count(
    gagged: Disclosure, make: Make, cast: Cast, enter: Enter, database: Database, settings: Settings
) -> None:
    carry_out(enter, cast, gagged, database, settings)
    stella = enter(cast.stella)
    page = stella.get(address_of(gagged)).text
    assert "knows nothing of it; it is told on 25 July 2026" in page
    assert "ever entered: 1" in stella.get("/staff/disclosures").text
    with reading_session(database, cast.harbour.id) as session:
        assert count_told(session) == 0


def test_when_the_gag_ends_the_customer_is_told_once(
    clock: time_machine.Traveller,
    client: PageCheckingClient,
    gagged: Disclosure,
    cast: Cast,
    enter: Enter,
    database: Database,
    settings: Settings,
) -> None:
    carry_out(enter, cast, gagged, database, settings)
    clock.shift(timedelta(days=10, seconds=-1))
    look_after_disclosures(database)
    assert mails(database, "disclosure_told") == []
    before = head(database, cast.harbour.id)
    clock.shift(1)
    look_after_disclosures(database)
    look_after_disclosures(database)
    [mail] = mails(database, "disclosure_told")
    assert mail.to_address == cast.olive.email
    assert words_of(mail)["gag"] == "not to be told before 25 July 2026: Court of Harbourtown, order 8/2026"
    assert head(database, cast.harbour.id) == before + 1
    assert kinds(database, SERVICE, "legal.told") == ["legal.told"]
    client.sign_in(cast.olive)
    assert "Disclosures that we may tell you about: 1" in client.get("/o/harbour/who-looked").text
    assert "before 25 July 2026 we were not allowed to" in client.get("/o/harbour/who-looked/required-by-law").text


def test_a_gag_that_ended_before_it_was_agreed_to_holds_nothing_back(
    clock: time_machine.Traveller, gagged: Disclosure, cast: Cast, enter: Enter, database: Database
) -> None:
    clock.shift(timedelta(days=11))
    enter(cast.steven).send(address_of(gagged, "/agree"))
    assert len(mails(database, "disclosure_told")) == 1


@pytest.mark.parametrize("state", [DisclosureState.WAITS, DisclosureState.TAKEN_BACK])
def test_of_what_was_never_agreed_to_nobody_is_told(
    clock: time_machine.Traveller, make: Make, cast: Cast, database: Database, state: DisclosureState
) -> None:
    make.disclosure(state=state, gag_until=now() + timedelta(days=1), **GAG)
    clock.shift(timedelta(days=2))
    look_after_disclosures(database)
    assert mails(database) == [] and kinds(database, cast.harbour.id, "disclosure") == []


# -------------------------------------------------------------------------------------- lengthened, and ended before

WHY = "The order was served on 14 July, and checked by telephone"
LONGER = {"order": "Court of Harbourtown, order 9/2026", "gag_until": "2026-09-01", "reason": WHY}


def send(client: PageCheckingClient, disclosure: Disclosure, action: str, fields: dict[str, str]) -> TestResponse:
    client.get(address_of(disclosure, action))
    return client.send(address_of(disclosure, action), fields)


def test_it_is_lengthened_by_another_order_and_nothing_moves(
    clock: time_machine.Traveller,
    client: PageCheckingClient,
    gagged: Disclosure,
    cast: Cast,
    enter: Enter,
    database: Database,
    settings: Settings,
) -> None:
    carry_out(enter, cast, gagged, database, settings)
    rows = everything_stored(database, cast.harbour.id)
    stella = enter(cast.stella)
    assert send(stella, gagged, "/lengthen-gag", LONGER).status_code == 303
    assert "it is told on 1 September 2026" in stella.get(address_of(gagged)).text
    [sentence] = sentences(database, SERVICE, "legal.gag_lengthened")
    assert "from 25 July 2026 to 1 September 2026 by Court of Harbourtown, order 9/2026: " + WHY in sentence
    clock.shift(timedelta(days=11))
    look_after_disclosures(database)
    assert differing(everything_stored(database, cast.harbour.id), rows) == {}
    assert mails(database, "disclosure_told") == []
    clock.shift(timedelta(days=40))
    look_after_disclosures(database)
    [mail] = mails(database, "disclosure_told")
    both = "Court of Harbourtown, order 8/2026; then Court of Harbourtown, order 9/2026"
    assert words_of(mail)["gag"] == f"not to be told before 1 September 2026: {both}"
    client.sign_in(cast.olive)
    assert both in client.get("/o/harbour/who-looked/required-by-law").text


def test_ended_early_the_customer_is_told_at_once(
    client: PageCheckingClient,
    gagged: Disclosure,
    cast: Cast,
    enter: Enter,
    database: Database,
    settings: Settings,
) -> None:
    carry_out(enter, cast, gagged, database, settings)
    stella = enter(cast.stella)
    assert send(stella, gagged, "/end-gag", {"reason": WHY}).status_code == 303
    assert len(mails(database, "disclosure_told")) == 1
    assert kinds(database, cast.harbour.id, "disclosure") == ["disclosure.told"]
    assert kinds(database, SERVICE, "legal")[-2:] == ["legal.told", "legal.gag_ended"]
    assert sentences(database, SERVICE, "legal.gag_ended")[0].endswith(f"which held until 25 July 2026: {WHY}")
    look_after_disclosures(database)
    assert len(mails(database, "disclosure_told")) == 1
    page = stella.get(address_of(gagged)).text
    assert "was told" in page and "End the gag now" not in page
    client.sign_in(cast.olive)
    assert "Disclosures that we may tell you about: 1" in client.get("/o/harbour/who-looked").text
    for action in ("/end-gag", "/lengthen-gag"):
        assert "No gag holds on it" in stella.get(address_of(gagged, action)).text
        assert stella.send(address_of(gagged, action), LONGER).status_code == 422
    assert kinds(database, SERVICE, "legal.gag") == ["legal.gag_ended"]


def test_ended_before_it_is_agreed_to_the_customer_is_told_with_the_agreement(
    gagged: Disclosure, cast: Cast, enter: Enter, database: Database
) -> None:
    assert send(enter(cast.stella), gagged, "/end-gag", {"reason": WHY}).status_code == 303
    assert mails(database) == []
    enter(cast.steven).send(address_of(gagged, "/agree"))
    assert len(mails(database, "disclosure_told")) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"order": " "}, "Give authority, law and number"),
        ({"gag_until": ""}, "Say until when"),
        ({"gag_until": "2026-07-25"}, "It holds until 25 July 2026 as it is"),
        ({"gag_until": "2026-07-20"}, "It holds until 25 July 2026 as it is"),
        ({"gag_until": "9999-01-01"}, "before 2200"),
        ({"reason": ""}, "Say why"),
    ],
)
def test_what_does_not_lengthen_it_is_said_beside_its_field(
    gagged: Disclosure, cast: Cast, enter: Enter, database: Database, fields: dict[str, str], said: str
) -> None:
    answer = send(enter(cast.stella), gagged, "/lengthen-gag", {**LONGER, **fields})
    assert answer.status_code == 422 and said in answer.text
    if fields.get("order", "x") == "x":
        assert "order 9/2026" in answer.text  # what was typed is kept
    assert stored(database, gagged).gag_until == gagged.gag_until
    assert kinds(database, SERVICE, "legal.gag") == []


def test_where_no_gag_holds_there_is_none_to_change(
    clock: time_machine.Traveller, make: Make, cast: Cast, enter: Enter, database: Database
) -> None:
    without = make.disclosure(asked_by=cast.stella.id)
    taken_back = make.disclosure(state=DisclosureState.TAKEN_BACK, gag_until=now() + timedelta(days=10), **GAG)
    stella = enter(cast.stella)
    for disclosure in (without, taken_back):
        assert "the gag" not in stella.get(address_of(disclosure)).text
        for action, fields in (("/end-gag", {"reason": WHY}), ("/lengthen-gag", LONGER)):
            answer = send(stella, disclosure, action, fields)
            assert answer.status_code == 422 and "No gag holds on it" in answer.text
    assert kinds(database, SERVICE, "legal.gag") == [] and mails(database) == []


def test_security_17_changing_it_takes_a_fresh_proof(
    clock: time_machine.Traveller, gagged: Disclosure, cast: Cast, enter: Enter, database: Database
) -> None:
    stella = enter(cast.stella)
    stella.get("/staff/disclosures")
    clock.shift(timedelta(minutes=11))
    for action, fields in (("/end-gag", {"reason": WHY}), ("/lengthen-gag", LONGER)):
        assert stella.send(address_of(gagged, action), fields).status_code == 401
    assert stored(database, gagged).gag_until == gagged.gag_until
