"""The export: every call of the selection, safe in a spreadsheet, asked for again with each chunk."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from tests.calls.test_browse import many_calls
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.calls import export
from webapp.calls.export import HEADER, LocalStamps
from webapp.calls.outcomes import Outcome
from webapp.clock import from_ms
from webapp.csv_out import csv_pieces, csv_response, guard_cell
from webapp.database.engine import Database
from webapp.errors import Forbidden
from webapp.tenancy.models import Membership
from webapp.tenancy.sessions import writing_session

EXPORT = "/o/harbour/calls/export"


@pytest.fixture(autouse=True)
def _in_july() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 7, 15, 18, 0, tzinfo=UTC), tick=False):
        yield


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_every_call_with_local_time_zone_and_utc(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.pbx("Head office")
    make.call(names={"+442079460123": "Harbour Dental"}, ring=8, talk=192)
    make.call(started_at=datetime(2026, 1, 5, 9, 0, 1, tzinfo=UTC), caller=None, outcome=Outcome.BUSY)
    client.sign_in(cast.vera)
    answer = client.get(f"{EXPORT}?period=all")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="harbour-calls-2026-07-15.csv"'
    header, first, second = rows_of(answer.data)
    assert tuple(header) == HEADER
    assert first[:6] == ["2026-07-15 13:00:00", "+01:00", "2026-07-15T12:00:00Z", "inbound", "answered", "answered"]
    assert first[6:] == ["+442079460123", "Harbour Dental", "201", "", "8", "192", "Head office"]
    assert second[:7] == [
        "2026-01-05 09:00:01",
        "+00:00",
        "2026-01-05T09:00:01Z",
        "inbound",
        "missed",
        "busy",
        "Withheld number",
    ]


def test_the_file_has_what_the_page_counts(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_CHUNK_ROWS", 7)
    many_calls(make, 75)
    client.sign_in(cast.vera)
    for query in (
        "period=all",
        "period=all&order=oldest",
        "direction=inbound&period=all",
        "outcome=missed",
        "talk_min=60",
    ):
        rows = rows_of(client.get(f"{EXPORT}?{query}").data)[1:]
        words = "1 call" if len(rows) == 1 else f"{len(rows)} calls"
        assert f"Export {words}" in client.get(f"/o/harbour/calls?{query}").text, query
        stamps = [row[2] for row in rows]
        assert stamps == sorted(stamps, reverse="oldest" not in query)


@pytest.mark.parametrize("start", [*"=+-@\t\r\n", "＝"])
def test_security_43_cells_are_no_formulas(client: PageCheckingClient, cast: Cast, make: Make, start: str) -> None:
    name = f'{start}HYPERLINK("http://x","y")'
    pbx = make.pbx(f"{start}1+1")
    make.call(pbx=pbx, names={"+442079460123": name})
    client.sign_in(cast.vera)
    row = rows_of(client.get(f"{EXPORT}?period=all").data)[1]
    assert row[6] == "+442079460123"  # a bare number calls nothing
    assert row[7] == f"'{name}"
    assert row[12] == f"'{start}1+1"


@given(st.text(max_size=30))
def test_a_guarded_cell_begins_harmlessly(text: str) -> None:
    cell = guard_cell(text)
    assert cell in (text, f"'{text}")
    assert not cell.startswith(tuple("=+-@\t\r\n")) or cell.lstrip("+-").isdecimal()


@given(st.lists(st.lists(st.text(max_size=8), min_size=2, max_size=2), max_size=5))
def test_a_file_reads_back(rows: list[list[str]]) -> None:
    data = b"".join(csv_pieces(("a", "b"), [rows]))
    assert rows_of(data) == [["a", "b"], *rows]


def test_a_name_that_is_not_plain_is_refused() -> None:
    with pytest.raises(ValueError):
        csv_response('a"\r\nX: y', [])


@given(
    st.integers(0, 4_000_000_000_000),
    st.sampled_from(["Europe/London", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"]),
)
def test_stamps_are_those_of_the_zone(ms: int, zone_name: str) -> None:
    zone = ZoneInfo(zone_name)
    local, offset, utc = LocalStamps(zone).write(ms)
    instant = from_ms(ms - ms % 1000)
    assert f"{local}{offset}" == instant.astimezone(zone).isoformat(" ")
    assert utc == instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_reader_is_asked_for_with_each_chunk(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_CHUNK_ROWS", 2)
    for minute in range(6):
        make.call(started_at=NOON - timedelta(minutes=minute))
    client.sign_in(cast.vera)
    answer = client.get(f"{EXPORT}?period=all", buffered=False)
    pieces = iter(answer.response)
    assert len(rows_of(next(pieces))) == 3
    with writing_session(database, cast.harbour.id) as session:
        session.execute(delete(Membership).where(Membership.user_account_id == cast.vera.id))
        session.commit()
    with pytest.raises(Forbidden):
        next(pieces)
    assert client.get(f"{EXPORT}?period=all").status_code == 404


def test_wrong_values_are_refused_before_the_first_byte(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    for query in ("period=x", "talk_min=x", "pbx=!", "search=zz", "after=x"):
        assert client.get(f"{EXPORT}?{query}").status_code == 422, query


def test_access(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call()
    assert client.get(EXPORT).status_code in (302, 303)
    client.sign_in(cast.quentin)
    assert client.get(EXPORT).status_code == 404
    assert client.send(EXPORT).status_code == 405
    assert rows_of(client.get("/o/quayside/calls/export?period=all").data) == [list(HEADER)]
