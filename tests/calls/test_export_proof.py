"""Who takes more than 50,000 calls away at once has proved in the last ten minutes who they are."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from tests.audit.test_recorded import events_of
from tests.calls.test_browse import many_calls
from tests.calls.test_export import rows_of
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.accounts.session_limits import PROVED_FOR
from webapp.calls import totals, views
from webapp.database.engine import Database

EXPORT = "/o/harbour/calls/export?period=all"


@pytest.fixture(autouse=True)
def stale(client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Vera, who signed in ten minutes ago; 75 calls are there, and 74 may be taken away."""
    monkeypatch.setattr(views, "UNPROVED_AT_MOST", 74)
    with time_machine.travel(NOON + timedelta(days=30), tick=False) as clock:
        many_calls(make, 75)
        client.sign_in(cast.vera)
        clock.shift(PROVED_FOR)
        yield


def exported(database: Database, cast: Cast) -> int:
    return [kind for kind, *_rest in events_of(database, cast.harbour)].count("export.made")


def test_security_17_many_calls_ask_for_proof_and_it_leads_back(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    answer = client.get(EXPORT)
    assert (answer.status_code, answer.location) == (303, "/prove?next=/o/harbour/calls/export?period%3Dall")
    assert exported(database, cast) == 0, "only what was handed out is told"
    assert "download" not in client.get("/o/harbour/calls?period=all").text.partition("calls/export")[2][:80], (
        "else the question would be saved as a file"
    )
    client.get("/prove")
    assert client.send("/prove", {"password": PASSWORD, "next": EXPORT}).location == EXPORT
    assert len(rows_of(client.get(EXPORT).data)) == 76
    assert exported(database, cast) == 1


def test_few_calls_do_not(client: PageCheckingClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get(f"{EXPORT}&direction=inbound").mimetype == "text/csv"
    monkeypatch.setattr(views, "UNPROVED_AT_MOST", 75)
    assert client.get(EXPORT).mimetype == "text/csv"


def test_where_the_number_is_not_known_all_calls_are_the_bound(
    client: PageCheckingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Talk times are in no total, and the time to count them is spent at once."""
    monkeypatch.setattr(totals, "COUNT_MS", 0.0)
    monkeypatch.setattr(totals, "COUNTED_AT_MOST", 1)
    few = f"{EXPORT}&talk_min=60"
    assert client.get(few).status_code == 303
    monkeypatch.setattr(views, "UNPROVED_AT_MOST", 75)
    assert client.get(few).mimetype == "text/csv"


def test_of_a_narrowed_reader_the_bound_tells_nothing(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.narrow(cast.nina, "201", "202")
    client.sign_in(cast.nina)
    with time_machine.travel(NOON + timedelta(days=30) + 3 * PROVED_FOR, tick=False):
        assert client.get(EXPORT).mimetype == "text/csv", "counted: few"
        for name in ("COUNTED_AT_MOST", "COUNT_NARROWED_MS"):
            monkeypatch.setattr(totals, name, 0)
        monkeypatch.setattr(views, "UNPROVED_AT_MOST", 1_000_000)
        assert client.get(f"{EXPORT}&talk_min=60").status_code == 303
