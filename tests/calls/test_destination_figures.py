"""Live figures of destinations and numbers: each call once, in their days, in work that does not follow the calls."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from tests.calls.handed_over import CUSTOMER
from tests.calls.test_browse import statements
from tests.make import EPOCH, Make
from webapp import clock
from webapp.calls import destination_figures
from webapp.calls.outcomes import Direction, Outcome
from webapp.database.engine import Database
from webapp.destinations.figures import (
    FIGURE_DAYS,
    LiveFigures,
    read_destination_figures,
    read_number_figures,
)
from webapp.destinations.models import Destination, DestinationKind, DestinationMember
from webapp.tenancy.sessions import reading_session

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 7, 15, 14, 0, tzinfo=UTC)
OWN_NUMBER = "+442079460100"


@pytest.fixture(autouse=True)
def _in_july(app: object) -> Iterator[None]:
    """The app, when it is made, registers what reads them."""
    with time_machine.travel(NOW, tick=False):
        yield


def read(database: Database, make: Make, *destinations: Destination) -> list[LiveFigures]:
    ids = [each.id for each in destinations]
    with reading_session(database, make.organization.id) as session:
        found = read_destination_figures(session, ids, LONDON)
    return [found[each] for each in ids]


def held(make: Make, name: str, *extensions: str) -> Destination:
    destination = make.destination(name)
    for digits in extensions:
        make.holder(make.party(digits), destination)
    return destination


def test_they_are_those_of_the_last_days(database: Database, make: Make) -> None:
    anna = held(make, "Anna", "204")
    first = datetime(2026, 6, 15, 23, 0, tzinfo=UTC)  # 16 June begins in London
    make.call(callee="204", started_at=first - timedelta(milliseconds=1), talk=999)
    make.call(callee="204", started_at=first, talk=60)
    make.call(callee="204", started_at=NOW, outcome=Outcome.NO_ANSWER)
    make.call(callee="204", started_at=NOW - timedelta(hours=1), outcome=Outcome.VOICEMAIL)
    make.call(caller="204", callee=CUSTOMER, direction=Direction.OUTBOUND, started_at=NOW - timedelta(days=1), talk=30)
    make.call(callee="205", started_at=NOW)
    [figures] = read(database, make, anna)
    assert figures == LiveFigures(
        calls=4,
        answered=1,
        missed=1,
        voicemail=1,
        talk_seconds=90,
        last_call_at=NOW,
        days=(1, *(0,) * (FIGURE_DAYS - 3), 1, 2),
    )
    assert figures.answered_percent == 33


def test_a_hand_over_parts_them(database: Database, make: Make) -> None:
    anna, ben = held(make, "Anna", "204"), make.destination("Ben")
    passed = NOW - timedelta(days=3)
    make.holder(make.party("204"), ben, passed)
    make.call(callee="204", started_at=passed - timedelta(milliseconds=1))
    for _turn in range(2):
        make.call(callee="204", started_at=passed)
    before, after = read(database, make, anna, ben)
    assert (before.calls, after.calls) == (1, 2)
    assert before.last_call_at == passed - timedelta(milliseconds=1)
    assert after.days[-4] == 2


def test_a_call_between_two_of_theirs_counts_once(database: Database, make: Make) -> None:
    team, other = held(make, "Sales", "201", "202"), held(make, "Grace", "205")
    make.call(caller="201", callee="202", direction=Direction.INTERNAL, started_at=NOW)
    make.call(caller="201", callee="205", direction=Direction.INTERNAL, started_at=NOW)
    sales, grace = read(database, make, team, other)
    assert (sales.calls, sales.days[-1], sales.missed, sales.answered_percent) == (2, 2, 0, None)
    assert grace.calls == 1


def test_the_last_call_is_of_all_days(database: Database, make: Make) -> None:
    anna, nobody = held(make, "Anna", "204"), make.destination("Nobody")
    long_ago = datetime(2024, 2, 3, 9, 0, tzinfo=UTC)
    make.call(callee="204", started_at=long_ago)
    assert read(database, make, anna, nobody) == [LiveFigures(last_call_at=long_ago), LiveFigures()]


def test_a_zone_with_many_parties(database: Database, make: Make) -> None:
    zone = make.destination("Bristol", DestinationKind.ZONE)
    for turn in range(30):
        number = f"+4411749600{turn:02}"
        make.holder(make.party(number), zone)
        make.call(caller=number, started_at=NOW - timedelta(days=turn))
    [figures] = read(database, make, zone)
    assert figures.calls == 30
    assert figures.days == (1,) * FIGURE_DAYS


def test_counting_stops_at_a_bound(database: Database, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(destination_figures, "COUNTED_AT_MOST", 5)
    busy, quiet = held(make, "Busy", "204"), held(make, "Quiet", "205")
    for turn in range(12):
        make.call(callee="204", started_at=NOW - timedelta(days=turn // 2))
    make.call(callee="205", started_at=NOW - timedelta(days=9))
    stopped, whole = read(database, make, busy, quiet)
    assert (stopped.more, stopped.calls, stopped.answered) == (True, 4, 4)
    assert stopped.days[-6:] == (2,) * 6
    assert (whole.more, whole.calls) == (False, 1)


@pytest.mark.parametrize("seed", range(8))
def test_each_call_counts_once_whatever_was_handed_over(
    database: Database, make: Make, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Against brute force: three destinations pass four extensions to and fro, and talk with each other too. The line
    is right before the day from which on calls are counted.
    """
    chance = random.Random(seed)
    monkeypatch.setattr(destination_figures, "COUNTED_AT_MOST", chance.choice([3, 10, 1000]))
    owners = [make.destination(name) for name in ("Ann", "Ben", "Sales")]
    turns: dict[str, list[tuple[datetime, Destination | None]]] = {}
    for digits in ("201", "202", "203", "204"):
        days = sorted(chance.sample(range(FIGURE_DAYS * 24), chance.randrange(4)))
        starts = [EPOCH, *(NOW - timedelta(days=FIGURE_DAYS) + timedelta(hours=hour) for hour in days)]
        turns[digits] = [(start, chance.choice([*owners, None])) for start in starts]
        for start, owner in turns[digits]:
            make.holder(make.party(digits), owner, start)
    calls = []
    for _ in range(60):
        caller, callee = chance.sample([*turns, CUSTOMER], 2)
        at = NOW - timedelta(minutes=chance.randrange(FIGURE_DAYS * 24 * 60))
        make.call(caller=caller, callee=callee, started_at=at)
        calls.append((at, caller, callee))

    def is_of(owner: Destination, digits: str, at: datetime) -> bool:
        begun = [holder for start, holder in turns.get(digits, ()) if start <= at]
        return bool(begun) and begun[-1] is not None and begun[-1].id == owner.id

    for owner, figures in zip(owners, read(database, make, *owners), strict=True):
        days = [0] * FIGURE_DAYS
        for at, *sides in calls:
            place = FIGURE_DAYS - 1 - (NOW.astimezone(LONDON).date() - at.astimezone(LONDON).date()).days
            if place >= 0 and any(is_of(owner, digits, at) for digits in sides):
                days[place] += 1
        assert figures.days == tuple(days)
        assert figures.more or figures.calls == sum(days)


def test_numbers_have_the_outside_calls_that_came_in_on_them(database: Database, make: Make) -> None:
    make.call(did=OWN_NUMBER, started_at=NOW)
    make.call(did=OWN_NUMBER, started_at=NOW, outcome=Outcome.NO_ANSWER)
    make.call(caller="201", callee=OWN_NUMBER, direction=Direction.INTERNAL, started_at=NOW)
    make.call(started_at=NOW)
    party_id, other_id = make.party(OWN_NUMBER).id, make.party("+442079460101").id
    with reading_session(database, make.organization.id) as session:
        found = read_number_figures(session, [party_id, other_id], LONDON)
    assert (found[party_id].calls, found[party_id].missed, found[party_id].last_call_at) == (2, 1, NOW)
    assert found[other_id] == LiveFigures()


def test_the_statements_do_not_follow_the_destinations(database: Database, make: Make) -> None:
    some = [held(make, f"Person {turn}", f"3{turn:02}") for turn in range(25)]
    for turn in range(25):
        make.call(callee=f"3{turn:02}", started_at=NOW)
    with statements(database) as seen:
        assert all(each.calls == 1 for each in read(database, make, *some))
    assert len([sql for sql, _values in seen if sql.startswith("SELECT")]) == 4


def test_another_organization_has_none(database: Database, make: Make) -> None:
    assert read(database, make, make.at(make.organization).destination("Empty")) == [LiveFigures()]


def test_the_calls_of_its_people_are_a_team_s(make: Make) -> None:
    """Each once, also where two of them took part; of an extension only while it was theirs."""
    ann, ben, sales = make.destination("Ann"), make.destination("Ben"), make.destination("Sales", DestinationKind.TEAM)
    for person in (ann, ben):
        make.store(DestinationMember(team_id=sales.id, person_id=person.id))
    start = clock.now() - timedelta(days=2)
    make.holder(make.party("201"), ann)
    make.holder(make.party("202"), ben, from_at=start + timedelta(hours=1))
    make.holder(make.party("600"), sales)
    for hour, caller, callee in ((0, "+442079460123", "202"), (2, "+442079460123", "202"), (3, "201", "202")):
        make.call(started_at=start + timedelta(hours=hour), caller=caller, callee=callee)
    make.call(started_at=start + timedelta(hours=4), caller="+442079460123", dialed="600", callee="201")

    with make.session() as session:
        found = destination_figures.figures_of_destinations(session, [sales.id, ann.id], ZoneInfo("Europe/London"))
    assert (found[sales.id].calls, found[ann.id].calls) == (3, 2)
