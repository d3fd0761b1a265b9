"""The Overview: figures, charts, newest calls, health of the phone systems, and what it says before the first call."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import event

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.calls.figures import Figures
from webapp.calls.models import Call, ImportState
from webapp.calls.outcomes import Direction, Outcome
from webapp.calls.periods import named_period
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.reports.queries import answered_percent, list_health, sum_days, sum_hours
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.sessions import reading_session

NOW = datetime(2026, 7, 22, 14, 0, tzinfo=UTC)  # a Wednesday, 15:00 in London
LONDON = ZoneInfo("Europe/London")
OVERVIEW = "/o/harbour/"
CANARIES = ("<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "{{7*7}}", "javascript:alert(1)")


@pytest.fixture(autouse=True)
def _at_july(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test happens on one afternoon."""
    with time_machine.travel(NOW, tick=False):
        yield


def figures_on(text: str) -> list[str]:
    """The figures of the page in order: "Calls 3 2 from outside"."""
    cells = re.findall(r"<div>\s*<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", text, re.S)
    return [" ".join(re.sub(r"<[^>]*>", " ", f"{label} {value}").split()) for label, value in cells]


# ------------------------------------------------------------------------------------------------ before any call


def test_without_a_phone_system_it_leads_to_adding_one(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.max)
    page = client.get(OVERVIEW)
    assert "Add your phone system" in page.text
    assert 'href="/o/harbour/phone-systems/new"' in page.text


def test_without_a_file_it_leads_to_the_upload(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    pbx = make.pbx("Head office")
    client.sign_in(cast.olive)
    page = client.get(OVERVIEW)
    assert "Upload the first file of Head office" in page.text
    assert f'href="/o/harbour/phone-systems/{spell_id(pbx.id)}/imports"' in page.text


def test_a_viewer_is_told_who_can_upload(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.pbx("Head office")
    client.sign_in(cast.vera)
    page = client.get(OVERVIEW)
    assert "A manager or owner uploads the first file" in page.text
    assert "/imports" not in page.text


def test_while_the_first_file_is_read_it_leads_to_the_import(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    imported = make.import_file(make.pbx("Head office"), state=ImportState.RUNNING, file_name="first.csv")
    client.sign_in(cast.max)
    page = client.get(OVERVIEW)
    assert "first.csv" in page.text
    assert f'href="/o/harbour/imports/{spell_id(imported.id)}"' in page.text


# --------------------------------------------------------------------------------------------------------- figures


def test_figures_of_today_and_of_the_month(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    for outcome in (Outcome.ANSWERED, Outcome.NO_ANSWER, Outcome.BUSY, Outcome.VOICEMAIL, Outcome.UNKNOWN):
        make.call(started_at=NOW - timedelta(hours=1), outcome=outcome)
    make.call(started_at=NOW - timedelta(hours=2), direction=Direction.OUTBOUND, caller="201", callee="+442079460555")
    make.call(started_at=NOW - timedelta(days=3), talk=7200)
    make.call(started_at=NOW - timedelta(days=40))
    client.sign_in(cast.vera)
    page = client.get(OVERVIEW)
    today, month = figures_on(page.text)[:7], figures_on(page.text)[7:13]
    assert today == [
        "Calls 6",
        "Answered 2 by a person, in any direction",
        "Missed 2",
        "Talk time 2 min",
        "Outside calls in 5 1 answered + 2 missed + 1 voicemail + 1 unknown",
        "Of these answered 25 %",
        "To return 0",
    ]
    assert month == [
        "Calls 7",
        "Answered 3 by a person, in any direction",
        "Missed 2",
        "Talk time 2 h 2 min",
        "Outside calls in 6 2 answered + 2 missed + 1 voicemail + 1 unknown",
        "Of these answered 40 %",
    ]
    assert "no person answered and that left no voicemail" in page.text
    assert "/o/harbour/calls?period=today&amp;outcome=missed" in page.text


def test_another_organization_counts_nothing_here(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call(started_at=NOW - timedelta(hours=1))
    make.at(cast.quayside).call(started_at=NOW - timedelta(hours=1))
    client.sign_in(cast.vera)
    assert figures_on(client.get(OVERVIEW).text)[0] == "Calls 1"


@pytest.mark.parametrize(
    ("figures", "percent"),
    [
        (Figures(), None),
        (Figures(unknown=5), None),
        (Figures(answered=1), 100),
        (Figures(answered=2, missed=1), 67),
        (Figures(answered=1, voicemail=1), 50),
        (Figures(answered=1, missed=1, unknown=98), 50),
        (Figures(missed=3), 0),
    ],
)
def test_answered_percent_has_one_meaning(figures: Figures, percent: int | None) -> None:
    assert answered_percent(figures) == percent


def test_each_bar_leads_to_the_calls_of_its_day(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call(started_at=NOW - timedelta(days=1))
    client.sign_in(cast.vera)
    text = client.get(OVERVIEW).text
    assert text.count('href="/o/harbour/calls?from=2026-07-21&amp;to=2026-07-21"') == 2, "the bar and its row"
    assert "Tuesday 21 July: 1 call, 0 missed" in text
    assert "<span>23 Jun</span>" in text


def test_a_quiet_month_offers_the_days_that_have_calls(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call(started_at=datetime(2025, 6, 27, 9, 0, tzinfo=UTC))
    client.sign_in(cast.vera)
    text = client.get(OVERVIEW).text
    assert "No calls in the last 30 days." in text
    assert "The newest is of 27 June 2025." in text
    assert 'href="/o/harbour/calls?from=2025-05-29&amp;to=2025-06-27"' in text


def test_days_and_hours_are_local_over_a_change_of_clocks(cast: Cast, make: Make, database: Database) -> None:
    make.call(started_at=datetime(2026, 3, 28, 9, 5, tzinfo=UTC))  # 09:05 in London, winter
    make.call(started_at=datetime(2026, 3, 30, 8, 5, tzinfo=UTC), outcome=Outcome.NO_ANSWER)  # 09:05, summer
    make.call(started_at=datetime(2026, 3, 30, 23, 30, tzinfo=UTC))  # 00:30 on the 31st
    with reading_session(database, cast.harbour.id) as session:
        period = named_period("30d", LONDON, datetime(2026, 4, 10, 12, 0, tzinfo=UTC))
        hours = {each.hour: (each.calls, each.missed) for each in sum_hours(session, period, LONDON) if each.calls}
        days = sum_days(session, period, LONDON, "GB", SEES_ALL).days
    assert hours == {9: (2, 1), 0: (1, 0)}
    assert days[date(2026, 3, 30)].calls == 1
    assert days[date(2026, 3, 31)].calls == 1
    assert len(days) == 30


@pytest.mark.parametrize(
    "zone", ["Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "America/New_York", "UTC"]
)
def test_hours_are_right_in_every_zone(cast: Cast, make: Make, database: Database, zone: str) -> None:
    for quarters in range(0, 96, 7):
        make.call(started_at=datetime(2026, 7, 20, tzinfo=UTC) + timedelta(minutes=15 * quarters))
    local = ZoneInfo(zone)
    expected = [0] * 24
    for quarters in range(0, 96, 7):
        expected[(datetime(2026, 7, 20, tzinfo=UTC) + timedelta(minutes=15 * quarters)).astimezone(local).hour] += 1
    with reading_session(database, cast.harbour.id) as session:
        hours = sum_hours(session, named_period("30d", local, NOW), local)
    assert [each.calls for each in hours] == expected


# ----------------------------------------------------------------------------------------- newest calls and health


def test_the_newest_eight_calls_stand_there(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    calls = [make.call(started_at=NOW - timedelta(hours=hour)) for hour in range(1, 11)]
    client.sign_in(cast.vera)
    text = client.get(OVERVIEW).text
    shown = [call for call in calls if address(call) in text]
    assert shown == calls[:8]
    assert text.index(address(calls[0])) < text.index(address(calls[7]))


def address(call: Call) -> str:
    return f"/o/harbour/calls/{spell_id(call.call_key)}"


def test_each_phone_system_has_its_last_call_and_import(cast: Cast, make: Make, database: Database) -> None:
    busy, silent, new, closed = (make.pbx(name) for name in ("Busy", "silent", "New", "Closed one"))
    with make.session() as session:
        session.merge(closed).closed_at = NOW
        session.commit()
    make.call(pbx=busy, started_at=NOW - timedelta(minutes=50))
    make.call(pbx=silent, started_at=NOW - timedelta(days=200))
    make.import_file(busy, file_name="old.csv")
    newest = make.import_file(busy, file_name="new.csv")
    make.import_file(busy, file_name="only looked at.csv", state=ImportState.UPLOADED)
    make.import_file(silent)
    with reading_session(database, cast.harbour.id) as session:
        health = list_health(session, NOW.date(), LONDON)
    assert [each.pbx.name for each in health] == ["Busy", "New", "silent", "Closed one"]
    found = {each.pbx.id: each for each in health}
    assert found[busy.id].last_quarter == datetime(2026, 7, 22, 14, 0, tzinfo=LONDON)
    assert found[busy.id].last_import is not None
    assert found[busy.id].last_import.id == newest.id
    assert found[silent.id].last_day == (NOW - timedelta(days=200)).date()
    assert found[silent.id].last_quarter is None
    assert found[new.id].last_day is None
    assert found[new.id].last_import is None


def test_the_page_tells_how_each_phone_system_is(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    busy = make.pbx("Head office")
    unanswered = make.pbx("Cloud trunk", answered_at=None)
    make.call(pbx=busy, started_at=NOW - timedelta(minutes=50))
    make.call(pbx=unanswered, started_at=NOW - timedelta(days=2))
    client.sign_in(cast.max)
    text = client.get(OVERVIEW).text
    assert "Up to date" in text
    assert "about today at 14:00" in text
    assert "Questions open" in text
    assert f"/phone-systems/{spell_id(unanswered.id)}/" in text
    viewer = client.application.test_client()
    viewer.sign_in(cast.vera)
    assert f"/phone-systems/{spell_id(unanswered.id)}/" not in viewer.get(OVERVIEW).text


# ---------------------------------------------------------------------------------------------- who may, and speed


def test_every_role_sees_it_and_nobody_else(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.call(started_at=NOW - timedelta(hours=1))
    for person in (cast.olive, cast.max, cast.vera):
        browser = client.application.test_client()
        browser.sign_in(person)
        assert browser.get(OVERVIEW).status_code == 200
    outsider = client.application.test_client()
    outsider.sign_in(cast.quentin)
    assert outsider.get(OVERVIEW).status_code == outsider.get("/o/nowhere/").status_code == 404
    assert client.get(OVERVIEW).status_code in (302, 303)


def test_only_get_is_taken(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert client.send(OVERVIEW).status_code == 405


@pytest.mark.parametrize("canary", CANARIES)
def test_security_36_names_do_not_become_markup(
    client: PageCheckingClient, cast: Cast, make: Make, canary: str
) -> None:
    pbx = make.pbx(canary)
    make.import_file(pbx, file_name=canary, state=ImportState.FAILED, error=canary)
    make.call(pbx=pbx, started_at=NOW - timedelta(hours=1), names={"+442079460123": canary, "201": canary})
    client.sign_in(cast.vera)
    text = client.get(OVERVIEW).text  # the client parses the page and refuses handlers and scripts
    assert "<img src=x" not in text
    assert "<svg onload" not in text
    assert 'href="javascript:' not in text
    if canary == "{{7*7}}":
        assert canary in text
        assert ">49<" not in text


def statements_of(client: PageCheckingClient, database: Database) -> list[tuple[str, object]]:
    """What the page asks the database, with the values."""
    seen: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        seen.append((statement, values))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        assert client.get(OVERVIEW).status_code == 200
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return seen


def test_the_number_of_statements_follows_nothing(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.call(started_at=NOW - timedelta(hours=1))
    client.sign_in(cast.vera)
    client.get(OVERVIEW)  # notes that the person is there, once a minute
    few = len(statements_of(client, database))
    for number in range(3):
        pbx = make.pbx(f"Another {number}")
        make.import_file(pbx)
        for hour in range(10):
            make.call(pbx=pbx, started_at=NOW - timedelta(hours=hour), caller=f"+4420794601{number}{hour}")
    assert len(statements_of(client, database)) == few


def test_only_the_newest_calls_are_read_from_the_calls(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.call(started_at=NOW - timedelta(days=100))
    silent = make.pbx("Silent")
    make.call(pbx=silent, started_at=NOW - timedelta(days=300))
    client.sign_in(cast.vera)
    of_calls = [
        (text, values) for text, values in statements_of(client, database) if re.search(r"\b(FROM|JOIN) call\b", text)
    ]
    assert len(of_calls) == 1
    text, values = of_calls[0]
    assert "LIMIT" in text
    assert "count(" not in text.lower()
    if database.dialect == "sqlite":
        with database.reading.connect() as connection:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
        assert plan == ["SEARCH call USING PRIMARY KEY (organization_id=?)"]


def test_no_hot_statement_sorts_or_scans(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.call(started_at=NOW - timedelta(hours=1))
    client.sign_in(cast.vera)
    asked = [each for each in statements_of(client, database) if re.search(r"\bcall_(day|total)\b", each[0])]
    assert len(asked) == 4
    assert all("organization_id = " in text for text, _values in asked)
    if database.dialect != "sqlite":
        return  # PostgreSQL's plan of an almost empty table says nothing
    with database.reading.connect() as connection:
        for text, values in asked:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
            tables = [step for step in plan if re.search(r"\bcall_(day|total)\b", step)]
            assert tables, plan
            assert all("USING PRIMARY KEY (organization_id=?" in step for step in tables), plan


def test_callers_to_be_called_back_are_counted_and_lead_to_their_page(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    """On the overview, and on the first page of somebody narrowed, who sees theirs."""
    for turn, callee in enumerate(("201", "202", "203")):
        call = make.call(
            started_at=NOW - timedelta(days=turn),
            caller=f"+44207946018{turn}",
            callee=callee,
            outcome=Outcome.NO_ANSWER,
        )
        make.to_return(call, done_at=NOW if callee == "203" else None)
    client.sign_in(cast.vera)
    page = client.get(OVERVIEW).text
    assert "To return 2" in figures_on(page)
    assert 'href="/o/harbour/calls-to-return"' in page
    make.narrow(cast.nina, "201")
    client.sign_in(cast.nina)
    assert "To return 1" in figures_on(client.get(OVERVIEW).text)
