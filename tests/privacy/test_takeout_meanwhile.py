"""A takeout is read while calls come in: nothing is missing that was there all the time."""

import json
from zoneinfo import ZoneInfo

import pytest

from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row
from webapp.calls.models import Call, CallParty
from webapp.database.engine import Database
from webapp.privacy import takeout_tables
from webapp.privacy.catalogue import TABLES
from webapp.privacy.takeout_tables import Source, json_pieces

_CALLS = range(5)


def leg(number: int, turn: int) -> bytes:
    """Of the call of that number. The second leg begins before the first one, and comes after it."""
    start = f"2026-07-15 {10 - turn:02}:00:{number:02}"
    times = {"start": start, "answer": start, "end": f"2026-07-15 {10 - turn:02}:30:00"}
    linked = f"1784116800.{number}"
    return asterisk_row(unique=f"{linked}{turn}", linked=linked, **times)


@pytest.mark.parametrize(("table", "mapped"), [("call", Call), ("call_party", CallParty)])
@pytest.mark.parametrize("read_before", [1, 3])
def test_calls_that_begin_earlier_by_a_late_leg_are_not_missed(
    database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch, table: str, mapped: type[Call], read_before: int
) -> None:
    monkeypatch.setattr(takeout_tables, "_ROWS_AT_ONCE", 1)
    monkeypatch.setattr(takeout_tables, "_CALLS_AT_ONCE", 1)
    harbour = Importing(database, cast.harbour)
    pbx = harbour.pbx()
    harbour.load(pbx, b"".join(leg(number, 0) for number in _CALLS))
    there = {(row.call_key, getattr(row, "party_id", 0)) for row in harbour.all(mapped)}
    pieces = json_pieces(Source(database, cast.harbour.id, ZoneInfo("UTC")), TABLES[table])
    content = [next(pieces).content for _page in range(read_before)]
    harbour.load(pbx, b"".join(leg(number, 1) for number in _CALLS))
    assert {(call.started_at.hour, call.record_count) for call in harbour.all(Call)} == {(8, 2)}
    content += [piece.content for piece in pieces]
    rows = [json.loads(line) for line in b"".join(content).splitlines()]
    read = [(row["call_key"], row.get("party_id", 0)) for row in rows]
    assert there <= set(read) and len(read) == len(set(read))
