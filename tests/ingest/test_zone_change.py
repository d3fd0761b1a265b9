"""Another time zone: the totals become those that the same calls have in an organization that was of it all along.

And so they do beside imports and undos, when the work is killed, and when the zone changes again in the middle.
"""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row
from tests.ingest.processes import KILLED, Processes, processes  # noqa: F401 - a fixture
from tests.ingest.test_killed import moments, steps_of
from webapp.calls.models import CallDay, CallMonth, CallParty, ImportState, PartyTotal
from webapp.database.engine import Database
from webapp.ingest import importer, undo, zone_change
from webapp.ingest.call_writer import LocalDays
from webapp.ingest.zone_change import follow_zone, slots_by_day
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

#: Half an hour of DST, quarters of an hour, DST in the south, a day that is left out (2011-12-30), one hour, none.
ZONES = [
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Santiago",
    "Pacific/Apia",
    "America/St_Johns",
    "Europe/Paris",
    "UTC",
]
#: When the clocks of London and of these zones changed, and a leap day; rows are written in London's time.
MOMENTS = [
    "2011-12-30",
    "2026-03-29",
    "2026-04-05",
    "2026-10-04",
    "2026-10-25",
    "2011-11-06",
    "2024-02-29",
    "2025-12-31",
]


@pytest.fixture
def quayside(database: Database, cast: Cast) -> Importing:
    """Where the same is done in the new zone from the beginning."""
    return Importing(database, cast.quayside)


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_change, "_PARTY_CALLS", 7)
    monkeypatch.setattr(importer, "_FIRST_BATCH", 20)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", 20)
    monkeypatch.setattr(undo, "_CHUNK", 20)


def row(number: int, start: datetime, chooser: random.Random) -> bytes:
    answered, talk = chooser.random() < 0.6, chooser.randrange(1, 500)
    return asterisk_row(
        unique=f"{1784116800 + number}.{number}",
        sequence=number,
        source=f"0207946{chooser.randrange(12):04}",
        start=f"{start:%Y-%m-%d %H:%M:%S}",
        answer=f"{start + timedelta(seconds=8):%Y-%m-%d %H:%M:%S}" if answered else "",
        end=f"{start + timedelta(seconds=8 + talk):%Y-%m-%d %H:%M:%S}",
        duration=8 + talk,
        billsec=talk if answered else 0,
        disposition="ANSWERED" if answered else "NO ANSWER",
    )


def content(rows: int, seed: int = 1, first: int = 0) -> bytes:
    """Calls within two days of a change of clocks, or of a year."""
    chooser = random.Random(seed)
    starts = [
        datetime.fromisoformat(chooser.choice(MOMENTS)) + timedelta(seconds=chooser.randrange(-86_400, 2 * 86_400))
        for _ in range(rows)
    ]
    return b"".join(row(first + number, start, chooser) for number, start in enumerate(sorted(starts)))


def live_in(place: Importing, time_zone: str) -> None:
    with writing_session(place.database) as session:
        session.get_one(Organization, place.organization.id).time_zone = time_zone
        session.commit()


def totals(place: Importing) -> list[Counter[tuple[Any, ...]]]:
    """In words that do not depend on ids. Of one phone system."""
    sums = ("calls", "ring_seconds", "wait_seconds", "talk_seconds", "price", "unpriced")
    party_sums = ("calls", "answered", "missed", "talk_seconds")
    numbers = {row.party_id: place.number(row.party_id) for row in place.all(PartyTotal)}

    def sums_of(row: CallDay | CallMonth) -> tuple[int, ...]:
        return row.direction, row.outcome, *(getattr(row, name) for name in sums)

    return [
        Counter((row.day, *sums_of(row)) for row in place.all(CallDay)),
        Counter((row.month, *sums_of(row)) for row in place.all(CallMonth)),
        Counter(
            (numbers[row.party_id], row.day, *(getattr(row, name) for name in party_sums))
            for row in place.all(PartyTotal)
        ),
    ]


def check_moved(harbour: Importing, quayside: Importing, time_zone: str) -> None:
    organization = harbour.stored()
    assert (organization.time_zone, organization.is_moving) == (time_zone, False)
    harbour.check()
    assert harbour.told() == quayside.told() != []
    assert totals(harbour) == totals(quayside)


def steps(most: int) -> Callable[[], bool]:
    """Says to stop after so many transactions."""
    done = count(1)
    return lambda: next(done) < most


@pytest.mark.parametrize("seed", range(len(ZONES)))
def test_totals_are_those_of_an_organization_of_that_zone(
    harbour: Importing, quayside: Importing, few_at_once: None, seed: int
) -> None:
    time_zone = ZONES[seed]
    live_in(quayside, time_zone)
    for place in (harbour, quayside):
        place.load(place.pbx(), content(120, seed))
    before = totals(harbour)
    harbour.choose_zone(time_zone)
    follow_zone(harbour.database, harbour.organization.id)
    check_moved(harbour, quayside, time_zone)
    assert totals(harbour) != before or time_zone == "UTC"


def test_back_again_is_as_before(harbour: Importing, few_at_once: None) -> None:
    harbour.load(harbour.pbx(), content(100))
    before = totals(harbour)
    for time_zone in ("Pacific/Apia", "Europe/London"):
        harbour.choose_zone(time_zone)
        follow_zone(harbour.database, harbour.organization.id)
        harbour.check()
        assert (totals(harbour) == before) == (time_zone == "Europe/London")


@pytest.mark.parametrize("zone", [*ZONES, "America/New_York", "Africa/Casablanca", "Antarctica/Troll", "Asia/Tehran"])
def test_days_hold_every_quarter_of_an_hour(zone: str) -> None:
    first, last = 1_400_000, 1_400_000 + 96 * 800  # from 2009-12 on
    runs = list(slots_by_day(ZoneInfo(zone), first, last))
    found = [(slot, day) for day, since, until in runs for slot in range(since, until + 1)]
    assert [slot for slot, _day in found] == list(range(first, last + 1))
    days = LocalDays(zone)
    for slot, day in found:
        assert day == days.day(slot)


def test_many_calls_of_one_party_at_one_instant(harbour: Importing, quayside: Importing, few_at_once: None) -> None:
    """More than one transaction counts: none is left out, none comes twice."""
    live_in(quayside, "Asia/Kathmandu")
    rows = b"".join(asterisk_row(unique=f"{1784116800 + number}.{number}", sequence=number) for number in range(30))
    for place in (harbour, quayside):
        place.load(place.pbx(), rows)
    harbour.choose_zone("Asia/Kathmandu")
    follow_zone(harbour.database, harbour.organization.id)
    check_moved(harbour, quayside, "Asia/Kathmandu")


@pytest.mark.parametrize("moment", range(1, 10, 2))
def test_an_import_that_is_half_through(
    harbour: Importing, quayside: Importing, few_at_once: None, moment: int
) -> None:
    """The zone changes between two of its batches, and parties are counted between others; both follow at once."""
    live_in(quayside, "America/Santiago")
    quayside.load(quayside.pbx(), content(200))
    import_file_id = harbour.queue(harbour.pbx(), content(200))
    batches = count(1)

    def beside() -> bool:
        if next(batches) == moment:
            harbour.choose_zone("America/Santiago")
        follow_zone(harbour.database, harbour.organization.id, steps(1))
        harbour.check()
        return True

    assert harbour.run(import_file_id, keep_going=beside).state == ImportState.DONE
    assert next(batches) > moment
    follow_zone(harbour.database, harbour.organization.id)
    check_moved(harbour, quayside, "America/Santiago")


@pytest.mark.parametrize("moment", [1, 3])
def test_an_undo_that_is_half_through(harbour: Importing, quayside: Importing, few_at_once: None, moment: int) -> None:
    """It takes parties away that are still counted by the days of the old zone, and some that are half counted."""
    live_in(quayside, "Pacific/Apia")
    pbx = harbour.pbx()
    kept, undone = content(60), content(150, seed=2, first=1000).replace(b"0207946", b"0207947")
    harbour.load(pbx, kept)
    quayside.load(quayside.pbx(), kept)
    import_file_id = harbour.load(pbx, undone).id
    harbour.change(import_file_id, state=ImportState.UNDOING)
    transactions = count(1)

    def beside() -> bool:
        if next(transactions) == moment:
            harbour.choose_zone("Pacific/Apia")
        follow_zone(harbour.database, harbour.organization.id, steps(2))
        harbour.check()
        return True

    undo.undo_import(harbour.database, bytes(range(32)), harbour.organization.id, import_file_id, beside)
    assert harbour.result(import_file_id).state == ImportState.UNDONE
    follow_zone(harbour.database, harbour.organization.id)
    check_moved(harbour, quayside, "Pacific/Apia")


@pytest.mark.parametrize("after", [1, 2, 9, 20])
def test_a_second_change_before_the_first_is_done(
    harbour: Importing, quayside: Importing, few_at_once: None, after: int
) -> None:
    live_in(quayside, "Asia/Kathmandu")
    for place in (harbour, quayside):
        place.load(place.pbx(), content(100))
    harbour.choose_zone("America/Santiago")
    follow_zone(harbour.database, harbour.organization.id, steps(after))
    assert harbour.stored().time_zone == "America/Santiago"
    assert harbour.stored().is_moving
    harbour.choose_zone("Asia/Kathmandu")
    follow_zone(harbour.database, harbour.organization.id)
    check_moved(harbour, quayside, "Asia/Kathmandu")


def test_killed_at_any_moment(
    harbour: Importing,
    quayside: Importing,
    database: Database,
    processes: Processes,  # noqa: F811
) -> None:
    live_in(quayside, "America/St_Johns")
    for place in (harbour, quayside):
        place.load(place.pbx(), content(120))
    harbour.choose_zone("Pacific/Apia")
    number = steps_of(database, lambda: follow_zone(database, harbour.organization.id))
    harbour.choose_zone("America/St_Johns")
    for die_at in moments(number // 2, seed=5):
        assert processes.wait(processes.start("follow zone", harbour, 0, die_at=die_at)) in (KILLED, 0)
        harbour.check()
    assert processes.wait(processes.start("follow zone", harbour, 0)) == 0
    check_moved(harbour, quayside, "America/St_Johns")


@pytest.mark.parametrize("turn", range(2))
def test_beside_an_import_and_an_undo_in_other_processes(
    harbour: Importing,
    quayside: Importing,
    processes: Processes,  # noqa: F811
    turn: int,
) -> None:
    live_in(quayside, "America/Santiago")
    pbx, other = harbour.pbx(), quayside.pbx()
    undone, kept, coming = content(100, 2, 1000), content(100, 3, 2000), content(150, 4, 3000)
    first = harbour.load(pbx, undone.replace(b"0207946", b"0207947"))
    harbour.load(pbx, kept)
    import_file_id = harbour.queue(pbx, coming)
    quayside.load(other, kept)
    quayside.load(other, coming)
    harbour.change(first.id, state=ImportState.UNDOING)
    harbour.choose_zone("America/Santiago")
    orders = [("follow zone", 0), ("import", import_file_id), ("undo", first.id), ("follow zone", 0)]
    children = [processes.start(do, harbour, id_, batch=15) for do, id_ in (orders if turn else reversed(orders))]
    assert [processes.wait(child) for child in children] == [0] * 4
    follow_zone(harbour.database, harbour.organization.id)
    check_moved(harbour, quayside, "America/Santiago")


def test_who_reads_has_the_zone_of_the_sums(harbour: Importing) -> None:
    """A page that has begun before the change sees none of it: neither engine mixes two moments."""
    harbour.load(harbour.pbx(), content(60))
    before = {row.day for row in harbour.all(CallDay)}
    with reading_session(harbour.database, harbour.organization.id) as session:
        assert session.get_one(Organization, harbour.organization.id).time_zone == "Europe/London"
        harbour.choose_zone("Pacific/Apia")
        follow_zone(harbour.database, harbour.organization.id)
        assert {row.day for row in session.query(CallDay)} == before
    assert {row.day for row in harbour.all(CallDay)} != before


def test_no_transaction_counts_many(harbour: Importing, few_at_once: None) -> None:
    harbour.load(harbour.pbx(), content(60))
    harbour.choose_zone("UTC")
    turns = count(1)

    def keep_going() -> bool:
        next(turns)
        return True

    follow_zone(harbour.database, harbour.organization.id, keep_going)
    assert next(turns) > len(harbour.all(CallParty)) // 7


def test_without_calls_nothing_is_left(harbour: Importing) -> None:
    harbour.choose_zone("UTC")
    follow_zone(harbour.database, harbour.organization.id)
    assert (harbour.stored().time_zone, harbour.stored().is_moving) == ("UTC", False)


def test_others_stay_as_they_are(harbour: Importing, quayside: Importing, few_at_once: None) -> None:
    for place in (harbour, quayside):
        place.load(place.pbx(), content(40))
    before = totals(quayside)
    harbour.choose_zone("Pacific/Apia")
    follow_zone(harbour.database, harbour.organization.id)
    assert totals(quayside) == before
    quayside.check()
