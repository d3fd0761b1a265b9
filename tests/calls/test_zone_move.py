"""While the totals move to the days of another zone: a page reads what is right at that moment, or something else."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import update
from werkzeug.datastructures import MultiDict

from tests.calls.test_browse import many_calls
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.calls import browse, export, totals
from webapp.calls.filters import read_filter
from webapp.calls.models import PartyTotal
from webapp.calls.selection import select_calls
from webapp.calls.totals import Totals, total_calls
from webapp.calls.windows import Budget
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.ingest.zone_change import follow_zone
from webapp.tenancy.models import Organization
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.sessions import reading_session, writing_session

CALLS = "/o/harbour/calls"


@pytest.fixture(autouse=True)
def _in_july() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 7, 15, 18, 0, tzinfo=UTC), tick=False):
        yield


def choose_zone(database: Database, make: Make, zone: str) -> None:
    with writing_session(database) as session:
        session.get_one(Organization, make.organization.id).next_time_zone = zone
        session.commit()


def move_days_alone(database: Database, make: Make, zone: str) -> None:
    """The first step; then what party_total holds is made nonsense, which nobody may read."""
    choose_zone(database, make, zone)
    follow_zone(database, make.organization.id, lambda: False)
    with writing_session(database, make.organization.id) as session:
        session.execute(update(PartyTotal).values(calls=77_777, day=PartyTotal.day - 5000))
        session.commit()


def ask(client: PageCheckingClient, query: str) -> str:
    return str(client.get(f"{CALLS}?{query}").text)


def shown(client: PageCheckingClient, query: str) -> tuple[list[str], str]:
    """The calls on the page, and how many it says there are."""
    page = ask(client, query)
    total = re.search(r"Export ([0-9,]+) calls", page)
    return re.findall(r'href="(/o/harbour/calls/[0-9a-z]+)"', page), total[1] if total else page


def test_a_number_is_counted_from_its_calls(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "COUNT_MS", 60_000.0)
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000.0)
    many_calls(make, 110)
    client.sign_in(cast.vera)
    client.get(CALLS)
    found = client.send(f"{CALLS}/search", {"words": "20794", "period": "all"})
    of_party = f"period=all&party={spell_id(make.party('+442079460123').id)}"
    queries = [of_party, f"{of_party}&direction=outbound", str(found.location).partition("?")[2]]
    queries += [f"{query}&order=oldest" for query in queries]
    told = [shown(client, query) for query in queries]
    assert min(len(calls) for calls, _total in told) > 1
    assert len(told[2][0]) > len(told[0][0])  # of several numbers
    move_days_alone(database, make, "Europe/Paris")
    assert [shown(client, query) for query in queries] == told
    follow_zone(database, make.organization.id)
    assert [shown(client, query) for query in queries] == told


def test_the_total_of_a_number(make: Make, database: Database) -> None:
    many_calls(make, 60)
    query = {"period": "all", "party": spell_id(make.party("+442079460123").id)}

    def total() -> Totals:
        read = read_filter(MultiDict(query), ZoneInfo("Europe/London"), datetime(2026, 7, 15, 18, 0, tzinfo=UTC))
        with reading_session(database, make.organization.id) as session:
            selection = select_calls(session, read.call_filter, None, ZoneInfo("Europe/London"), "GB", SEES_ALL)
            return total_calls(session, selection, Budget(60_000))

    before = total()
    move_days_alone(database, make, "Europe/Paris")
    meanwhile = total()
    follow_zone(database, make.organization.id)
    assert total() == before
    assert (before.sides_known, meanwhile.sides_known) == (False, True)
    for name in ("calls", "answered_anyway", "missed", "talk_seconds"):
        assert getattr(meanwhile.figures, name) == getattr(before.figures, name)


def test_the_nearest_day_of_a_number(client: PageCheckingClient, cast: Cast, make: Make, database: Database) -> None:
    call = make.call(started_at=datetime(2026, 5, 3, 23, 30, tzinfo=UTC))
    client.sign_in(cast.vera)
    query = f"period=today&party={spell_id(call.caller_id or 0)}"
    assert "4 May" in ask(client, query)  # in London it was summer
    move_days_alone(database, make, "UTC")
    assert "3 May" in ask(client, query)


@pytest.mark.parametrize("query", ["period=all&talk_min=1", "period=all&talk_min=1&order=oldest"])
@pytest.mark.parametrize(("zone", "hours"), [("Pacific/Apia", (20, 21, 22, 23)), ("Pacific/Pago_Pago", (1, 2, 3, 4))])
def test_a_file_that_is_on_its_way_has_every_call_once(
    client: PageCheckingClient,
    cast: Cast,
    make: Make,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
    zone: str,
    hours: tuple[int, ...],
) -> None:
    """Where calls are is looked up by the days of the totals: those of the new zone in the middle of the file."""
    for day in range(20):  # days without calls between them: what lies there is jumped over
        for hour in hours:  # in the new zone all on the day after, or before
            make.call(started_at=datetime(2026, 4, 20, hour, 10, tzinfo=UTC) + timedelta(days=4 * day))
    monkeypatch.setattr(export, "_CHUNK_ROWS", 7)
    client.sign_in(cast.vera)
    undisturbed = client.get(f"{CALLS}/export?{query}").text
    pieces = iter(client.get(f"{CALLS}/export?{query}", buffered=False).response)
    begun = b"".join(piece.encode() if isinstance(piece, str) else piece for piece in (next(pieces), next(pieces)))
    choose_zone(database, make, zone)
    follow_zone(database, make.organization.id)
    whole = begun + b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    assert len(list(csv.reader(io.StringIO(undisturbed)))) == 81
    assert whole.decode() == undisturbed
