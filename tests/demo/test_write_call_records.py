"""The demo's call-record files: the same interval is the same bytes, and what stands in them could be real."""

import csv
import itertools
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from demo import firm
from demo.write_call_records import (
    CLOUD_FILE,
    MASTER_FILE,
    cloud_lines_between,
    filler_lines,
    first_instant,
    main,
    master_lines_between,
    write_cloud_csv,
    write_master_csv,
)

LONDON = ZoneInfo("Europe/London")
UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # a Friday afternoon
(SRC, DST, CONTEXT, CLID, CHANNEL, DSTCHANNEL, APPLICATION, DATA, START, ANSWER, END) = range(1, 12)
DURATION, BILLSEC, DISPOSITION, UNIQUEID, LINKEDID, SEQUENCE = 12, 13, 14, 16, 19, 20

FICTION = re.compile(
    r"(?:020 7946 0|011[345678] 496 0|01[23456]1 496 0|0191 498 0|07700 900|0808 157 0|0033 199 00\d|0049 30 23125)"
    r"\d{3}|001\d{3}55501\d\d".replace(" ", "")
)


def rows_of(lines: list[str]) -> list[list[str]]:
    return list(csv.reader(lines))


@pytest.fixture(scope="module")
def master() -> list[list[str]]:
    """The head office's thirteen months."""
    return rows_of(list(master_lines_between(first_instant(UNTIL), UNTIL)))


@pytest.fixture(scope="module")
def cloud() -> list[list[str]]:
    return rows_of(list(cloud_lines_between(first_instant(UNTIL), UNTIL)))


def calls_of(master: list[list[str]]) -> dict[str, list[list[str]]]:
    calls = defaultdict(list)
    for row in master:
        calls[row[LINKEDID]].append(row)
    return calls


def utc(row: list[str]) -> int:
    return int(row[UNIQUEID].split(".")[0])


def test_columns_and_quoting(master: list[list[str]], cloud: list[list[str]]) -> None:
    assert {len(row) for row in master} == {21}
    assert {len(row) for row in cloud} == {15}
    line = next(master_lines_between(UNTIL - timedelta(days=1), UNTIL))
    assert re.fullmatch(r'("[^,]*",)(.*),\d+,\d+,"[A-Z ]+","DOCUMENTATION","\d+\.\d+","","","\d+\.\d+",\d+', line)
    assert re.search(r'"""[^"]*"" <\w+>"', line)


def test_the_size_is_that_of_a_small_firm(master: list[list[str]], cloud: list[list[str]]) -> None:
    calls = len(calls_of(master)) + sum(1 for row in cloud if row[11])
    assert 20_000 <= calls <= 26_000
    by_day = Counter(row[START][:10] for rows in calls_of(master).values() for row in rows[:1])
    mondays = [by_day[d] for d in by_day if date.fromisoformat(d).weekday() == 0]
    sundays = [by_day[d] for d in by_day if date.fromisoformat(d).weekday() == 6]
    assert sum(mondays) / len(mondays) > 60
    assert max(sundays) < 15
    assert by_day["2026-05-25"] < 15  # Spring bank holiday
    assert by_day["2026-04-06"] < 15  # Easter Monday


def test_same_interval_same_bytes(tmp_path: Path) -> None:
    since = datetime(2026, 9, 1, 7, 13, 9, tzinfo=UTC)
    until = since + timedelta(days=3)
    assert write_master_csv(tmp_path / "a.csv", since, until) > 0
    write_master_csv(tmp_path / "longer.csv", since - timedelta(days=9), UNTIL)
    write_master_csv(tmp_path / "b.csv", since, until)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    longer = set((tmp_path / "longer.csv").read_text().splitlines())
    assert set(master_lines_between(since, until)) <= longer
    assert write_cloud_csv(tmp_path / "c.csv", since, until) == len(list(cloud_lines_between(since, until)))


@pytest.mark.parametrize("lines_between", [master_lines_between, cloud_lines_between])
def test_intervals_join(lines_between) -> None:  # type: ignore[no-untyped-def]
    since, until = datetime(2026, 10, 22, tzinfo=UTC), datetime(2026, 10, 28, tzinfo=UTC)
    whole = list(lines_between(since, until))
    cuts = [since, *(since + timedelta(hours=hours) for hours in (5, 11.317, 34, 34.01, 71, 73, 100)), until]
    pieces = [line for start, end in itertools.pairwise(cuts) for line in lines_between(start, end)]
    assert pieces == whole
    assert len(set(whole)) == len(whole)


def test_ids_are_unique_and_links_hold(master: list[list[str]], cloud: list[list[str]]) -> None:
    ids = Counter((row[UNIQUEID], row[SEQUENCE]) for row in master)
    assert max(ids.values()) == 1
    channels: dict[str, str] = {}
    for row in master:
        assert channels.setdefault(row[UNIQUEID], row[CHANNEL]) == row[CHANNEL]
    for linkedid, rows in calls_of(master).items():
        assert linkedid in {row[UNIQUEID] for row in rows}
        local_ends = {row[CHANNEL] for row in rows if row[CHANNEL].endswith(";2")}
        assert local_ends == {row[DSTCHANNEL][:-1] + "2" for row in rows if row[DSTCHANNEL].endswith(";1")}
    uuids = Counter(row[10] for row in cloud)
    assert max(uuids.values()) == 1
    assert {row[11] for row in cloud} - {""} <= set(uuids)


def test_all_numbers_are_fiction(master: list[list[str]], cloud: list[list[str]]) -> None:
    own = set(firm.EXTENSIONS) | {"*97", "2"}
    numbers = {row[field] for row in master for field in (SRC, DST)}
    numbers |= set(re.findall(r"\d{4,}", " ".join(row[DATA] + " " + row[CLID] for row in master)))
    numbers |= {row[field] for row in cloud for field in (1, 2)}
    numbers |= {number for row in cloud for number in re.findall(r"\d{4,}", row[0])}
    assert [n for n in numbers - own - {"anonymous"} if not FICTION.fullmatch(n)] == []
    assert len(numbers) > 90


def test_regulars_have_their_own_numbers() -> None:
    assert len({party.number for party in firm.REGULARS}) == len(firm.REGULARS) >= 90
    ours = {*firm.MOBILES.values(), *firm.DIRECT_NUMBERS.values(), *firm.CLOUD_NUMBERS.values(), firm.MAIN_NUMBER}
    assert not ours & {party.number for party in firm.REGULARS}


def test_times_agree(master: list[list[str]]) -> None:
    """Duration and billsec follow from the times, also across a change of the clocks, which uniqueid tells."""
    for row in master:
        start = utc(row) if row[CHANNEL] else 0
        wall = datetime.fromisoformat(row[START])
        offsets = {LONDON.utcoffset(wall.replace(fold=fold)) for fold in (0, 1)}
        instants = {int((wall - offset).replace(tzinfo=UTC).timestamp()) for offset in offsets if offset is not None}
        assert any(0 <= instant - start < 200 for instant in instants), row
        assert 0 <= int(row[BILLSEC]) <= int(row[DURATION])
        assert bool(row[ANSWER]) == (row[DISPOSITION] == "ANSWERED")
        if row[ANSWER] and len(offsets) == 1:
            ended = datetime.fromisoformat(row[END])
            assert (ended - wall).total_seconds() == int(row[DURATION])
            assert (ended - datetime.fromisoformat(row[ANSWER])).total_seconds() == int(row[BILLSEC])


def test_the_autumn_night_has_both_its_hours(master: list[list[str]]) -> None:
    night = [row for row in master if row[START].startswith("2026-10-25 01:")]
    offsets = {
        row[START]: datetime.fromisoformat(row[START]).replace(tzinfo=UTC).timestamp() - utc(row) for row in night
    }
    assert offsets["2026-10-25 01:35:00"] == 3600
    assert offsets["2026-10-25 01:20:00"] == 0


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 11, 20, 11, 0, tzinfo=UTC),
        datetime(2026, 11, 22, 3, 59, 59, tzinfo=UTC),
        datetime(2026, 12, 25, 23, 0, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 3, tzinfo=UTC),
        datetime(2027, 3, 28, 0, 59, 30, tzinfo=UTC),
    ],
)
def test_the_newest_call_is_minutes_old(tmp_path: Path, now: datetime) -> None:
    for seconds in range(0, 900, 97):
        until = now + timedelta(seconds=seconds)
        write_master_csv(tmp_path / "new.csv", until - timedelta(minutes=30), until)
        rows = rows_of((tmp_path / "new.csv").read_text(encoding="utf-8").splitlines())
        ages = [until.timestamp() - utc(row) for row in rows if row[UNIQUEID] == row[LINKEDID]]
        assert 0 < min(ages) <= 600
        assert min(until.timestamp() - utc(row) - int(row[DURATION]) for row in rows) > 0


def test_fillers_never_collide(master: list[list[str]]) -> None:
    found: dict[tuple[str, str], str] = {(row[UNIQUEID], row[SEQUENCE]): "planned" for row in master}
    links = {row[LINKEDID] for row in master}
    night = datetime(2026, 11, 14, 23, 0, tzinfo=UTC)
    for seconds in range(0, 8 * 86400, 601):
        for line in filler_lines(night + timedelta(seconds=seconds)):
            row = rows_of([line])[0]
            assert found.setdefault((row[UNIQUEID], row[SEQUENCE]), line) == line
            assert row[LINKEDID] not in links


def test_outcomes_are_plausible(master: list[list[str]]) -> None:
    outcomes: Counter[str] = Counter()
    for rows in calls_of(master).values():
        if not rows[0][CHANNEL].startswith("PJSIP/provider") and not any("provider" in r[CHANNEL] for r in rows):
            continue
        if any(row[DISPOSITION] == "ANSWERED" and row[DSTCHANNEL].startswith("PJSIP/") for row in rows):
            outcomes["answered"] += 1
        elif any(row[APPLICATION] == "VoiceMail" for row in rows):
            outcomes["voicemail"] += 1
        else:
            outcomes["missed"] += 1
    calls = outcomes.total()
    assert 0.62 < outcomes["answered"] / calls < 0.82
    assert 0.06 < outcomes["voicemail"] / calls < 0.18
    assert 0.10 < outcomes["missed"] / calls < 0.25


def test_every_shape_is_there(master: list[list[str]], cloud: list[list[str]]) -> None:
    assert {row[DISPOSITION] for row in master} == {"ANSWERED", "NO ANSWER", "BUSY", "CONGESTION", "FAILED"}
    applications = {row[APPLICATION] for row in master}
    assert applications == {"Dial", "Queue", "VoiceMail", "VoiceMailMain", "BackGround"}
    assert any(row[DATA].startswith("PJSIP/202&PJSIP/203&PJSIP/205") for row in master)
    assert any(row[DATA].startswith("Local/202@from-group/n&") for row in master)
    assert {"anonymous"} < {row[SRC] for row in master}
    assert {"NORMAL_CLEARING", "NO_ANSWER", "USER_BUSY", "LOSE_RACE", "UNALLOCATED_NUMBER"} <= {row[9] for row in cloud}


def test_nobody_talks_on_two_calls_at_once(master: list[list[str]]) -> None:
    talks = defaultdict(list)
    for row in master:
        for channel in (row[CHANNEL], row[DSTCHANNEL]):
            match = re.match(r"PJSIP/(2\d\d)-", channel)
            if match and row[DISPOSITION] == "ANSWERED":
                talks[match[1]].append((row[ANSWER], row[END], row[LINKEDID]))
    overlaps = talks_count = 0
    for spans in talks.values():
        spans.sort()
        talks_count += len(spans)
        overlaps += sum(a[1] > b[0] and a[2] != b[2] for a, b in itertools.pairwise(spans))
    assert overlaps / talks_count < 0.01


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path / "new"), "--since", "2026-06-01T00:00:00", "--until", "2026-06-03T12:00:00+00:00"])
    assert (tmp_path / "new" / MASTER_FILE).stat().st_size > 10_000
    assert (tmp_path / "new" / CLOUD_FILE).stat().st_size > 1_000
    assert capsys.readouterr().out.count(" rows\n") == 2
