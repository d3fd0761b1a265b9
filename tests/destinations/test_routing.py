"""Where a call goes, worked out by the pure code of routing.py, against a table of every minute over DST changes."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.destinations.route_checks import Surroundings, check_plan, find_circle
from webapp.destinations.route_models import RouteCondition
from webapp.destinations.routing import (
    MINUTES_OF_A_DAY,
    Decision,
    Holidays,
    Hours,
    Plan,
    RouteLine,
    Schedule,
    Span,
    Target,
    next_change,
    route_at,
    tell_path,
)

ALWAYS, OPEN, CLOSED, HOLIDAY = (RouteCondition(number) for number in (1, 2, 3, 4))
BUSY, NO_ANSWER, UNREACHABLE = (RouteCondition(number) for number in (5, 6, 7))
RECEPTION, VOICEMAIL, MOBILE, TEAM = 11, 12, 13, 14
NAMES = {RECEPTION: Target("Reception"), VOICEMAIL: Target("Voicemail", rings=False), MOBILE: Target("Max’s mobile")}
OFFICE, BANK_HOLIDAYS = 1, 2
#: Days around which the clocks of these zones jump: an hour, an hour at another time of the year, half an hour.
JUMPS = [
    ("Europe/London", datetime(2026, 3, 28, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 10, 24, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 3, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 31, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 3, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 2, tzinfo=UTC)),
]
SPAN = st.tuples(st.integers(1, 7), st.integers(0, 1439), st.integers(1, 1440)).filter(lambda t: t[1] < t[2])
LINE = st.builds(
    lambda condition, destination, seconds, enabled: RouteLine(
        condition,
        destination,
        {OPEN: OFFICE, CLOSED: OFFICE, HOLIDAY: BANK_HOLIDAYS}.get(condition),
        seconds if condition == NO_ANSWER else None,
        enabled,
    ),
    st.sampled_from(RouteCondition),
    st.integers(1, 9),
    st.integers(1, 60),
    st.booleans(),
)


def offsets_by_minute(zone: str, start: datetime, days: int) -> list[timedelta]:
    """How far the wall clock is from UTC in each minute, asked of the zone one by one."""
    found = []
    for minute in range(days * MINUTES_OF_A_DAY):
        offset = (start + timedelta(minutes=minute)).astimezone(ZoneInfo(zone)).utcoffset()
        assert offset is not None
        found.append(offset)
    return found


TABLES = {(zone, start): offsets_by_minute(zone, start, 3) for zone, start in JUMPS}


def slow_answer(
    lines: list[RouteLine], grid: set[tuple[int, int]], days: set[date], wall: datetime
) -> tuple[object, ...]:
    """By a table: `grid` holds each open minute of the week."""
    is_open = (wall.isoweekday(), wall.hour * 60 + wall.minute) in grid
    fits = {ALWAYS: True, OPEN: is_open, CLOSED: not is_open, HOLIDAY: wall.date() in days}
    first = [line.destination_id for line in lines if line.enabled and fits.get(line.condition)][:1]
    onward = [
        (line.condition, line.destination_id)
        for condition in (NO_ANSWER, BUSY, UNREACHABLE)
        for line in [line for line in lines if line.enabled and line.condition == condition][:1]
    ]
    return (first[0], [way for way in onward if way[1] != first[0]]) if first else (None, [])


@settings(max_examples=60, deadline=None)
@given(
    jump=st.sampled_from(JUMPS),
    spans=st.lists(SPAN, max_size=6),
    holidays=st.sets(st.integers(-1, 4), max_size=3),
    lines=st.lists(LINE, max_size=6),
    minutes=st.lists(st.integers(0, 3 * MINUTES_OF_A_DAY - 1), min_size=1, max_size=40),
)
def test_an_answer_is_that_of_a_table_of_every_minute(
    jump: tuple[str, datetime],
    spans: list[tuple[int, int, int]],
    holidays: set[int],
    lines: list[RouteLine],
    minutes: list[int],
) -> None:
    zone, start = jump
    days = {start.date() + timedelta(days=number) for number in holidays}
    grid = {(weekday, minute) for weekday, begin, end in spans for minute in range(begin, end)}
    schedules: dict[int, Schedule] = {
        OFFICE: Hours(zone, tuple(Span(*span) for span in spans)),
        BANK_HOLIDAYS: Holidays(zone, tuple((day, "") for day in sorted(days))),
    }
    walls = [start + timedelta(minutes=minute) + offset for minute, offset in enumerate(TABLES[jump])]
    edges = {edge % MINUTES_OF_A_DAY for span in spans for edge in span[1:]}
    at_edges = [minute for minute, wall in enumerate(walls) if wall.hour * 60 + wall.minute in edges]
    for minute in (*minutes, *at_edges):
        at = start + timedelta(minutes=minute)
        wall = (at + TABLES[jump][minute]).replace(tzinfo=None)
        got = route_at(Plan(tuple(lines)), schedules, at)
        told = [(step.on, step.destination_id) for step in got.onward]
        assert (got.first and got.first.destination_id, told) == slow_answer(lines, grid, days, wall)
        for step in got.steps:
            assert lines[step.route].destination_id == step.destination_id


@settings(max_examples=15, deadline=None)
@given(jump=st.sampled_from(JUMPS), spans=st.lists(SPAN, max_size=4), minute=st.integers(0, MINUTES_OF_A_DAY))
def test_the_next_change_is_the_first_minute_that_differs(
    jump: tuple[str, datetime], spans: list[tuple[int, int, int]], minute: int
) -> None:
    zone, start = jump
    hours = Hours(zone, tuple(Span(*span) for span in spans))
    at = start + timedelta(minutes=minute)
    state, change = hours.hold(at), next_change(hours, at)
    by_hand = (at + timedelta(minutes=later) for later in range(1, MINUTES_OF_A_DAY))
    first = next((instant for instant in by_hand if hours.hold(instant) != state), None)
    assert change == first if first is not None else change is None or change >= at + timedelta(days=1)


def test_hours_that_begin_in_a_missing_hour_begin_with_the_jump() -> None:
    midnight, jump = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert next_change(Hours("Europe/London", (Span(7, 90, 180),)), midnight) == jump


def test_hours_that_never_open_or_close_have_no_next_change() -> None:
    assert next_change(Hours("Europe/London", ()), JUMPS[0][1]) is None
    all_week = tuple(Span(weekday, 0, MINUTES_OF_A_DAY) for weekday in range(1, 8))
    assert next_change(Hours("Europe/London", all_week), JUMPS[0][1]) is None


def test_a_night_that_skips_an_hour_and_one_that_has_it_twice() -> None:
    """Open on Sundays from 1:15 to 1:45: in March that half hour is missing in London, in October it comes twice."""
    hours = Hours("Europe/London", (Span(7, 75, 105),))
    march, october = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    assert not any(hours.hold(march + timedelta(minutes=minute)) for minute in range(180))
    # 1:15 of summer time is 0:15 UTC, of winter time 1:15 UTC.
    held = [minute for minute in range(180) if hours.hold(october + timedelta(minutes=minute))]
    assert held == [*range(15, 45), *range(75, 105)]


def test_validity_begins_with_its_instant_and_ends_before_its_end() -> None:
    begin, end = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
    plan = Plan((RouteLine(ALWAYS, MOBILE, from_at=begin, until_at=end), RouteLine(ALWAYS, RECEPTION)))
    tick = timedelta(milliseconds=1)
    rung = [route_at(plan, {}, at).first for at in (begin - tick, begin, end - tick, end)]
    assert [step and step.destination_id for step in rung] == [RECEPTION, MOBILE, MOBILE, RECEPTION]


def test_a_route_whose_schedule_is_not_there_does_not_fit() -> None:
    plan = Plan((RouteLine(CLOSED, VOICEMAIL, OFFICE), RouteLine(BUSY, MOBILE)))
    assert route_at(plan, {}, JUMPS[0][1]) == Decision(None)


def test_a_path_in_plain_words() -> None:
    lines = (
        RouteLine(ALWAYS, RECEPTION),
        RouteLine(BUSY, MOBILE),
        RouteLine(NO_ANSWER, VOICEMAIL, None, 20),
        RouteLine(UNREACHABLE, MOBILE),
    )
    decision = route_at(Plan(lines), {}, JUMPS[0][1])
    assert tell_path(decision, NAMES) == [
        "At that time Reception rings.",
        "If nobody answers for 20 s, it goes to Voicemail.",
        "If it is busy, it goes to Max’s mobile.",
        "If it cannot be reached, it goes to Max’s mobile.",
    ]
    past = tell_path(decision, NAMES, "On 3 May 2026 at 19:00", past=True)
    assert past[:2] == ["On 3 May 2026 at 19:00 Reception rang.", "If nobody answered for 20 s, it went to Voicemail."]
    voicemail = route_at(Plan((RouteLine(ALWAYS, VOICEMAIL),)), {}, JUMPS[0][1])
    assert tell_path(voicemail, NAMES, "Now") == ["Now Voicemail takes the call."]
    assert tell_path(Decision(None), NAMES)[0].startswith("At that time no route fits")


# ------------------------------------------------------------------------------------------------ what is wrong with it


def problems(
    *lines: RouteLine,
    schedules: dict[int, Schedule] | None = None,
    archived: tuple[int, ...] = (),
    own: dict[int, set[int]] | None = None,
    plans: dict[int, Plan] | None = None,
) -> list[tuple[str, int | None, bool]]:
    names = {**NAMES, TEAM: Target("Team")}
    around = Surroundings(names, archived, own or {}, plans or {}, {1: "Main line", 2: "Sales line", 3: "Third"})
    return [tuple(found) for found in check_plan(1, Plan(lines), schedules or {}, around)]


OFFICE_HOURS = Hours("Europe/London", (Span(1, 540, 1020),))


def test_a_sound_plan_has_no_problem() -> None:
    day = (RouteLine(HOLIDAY, VOICEMAIL, BANK_HOLIDAYS), RouteLine(OPEN, RECEPTION, OFFICE))
    calendar = Holidays("Europe/London", ((date(2026, 12, 25), "Christmas Day"),))
    schedules: dict[int, Schedule] = {OFFICE: OFFICE_HOURS, BANK_HOLIDAYS: calendar}
    late = (RouteLine(CLOSED, VOICEMAIL, OFFICE), RouteLine(NO_ANSWER, VOICEMAIL, None, 20))
    assert problems(*day, *late, schedules=schedules) == []
    assert problems() == [], "no routes at all is a choice"


def test_a_circle_is_refused_with_the_way_it_goes() -> None:
    """Reception is dialled by the Sales line, which leads to the team, which is dialled by the Main line: this one."""
    plans = {2: Plan((RouteLine(OPEN, TEAM, OFFICE),))}
    [(sentence, route, refuses)] = problems(RouteLine(ALWAYS, RECEPTION), own={RECEPTION: {2}, TEAM: {1}}, plans=plans)
    assert (route, refuses) == (0, True)
    assert "Main line → Sales line → Main line" in sentence
    [(straight, _route, _refuses)] = problems(RouteLine(ALWAYS, TEAM), own={TEAM: {1}})
    assert "Main line → Main line" in straight
    assert problems(RouteLine(ALWAYS, RECEPTION), own={RECEPTION: {2}}, plans=plans) == [], "it ends at the team"
    assert problems(RouteLine(ALWAYS, RECEPTION), own={RECEPTION: {2}, TEAM: {3}}, plans={**plans, 3: Plan()}) == []


def test_a_circle_among_others_does_not_hang() -> None:
    plans = {2: Plan((RouteLine(ALWAYS, TEAM),)), 3: Plan((RouteLine(ALWAYS, RECEPTION),))}
    assert problems(RouteLine(ALWAYS, RECEPTION), own={RECEPTION: {2}, TEAM: {3}}, plans=plans) == []


def test_a_circle_by_one_of_several_numbers_is_found() -> None:
    """Reception is dialled by two numbers, of which the second leads back."""
    plans = {2: Plan((RouteLine(ALWAYS, VOICEMAIL),)), 3: Plan((RouteLine(ALWAYS, TEAM),))}
    own = {RECEPTION: {2, 3}, TEAM: {1}}
    [(sentence, route, refuses)] = problems(RouteLine(ALWAYS, RECEPTION), own=own, plans=plans)
    assert (route, refuses) == (0, True)
    assert "Main line → Third → Main line" in sentence


def shortest_by_hand(number: int, line: RouteLine, around: Surroundings) -> int | None:
    """How many numbers a call passes until it is back at `number`, by following every way that repeats no number."""
    found: list[int] = []

    def walk(at: int, passed: tuple[int, ...]) -> None:
        if at == number:
            found.append(len(passed))
            return
        for onward in around.plans.get(at, Plan()).lines:
            for following in around.own_numbers.get(onward.destination_id, ()) if onward.enabled else ():
                if following not in passed:
                    walk(following, (*passed, following))

    for start in around.own_numbers.get(line.destination_id, ()):
        walk(start, (start,))
    return min(found, default=None)


PLACES, NUMBERS = st.integers(10, 15), st.integers(1, 5)
SOME_PLAN = st.lists(st.builds(RouteLine, st.just(ALWAYS), PLACES, enabled=st.booleans()), max_size=3)


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(PLACES, st.sets(NUMBERS, max_size=3)),
    st.dictionaries(NUMBERS, SOME_PLAN.map(lambda lines: Plan(tuple(lines)))),
    PLACES,
)
def test_every_circle_is_found_by_its_shortest_way(
    own: dict[int, set[int]], plans: dict[int, Plan], destination: int
) -> None:
    around, line = Surroundings({}, (), own, plans, {}), RouteLine(ALWAYS, destination)
    way = find_circle(1, line, around)
    assert (len(way) or None) == shortest_by_hand(1, line, around)
    for before, after in pairwise((None, *way)):
        places = (
            [destination] if before is None else [each.destination_id for each in plans[before].lines if each.enabled]
        )
        assert any(after in own.get(place, ()) for place in places), "each step of it can be gone"
    assert not way or way[-1] == 1


def test_a_circle_of_a_route_that_is_off_is_none() -> None:
    plans = {2: Plan((RouteLine(ALWAYS, TEAM, enabled=False),))}
    assert problems(RouteLine(ALWAYS, RECEPTION), own={RECEPTION: {2}, TEAM: {1}}, plans=plans) == []


def test_an_archived_destination_is_refused_by_name() -> None:
    [(sentence, route, refuses)] = problems(RouteLine(ALWAYS, RECEPTION), archived=(RECEPTION,))
    assert (route, refuses) == (0, True)
    assert sentence.startswith("Reception is archived")


@pytest.mark.parametrize(
    ("lines", "words", "refuses"),
    [
        ((RouteLine(NO_ANSWER, VOICEMAIL, None, 20),), "No route says where a call rings first", True),
        ((RouteLine(ALWAYS, RECEPTION, enabled=False),), "No route says where a call rings first", True),
        ((RouteLine(OPEN, RECEPTION, OFFICE),), "At times no route fits", False),
        ((RouteLine(ALWAYS, RECEPTION), RouteLine(CLOSED, VOICEMAIL, OFFICE)), "route 1 before it decides", False),
        (
            (RouteLine(ALWAYS, RECEPTION), RouteLine(BUSY, MOBILE), RouteLine(BUSY, VOICEMAIL)),
            "route 2 before it is for the same",
            False,
        ),
        (
            (
                RouteLine(ALWAYS, MOBILE, from_at=JUMPS[1][1], until_at=JUMPS[0][1]),
                RouteLine(ALWAYS, RECEPTION),
            ),
            "ends before it begins",
            True,
        ),
    ],
)
def test_what_else_is_wrong(lines: tuple[RouteLine, ...], words: str, refuses: bool) -> None:
    found = problems(*lines, schedules={OFFICE: OFFICE_HOURS})
    assert [(words in sentence, it_refuses) for sentence, _route, it_refuses in found] == [(True, refuses)]


def test_hours_that_never_open_are_said() -> None:
    found = problems(
        RouteLine(OPEN, RECEPTION, OFFICE), RouteLine(ALWAYS, MOBILE), schedules={OFFICE: Hours("Europe/London", ())}
    )
    assert [(route, refuses) for _sentence, route, refuses in found] == [(0, False)]
    assert "never open" in found[0][0]


def test_a_later_route_outlives_an_always_that_ends() -> None:
    """It is reached once the first has ended."""
    ending = RouteLine(ALWAYS, MOBILE, until_at=JUMPS[0][1])
    assert problems(ending, RouteLine(ALWAYS, RECEPTION)) == []
    assert [route for _s, route, _r in problems(ending, RouteLine(ALWAYS, MOBILE, until_at=JUMPS[0][1]))] == [1, None]
