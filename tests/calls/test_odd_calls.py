"""Calls whose times and durations cannot be right, on every page that shows calls: shown, flagged, never an error."""

import csv
import io

import pytest

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.ingest.importing import Importing, asterisk_row
from webapp.database.engine import Database
from webapp.database.ids import spell_id

LOG = "/o/harbour/calls"
STARTS = [
    "0001-01-01 00:00:00",
    "1900-01-01 00:00:00",
    "1969-12-31 23:59:59",
    "1970-01-01 00:00:00",
    "2026-03-29 01:30:00",  # left out by the clocks of London
    "2026-10-25 01:30:00",  # there twice
    "2100-02-28 13:00:00",
    "9999-12-31 23:59:59",
]


@pytest.fixture
def odd_calls(database: Database, cast: Cast) -> Importing:
    harbour = Importing(database, cast.harbour)
    lines = [asterisk_row(unique="", start=start, answer=start, end=start) for start in STARTS]
    lines += [
        asterisk_row(unique=f"178411680{turn}.1", sequence=turn, duration=duration, billsec=billsec)
        for turn, (duration, billsec) in enumerate(
            ((-5, -9), (2**31 - 1, 2**31 - 1), (10**30, 10**30), (86_400, 86_400))
        )
    ]
    assert harbour.load(harbour.pbx(), b"".join(lines)).stored_count == 12
    return harbour


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_the_log_shows_them(client: PageCheckingClient, cast: Cast, odd_calls: Importing, order: str) -> None:
    client.sign_in(cast.vera)
    page = client.get(LOG, query_string={"period": "all", "order": order})
    assert page.status_code == 200
    for call in odd_calls.calls():
        assert f"{LOG}/{spell_id(call.call_key)}" in page.text
    for year in ("1900", "1969", "1970", "2100", "9999"):
        assert year in page.text
    for period in (
        {"from": "1970-01-01", "to": "1970-01-01"},
        {"from": "2100-01-01", "to": "2100-12-31"},
        {"period": "today"},
    ):
        assert client.get(LOG, query_string=period).status_code == 200


def test_each_has_a_page_that_explains_what_is_odd(
    client: PageCheckingClient, cast: Cast, odd_calls: Importing
) -> None:
    client.sign_in(cast.vera)
    flagged = 0
    for call in odd_calls.calls():
        page = client.get(f"{LOG}/{spell_id(call.call_key)}")
        assert page.status_code == 200
        flagged += bool(call.flags)
    assert flagged == 11, "all but the call that lasts a day"


def test_they_are_exported(client: PageCheckingClient, cast: Cast, odd_calls: Importing) -> None:
    client.sign_in(cast.vera)
    answer = client.get(f"{LOG}/export", query_string={"period": "all"})
    assert len(list(csv.reader(io.StringIO(answer.text)))) == 1 + 12


@pytest.mark.parametrize("address", ["/o/harbour/", "/o/harbour/phone-systems", "/o/harbour/imports"])
def test_overviews_bear_them(client: PageCheckingClient, cast: Cast, odd_calls: Importing, address: str) -> None:
    client.sign_in(cast.vera)
    assert client.get(address).status_code == 200
