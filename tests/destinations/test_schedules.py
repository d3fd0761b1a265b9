"""Opening hours and holidays: as they are typed, stored in versions, told and refused."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.audit.models import AuditDetail
from webapp.database.ids import new_id, spell_id
from webapp.destinations.models import DestinationKind
from webapp.destinations.route_models import RouteCondition, Schedule, ScheduleKind, ScheduleVersion
from webapp.destinations.routing import Holidays, Hours, RouteLine, Span
from webapp.destinations.schedule_text import (
    read_content,
    read_day,
    read_holidays,
    read_hours,
    spell_content,
    spell_day,
    spell_holidays,
    tell_at,
    tell_schedule,
    tell_state,
)
from webapp.errors import Refused
from webapp.tenancy.models import Numbers

TAB = "/o/harbour/destinations/routes"
NEW_HOURS = "/o/harbour/destinations/schedules/new/hours"
NEW_HOLIDAYS = "/o/harbour/destinations/schedules/new/holidays"
WEEK = {f"day_{weekday}": "9:00-17:00" for weekday in range(1, 6)} | {"day_6": "", "day_7": "closed"}
OFFICE = {"name": "Office hours", "time_zone": "Europe/London", **WEEK}
OFFICE_RULE = Hours("Europe/London", tuple(Span(weekday, 540, 1020) for weekday in range(1, 6)))
CALENDAR = {"name": "Bank holidays", "time_zone": "Europe/London"}


def stored(make: Make) -> list[tuple[Schedule, list[ScheduleVersion]]]:
    with make.session() as session:
        versions = list(session.scalars(select(ScheduleVersion).order_by(ScheduleVersion.from_at)))
        schedules = session.scalars(select(Schedule).order_by(Schedule.name))
        return [(each, [row for row in versions if row.schedule_id == each.id]) for each in schedules]


def began_with(page: str) -> str:
    found = re.search(r'name="began_with"[^>]*value="(\d+)"', page)
    assert found is not None
    return found[1]


# --------------------------------------------------------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("9:00-12:30, 13:30-17:00", [(540, 750), (810, 1020)]),
        ("13:30-17:00; 9-12.30", [(540, 750), (810, 1020)]),
        ("09:00 – 17:00", [(540, 1020)]),
        ("9 to 17", [(540, 1020)]),
        ("0:00-24:00", [(0, 1440)]),
        ("9-12,12-17", [(540, 720), (720, 1020)]),
        ("  ", []),
        ("Closed", []),
    ],
)
def test_hours_of_a_day_are_read(text: str, spans: list[tuple[int, int]]) -> None:
    assert [(span.from_minute, span.until_minute) for span in read_day(text, 3)] == spans


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nine to five", "is no time of the day"),
        ("9:00", "is no time of the day"),
        ("9:00-25:00", "from 0:00 to 24:00"),
        ("9:75-10:00", "from 0:00 to 24:00"),
        ("24:30-24:45", "from 0:00 to 24:00"),
        ("17:00-9:00", "ends before it begins"),
        ("9:00-9:00", "ends before it begins"),
        ("9:00-12:30, 12:00-17:00", "9:00-12:30 and 12:00-17:00 overlap"),
        ("9-10,,11-12", "is no time of the day"),
        ("9-10, " * 40, "At most 200 characters fit"),
        ("\N{FOX FACE}", "“\N{FOX FACE}” is no time of the day"),
    ],
)
def test_nonsense_hours_are_refused_with_their_day(text: str, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)) as caught:
        read_day(text, 3)
    assert caught.value.field == "day_3"


@settings(deadline=None)
@given(st.lists(st.integers(0, 1440), unique=True, max_size=8).map(sorted), st.integers(1, 7))
def test_what_is_spelt_reads_back(minutes: list[int], weekday: int) -> None:
    spans = [Span(weekday, *pair) for pair in zip(minutes[::2], minutes[1::2], strict=False)]
    assert read_day(spell_day(spans, weekday), weekday) == spans
    rule = Hours("Europe/London", tuple(spans))
    assert read_content(ScheduleKind.OPENING_HOURS, "Europe/London", spell_content(rule)) == rule


def test_hours_that_never_open_are_refused() -> None:
    with pytest.raises(Refused, match="never open"):
        read_hours(["", "closed", "", "", "", "-", ""])


def test_holidays_are_read_and_spelt() -> None:
    text = "2026-12-26 Boxing Day\n\n 2026-12-25\tChristmas  Day \n2027-01-01"
    days = read_holidays(text)
    assert days == ((date(2026, 12, 25), "Christmas Day"), (date(2026, 12, 26), "Boxing Day"), (date(2027, 1, 1), ""))
    assert read_holidays(spell_holidays(days)) == days
    rule = Holidays("Europe/London", days)
    assert read_content(ScheduleKind.HOLIDAYS, "Europe/London", spell_content(rule)) == rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Christmas", "Line 1 does not begin with a day"),
        ("2026-12-25 Christmas\n2026-02-30 Nonsense", "Line 2 does not begin with a day"),
        ("2026-12-25 Christmas\n2026-12-25 Again", "Line 2: 25 December 2026 stands there twice"),
        ("0026-12-25", "Line 1: write a year from 1990 to 2199, not 26"),
        (f"2026-12-25 {'x' * 81}", "Line 1: a name has at most 80"),
        ("Christmas\n2026-12-26 Boxing Day\n2026-12-26 Twice", "Line 3: 26 December 2026 stands there twice"),
        ("\n".join(["Christmas"] * 7), "Line 5 does not begin with a day of the calendar. And so on: 2 more. Write"),
        ("x" * 60_001, "At most 60,000 characters fit"),
        ("\n".join(str(date(2026, 1, 1) + timedelta(days=day)) for day in range(501)), "at most 500"),
    ],
)
def test_nonsense_holidays_are_refused_with_their_line(text: str, words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        read_holidays(text)


def test_a_week_in_words() -> None:
    assert tell_schedule(OFFICE_RULE) == ["Monday to Friday: 9:00-17:00", "Saturday to Sunday: closed"]


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 7, 15, 12, tzinfo=UTC), "Open now, closes at 17:00"),
        (datetime(2026, 7, 15, 7, tzinfo=UTC), "Closed now, opens at 9:00"),
        (datetime(2026, 7, 17, 17, tzinfo=UTC), "Closed now, opens Monday at 9:00"),
        # Friday before the clocks go back, and the Monday after: 9:00 of winter time
        (datetime(2026, 10, 23, 17, tzinfo=UTC), "Closed now, opens Monday at 9:00"),
    ],
)
def test_the_state_of_now(at: datetime, words: str) -> None:
    assert tell_state(OFFICE_RULE, at) == words


def test_a_moment_in_words() -> None:
    sunday = datetime(2026, 7, 19, 18, tzinfo=UTC)
    assert tell_at(OFFICE_RULE, sunday, "On Sunday") == "On Sunday it is closed."
    assert tell_at(OFFICE_RULE, NOON, "Now") == "Now it is open."
    days = Holidays("Europe/London", ((date(2026, 7, 19), "Regatta"), (date(2026, 7, 20), "")))
    assert tell_at(days, sunday, "On Sunday") == "On Sunday it is a holiday: Regatta."
    assert tell_at(days, sunday + timedelta(days=1), "On Monday") == "On Monday it is a holiday."
    assert tell_at(days, NOON, "Now") == "Now it is no holiday."


# --------------------------------------------------------------------------------------------------------------- pages


def test_opening_hours_are_written_and_shown(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    with time_machine.travel(NOON):
        client.sign_in(cast.max)
        assert "None yet." in client.get(TAB).text
        answer = client.send(NEW_HOURS, OFFICE)
        assert answer.status_code == 303, answer.text
        page = client.get(TAB).text
    assert "Open now, closes at 17:00" in page
    assert "Monday to Friday: 9:00-17:00" in page
    [(schedule, [version])] = stored(make)
    assert (schedule.kind, version.user_account_id) == (ScheduleKind.OPENING_HOURS, cast.max.id)
    assert read_content(schedule.kind, version.time_zone, version.content) == OFFICE_RULE


def test_holidays_are_written_and_shown(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    with time_machine.travel(datetime(2026, 12, 25, 12, tzinfo=UTC)):
        client.sign_in(cast.max)
        days = "2026-12-25 Christmas Day\n2020-01-01 Long over"
        assert client.send(NEW_HOLIDAYS, {**CALENDAR, "days": days}).status_code == 303
        page = client.get(TAB).text
    assert "Holiday today" in page
    assert "25 December 2026 Christmas Day" in page
    assert "Long over" not in page


def test_nonsense_is_told_beside_its_day_and_kept(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    never = {f"day_{weekday}": "" for weekday in range(1, 8)}
    for wrong, words, field in (
        ({"day_2": "17:00-9:00"}, "ends before it begins", "day_2"),
        ({"day_4": "9:00-12:30, 12:00-17:00"}, "overlap", "day_4"),
        ({"day_5": "noonish"}, "is no time of the day", "day_5"),
        (never, "These hours never open", "day_1"),
        ({"name": ""}, "Give it a name", "name"),
        ({"time_zone": "Mars/Olympus"}, "Choose one of the time zones", "time_zone"),
        ({"name": "x" * 61}, "At most 60", "name"),
    ):
        answer = client.send(NEW_HOURS, OFFICE | wrong)
        assert answer.status_code == 422, wrong
        assert words in answer.text, wrong
        assert f'id="{field}-error"' in answer.text, wrong
        if field.startswith("day") and wrong is not never:
            assert f'value="{wrong[field]}"' in answer.text
    answer = client.send(NEW_HOLIDAYS, {**CALENDAR, "days": "2026-02-30"})
    assert answer.status_code == 422
    assert "Line 1 does not begin with a day" in answer.text
    assert stored(make) == []


def error_of(page: str, field: str) -> str:
    found = re.search(rf'id="{field}-error">([^<]*)<', page)
    return found[1] if found else ""


def test_all_days_that_are_wrong_are_told_at_once_and_kept(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    wrong = {"day_1": "9:00-25:00", "day_3": "nine to five", "day_6": "17-9", "day_7": "9-12, 11-13"}
    answer = client.send(NEW_HOURS, OFFICE | wrong | {"name": "", "try_at": "noon"})
    assert answer.status_code == 422
    for field, words in (
        ("day_1", "it goes from 0:00 to 24:00"),
        ("day_3", "“nine to five” is no time of the day"),
        ("day_6", "ends before it begins"),
        ("day_7", "overlap"),
        ("name", "Give it a name"),
        ("try_at", "This is no day and time"),
    ):
        assert words in error_of(answer.text, field), field
    for field in ("day_2", "day_4", "day_5", "time_zone"):
        assert not error_of(answer.text, field)
    for text in (*wrong.values(), "9:00-17:00", "noon"):
        assert f'value="{text}"' in answer.text
    assert stored(make) == []


def test_all_holidays_that_are_wrong_are_told_at_once_and_kept(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    client.sign_in(cast.max)
    days = "Christmas\n2026-12-26 Boxing Day\n2026-02-30 Nonsense"
    answer = client.send(NEW_HOLIDAYS, {**CALENDAR, "days": days})
    assert answer.status_code == 422
    told = error_of(answer.text, "days")
    assert "Line 1 does not begin" in told and "Line 3 does not begin" in told and "Line 2" not in told
    assert days in answer.text.replace("\r\n", "\n")
    assert stored(make) == []


# ------------------------------------------------------------------------------------------------- before it is stored


def used_by_main_line(make: Make) -> str:
    """Office hours by which the main line rings; their address."""
    schedule = make.schedule("Office hours", OFFICE_RULE)
    reception, mobile = make.destination("Reception"), make.destination("Max 07700 900123", DestinationKind.CONTACT)
    make.route_plan(
        make.number(label="Main line"),
        RouteLine(RouteCondition.OPEN, reception.id, schedule.id),
        RouteLine(RouteCondition.ALWAYS, mobile.id),
    )
    given_up = make.number("+442079460001", label="Old line", until_at=NOON)
    make.route_plan(given_up, RouteLine(RouteCondition.CLOSED, reception.id, schedule.id))
    other = make.schedule("Workshop", OFFICE_RULE)
    make.route_plan(
        make.number("+442079460002", label="Workshop line"),
        RouteLine(RouteCondition.CLOSED, reception.id, other.id),
    )
    return f"/o/harbour/destinations/schedules/{spell_id(schedule.id)}"


@time_machine.travel(NOON, tick=False)
def test_what_is_typed_is_tried_on_calls_before_it_is_stored(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    address = used_by_main_line(make)
    client.sign_in(cast.max)
    page = client.get(address).text
    assert "Open now, closes at 17:00." in page and "Now Reception rings." in page
    assert "On Sunday 19 July at 19:00 it is closed." in page
    assert "On Sunday 19 July at 19:00 Max 07700 900123 rings." in page
    assert "Workshop line" not in page
    mark = began_with(page)
    typed = OFFICE | {"day_3": "14-17", "day_7": "18:00-20:00", "began_with": mark, "try_at": "2026-12-25T10:00"}
    for answer in (client.send(f"{address}/try", typed, part=True), client.send(f"{address}/try", typed)):
        assert answer.status_code == 200
        assert "Closed now, opens at 14:00." in answer.text
        assert "Now Max 07700 900123 rings." in answer.text
        assert "On Sunday 19 July at 19:00 it is open." in answer.text
        assert "On Sunday 19 July at 19:00 Reception rings." in answer.text
        assert "On 25 December 2026 at 10:00 Reception rings." in answer.text
        assert "Now this number is not yours any more." in answer.text
    assert 'value="14-17"' in answer.text and began_with(answer.text) == mark
    elsewhere = typed | {"time_zone": "Pacific/Auckland"}
    assert "On Sunday 19 July at 19:00 Max" in client.send(f"{address}/try", elsewhere, part=True).text
    assert len(stored(make)[0][1]) == 1
    assert "Now Reception rings." in client.get(TAB).text


def test_a_number_in_a_name_is_masked_when_hours_are_tried(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    address = used_by_main_line(make)
    make.membership(cast.max, numbers=Numbers.MASKED)
    client.sign_in(cast.max)
    for page in (client.get(address).text, client.send(f"{address}/try", OFFICE, part=True).text):
        assert "900123" not in page
        assert "Max 077••••" in page


def test_trying_says_all_that_is_wrong_and_stores_nothing(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    assert "it is told here what they say now" in client.get(NEW_HOURS).text
    wrong = OFFICE | {"day_2": "17-9", "day_4": "25:00-26:00", "time_zone": "Mars/Olympus", "try_at": "noon"}
    part = client.send(f"{NEW_HOURS}/try", wrong, part=True)
    assert part.status_code == 200 and "<h1" not in part.text
    for words in (
        "Tuesday: “17-9” ends before it begins",
        "Thursday: “25:00-26:00” is no time of the day",
        "Times are of: Choose one of the time zones",
        "And at another time: This is no day and time",
    ):
        assert words in part.text
    page = client.send(f"{NEW_HOURS}/try", wrong)
    assert page.status_code == 422
    assert "ends before it begins" in error_of(page.text, "day_2") and "no time" in error_of(page.text, "day_4")
    days = {**CALENDAR, "days": f"{NOON.date()} Regatta"}
    with time_machine.travel(NOON, tick=False):
        part = client.send(f"{NEW_HOLIDAYS}/try", days, part=True)
        assert "Now it is a holiday: Regatta." in part.text
        assert "On Sunday 19 July at 19:00 it is no holiday." in part.text
        assert "No number rings by these days yet" in part.text
    assert "Line 1 does not begin" in client.send(f"{NEW_HOLIDAYS}/try", {**days, "days": "Regatta"}, part=True).text
    assert stored(make) == []


def test_a_name_that_is_taken_is_refused(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.schedule("Office hours", OFFICE_RULE)
    client.sign_in(cast.max)
    answer = client.send(NEW_HOURS, OFFICE)
    assert answer.status_code == 422
    assert "named Office hours already" in answer.text


def test_a_change_appends_a_version_and_the_history_tells_it(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    schedule = make.schedule("Office hours", OFFICE_RULE)
    client.sign_in(cast.max)
    address = f"/o/harbour/destinations/schedules/{spell_id(schedule.id)}"
    page = client.get(address).text
    assert 'value="9:00-17:00"' in page
    changed = {**OFFICE, "day_6": "10-12", "began_with": began_with(page)}
    assert client.send(address, changed).status_code == 303
    [(_schedule, [first, second])] = stored(make)
    assert read_content(ScheduleKind.OPENING_HOURS, first.time_zone, first.content) == OFFICE_RULE
    assert second.user_account_id == cast.max.id
    page = client.get(address).text
    assert "Saturday: 10:00-12:00" in page
    assert "no longer Saturday to Sunday: closed" in page
    assert "max@example.com" in page
    with make.session() as session:
        assert "Saturday: 10:00-12:00" in " ".join(session.scalars(select(AuditDetail.words)))
    assert client.send(address, {**changed, "began_with": began_with(page)}).status_code == 303
    assert len(stored(make)[0][1]) == 2, "the same again is no version"


def test_the_second_of_two_editors_sees_what_changed_and_keeps_their_text(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    schedule = make.schedule("Office hours", OFFICE_RULE)
    client.sign_in(cast.max)
    address = f"/o/harbour/destinations/schedules/{spell_id(schedule.id)}"
    mark = began_with(client.get(address).text)
    client.send(address, {**OFFICE, "day_1": "8-16", "began_with": mark})
    mine = {**OFFICE, "day_1": "10:00-18:00"}
    answer = client.send(address, {**mine, "began_with": mark})
    assert answer.status_code == 422
    assert "Somebody stored these while you were writing" in answer.text
    assert "Monday: 8:00-16:00" in answer.text
    assert 'value="10:00-18:00"' in answer.text
    assert len(stored(make)[0][1]) == 2
    assert client.send(address, {**mine, "began_with": began_with(answer.text)}).status_code == 303
    assert len(stored(make)[0][1]) == 3
    for stale in (mark, "nonsense"):
        answer = client.send(address, {**mine, "began_with": stale})
        assert answer.status_code == 303, "a button pressed twice, or Back: it stands there already"
    assert client.send(address, {**OFFICE, "began_with": "nonsense"}).status_code == 422
    assert len(stored(make)[0][1]) == 3


def test_hours_that_routes_go_by_are_not_put_away(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    schedule = make.schedule("Office hours", OFFICE_RULE)
    number, reception = make.number(label="Main line"), make.destination("Reception")
    make.route_plan(number, RouteLine(RouteCondition.OPEN, reception.id, schedule.id))
    client.sign_in(cast.max)
    address = f"/o/harbour/destinations/schedules/{spell_id(schedule.id)}"
    assert client.send(f"{address}/archive").status_code == 303
    assert "routes of Main line go by it" in client.get(address).text
    assert stored(make)[0][0].archived_at is None
    make.route_plan(number, at=NOON)
    assert client.send(f"{address}/archive").status_code == 303
    assert stored(make)[0][0].archived_at is not None
    assert "Office hours</a>" not in client.get(TAB).text
    assert client.send(NEW_HOURS, OFFICE).status_code == 303, "its name is free again"
    later = NOON + timedelta(minutes=1)
    make.route_plan(number, RouteLine(RouteCondition.OPEN, reception.id, schedule.id), at=later)
    assert f'href="{address}"' in client.get(TAB).text, "an undo of routes has brought it back"
    make.route_plan(number, at=later + timedelta(minutes=1))
    assert f'href="{address}"' not in client.get(TAB).text


def test_a_viewer_looks_and_changes_nothing(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    schedule = make.schedule("Office hours", OFFICE_RULE)
    client.sign_in(cast.vera)
    page = client.get(TAB).text
    assert "Office hours" in page
    assert "/schedules/" not in page
    address = f"/o/harbour/destinations/schedules/{spell_id(schedule.id)}"
    assert client.get(address).status_code == 403
    assert client.send(NEW_HOURS, OFFICE).status_code == 403
    assert client.send(f"{address}/archive").status_code == 403
    assert client.send(f"{address}/try", OFFICE).status_code == 403
    assert client.send(f"{NEW_HOURS}/try", OFFICE).status_code == 403
    client.sign_in(cast.nina)
    assert client.get(TAB).status_code == 403


def test_schedules_of_another_organization_are_not_there(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    theirs = make.at(cast.quayside).schedule("Theirs", OFFICE_RULE)
    client.sign_in(cast.max)
    assert "Theirs" not in client.get(TAB).text
    for schedule_id in (theirs.id, new_id()):
        address = f"/o/harbour/destinations/schedules/{spell_id(schedule_id)}"
        assert client.get(address).status_code == 404
        assert client.send(address, OFFICE).status_code == 404
        assert client.send(f"{address}/try", OFFICE).status_code == 404
        assert client.send(f"{address}/archive").status_code == 404
    assert client.get("/o/harbour/destinations/schedules/new/nonsense").status_code == 404
