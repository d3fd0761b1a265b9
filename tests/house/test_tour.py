"""docs/tour.md is true: the functions it names exist, and its line comes out as it says."""

import importlib
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.ingest.importing import Importing
from webapp.calls.outcomes import Direction, LegKind, LegResult, Outcome
from webapp.database.engine import Database
from webapp.ingest.normalize import Normalizer
from webapp.ingest.readers import asterisk_cdr_csv
from webapp.ingest.records import ParsedRecord, ReadOptions, SourceLine
from webapp.ingest.settings import PbxSettings
from webapp.ingest.source import open_text

ROOT = Path(__file__).parents[2]
TOUR = (ROOT / "docs" / "tour.md").read_text()
SAMPLE = ROOT / "tests" / "data" / "readers" / "asterisk_cdr_csv" / "captured_21col_office_a.csv"
STOPS = re.findall(r"`(webapp/[\w/]+)\.py: ([\w.]+)`", TOUR)


def the_line() -> SourceLine:
    with SAMPLE.open("rb") as stream:
        rows = list(open_text(stream).lines())
    [row] = [row for row in rows if row.number == 14]
    assert isinstance(row, SourceLine)
    return row


def the_record() -> ParsedRecord:
    [record] = asterisk_cdr_csv.read(iter([the_line()]), ReadOptions())
    assert isinstance(record, ParsedRecord)
    return record


def test_it_has_eight_stops_and_each_exists() -> None:
    assert len(STOPS) == 8
    for path, name in STOPS:
        found: object = importlib.import_module(path.replace("/", "."))
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)


def test_the_line_is_the_one_of_the_sample() -> None:
    assert the_line().text in TOUR


def test_the_parsed_record_says_what_the_tour_says() -> None:
    record = the_record()
    assert (record.caller, record.dialed, record.reached) == ("07700900461", "02079460100", "201")
    assert (record.kind, record.result, record.line) == (LegKind.PHONE, LegResult.ANSWERED, "IAX2/provider")
    assert record.peer_leg_id == "Local/201@phones-00000003"
    assert (record.link_ids, record.pbx_record_id) == (("1795350626.9",), "1795350626.9/9")
    settings = PbxSettings(
        1, "Europe/London", "GB", extension_digits=frozenset({3}), outside_lines=frozenset({"IAX2/provider"})
    )
    normalizer = Normalizer(settings, b"k" * 32)
    normal = normalizer.normalize(record)
    assert normal.started_at == int(datetime(2026, 11, 22, 12, 30, 26, tzinfo=UTC).timestamp() * 1000)
    assert normal.direction == Direction.INBOUND
    caller = normalizer.plan.identify(record.caller)
    assert caller is not None
    assert caller.e164 == "+447700900461"


def test_the_call_and_its_row_on_the_page(database: Database, cast: Cast, client: PageCheckingClient) -> None:
    harbour = Importing(database, cast.harbour)
    harbour.load(harbour.pbx(lines=("IAX2/provider",)), SAMPLE.read_bytes())
    [call] = [call for call in harbour.calls() if harbour.number(call.caller_id) == "+447700900461"]
    assert (call.outcome, call.ring_seconds, call.talk_seconds, call.record_count) == (Outcome.ANSWERED, 2, 5, 2)
    assert call.started_at.astimezone(ZoneInfo("Europe/London")).strftime("%H:%M") == "12:30"
    client.sign_in(cast.olive)
    page = client.get("/o/harbour/calls?period=all").get_data(as_text=True)
    [row] = [row for row in re.findall(r"<tr[ >].*?</tr>", page, re.DOTALL) if "900461" in row]
    words = " ".join(re.sub(r"<[^>]+>", " ", row).replace("\u202f", " ").replace("\xa0", " ").split())
    for said in ("12:30", "07700 900461", "201", "Answered", "2 s", "0:05"):
        assert said in words
