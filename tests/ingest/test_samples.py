"""Every sample file through the whole path: as many calls as it tells of, and the first (or all) of them right."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.ingest.importing import Importing
from webapp.calls.models import Call, CallRecord
from webapp.calls.outcomes import Direction, Outcome
from webapp.ingest.readers import READERS
from webapp.ingest.readers.column_guess import guess_columns
from webapp.ingest.source import open_text

DATA = Path(__file__).parent.parent / "data" / "readers"
SAMPLES = sorted(
    path
    for name in READERS
    for path in DATA.glob(f"{name}/*")
    if path.suffix in (".csv", ".json") and not path.name.endswith(".expected.json")
)
#: What a person would answer about the system each file comes from; UTC where the file does not tell its zone.
ANSWERS: dict[str, dict[str, Any]] = {
    "captured_21col_office_a.csv": {"lines": ("IAX2/provider",)},
    "written_18col_zone_proof.csv": {"lines": ("SIP/provider",), "time_zone": "Europe/Berlin", "extension_digits": "4"},
    "cdr_stats_with_header.csv": {"region": "ES"},
}


def load(harbour: Importing, path: Path) -> None:
    answers = {"time_zone": "UTC", "extension_digits": ""} | ANSWERS.get(path.name, {})
    reader = path.parent.name
    columns = None
    if reader == "generic_csv":
        with path.open("rb") as stream:
            columns = json.dumps(guess_columns(open_text(stream).head).columns.__dict__)
    result = harbour.load(harbour.pbx(format=reader, **answers), path.read_bytes(), reader, column_map=columns)
    assert result.refused_count == 0
    assert result.read_count == result.stored_count + result.skipped_count
    harbour.check()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_sample(harbour: Importing, path: Path) -> None:
    expected = json.loads(path.with_name(path.name + ".expected.json").read_text())
    load(harbour, path)
    calls = harbour.calls()
    if "records" in expected:
        assert len(calls) == expected["records"]
    first = expected.get("first", {})
    if first:
        told = [_told(harbour, call, ANSWERS.get(path.name, {}).get("time_zone", "UTC")) for call in calls]
        wanted = {key: first[key] for key in ("ring_seconds", "talk_seconds") if key in first}
        if first.get("outcome") in {outcome.word for outcome in Outcome}:
            wanted["outcome"] = first["outcome"]
        wanted["started_at"] = first.get("local", first["started_at"]).removesuffix("Z").replace("T", " ")
        assert any(wanted.items() <= call.items() for call in told), (wanted, told[:2])


def _told(harbour: Importing, call: Call, zone: str) -> dict[str, Any]:
    return {
        "started_at": call.started_at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S"),
        "ring_seconds": call.ring_seconds,
        "talk_seconds": call.talk_seconds,
        "outcome": call.outcome.word,
    }


def test_every_call_of_the_captured_office_is_right(harbour: Importing) -> None:
    """23 calls of a real Asterisk, whose true outcome its dialplan tells."""
    path = DATA / "asterisk_cdr_csv" / "captured_21col_office_a.csv"
    load(harbour, path)
    by_link = _by_linkedid(harbour)
    expected = json.loads(path.with_name(path.name + ".expected.json").read_text())["calls"]
    assert {wanted["linkedid"] for wanted in expected} == set(by_link)
    for wanted in expected:
        call = by_link[wanted["linkedid"]]
        assert call.started_at == datetime.fromisoformat(wanted["started_at"])
        assert call.direction == Direction[wanted["direction"].upper()]
        assert call.outcome == Outcome[wanted["outcome"].upper()], wanted
        assert abs(call.talk_seconds - wanted.get("talk_seconds", 0)) <= 1
        reached = harbour.number(call.callee_id)
        if "answered_by" in wanted:
            assert _national(reached) == wanted["answered_by"]
        assert (call.answered_by_id is not None) == (wanted["outcome"] == "answered")
        if wanted["from"] == "anonymous":
            assert call.caller_id is None
        else:
            assert _national(harbour.number(call.caller_id)) == wanted["from"].replace("0049", "+49")
        # Three inbound calls reached queue 700 by a jump in the dialplan: no row of theirs holds the number dialled.
        if any(
            wanted["dialled"].encode() in record.raw
            for record in harbour.all(CallRecord)
            if record.call_key == call.call_key
        ):
            assert _national(harbour.number(call.dialed_id)) == wanted["dialled"]


def _by_linkedid(harbour: Importing) -> dict[str, Call]:
    calls = {call.call_key: call for call in harbour.calls()}
    found: dict[str, Call] = {}
    for record in harbour.all(CallRecord):
        linkedid = record.raw.decode().rsplit(",", 2)[1].strip('"')
        assert found.setdefault(linkedid, calls[record.call_key]) is calls[record.call_key]
    return found


def _national(number: str | None) -> str | None:
    return "0" + number[3:] if number and number.startswith("+44") else number
