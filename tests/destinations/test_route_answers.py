"""What a phone system is told about a number: route_answers.py, in few statements that indexes serve."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event

from tests.make import EPOCH, NOON, Make
from webapp.database.engine import Database
from webapp.destinations.models import Destination, DestinationPattern, PatternKind
from webapp.destinations.route_answers import Answer, DialString, find_answer
from webapp.destinations.route_models import LookupAnswer, RouteCondition
from webapp.destinations.routing import Hours, RouteLine, Span
from webapp.tenancy.sessions import reading_session

ALWAYS, OPEN, NO_ANSWER = RouteCondition.ALWAYS, RouteCondition.OPEN, RouteCondition.NO_ANSWER
E164 = "+442079460000"
WEDNESDAY = Hours("Europe/London", (Span(3, 540, 1020),))
THURSDAY = Hours("Europe/London", (Span(4, 540, 1020),))


def ask(make: Make, at: datetime = NOON, e164: str = E164) -> Answer:
    with reading_session(make.database, make.organization.id) as session:
        return find_answer(session, e164, at)


def recognise(make: Make, to: Destination | None, kind: PatternKind, digits: str, **fields: Any) -> None:
    values = {"pattern_key": f"{kind}:{digits}", "from_at": EPOCH, "created_at": NOON, "pbx_id": None, **fields}
    destination_id = None if to is None else to.id
    make.store(DestinationPattern(destination_id=destination_id, kind=kind, digits=digits, **values))


def test_a_number_that_is_not_ours_at_that_time(make: Make) -> None:
    assert ask(make) == Answer(LookupAnswer.NOT_LISTED)
    make.number(E164, since_at=NOON, until_at=NOON + timedelta(days=1))
    assert ask(make, NOON - timedelta(milliseconds=1)).answer is LookupAnswer.NOT_LISTED
    assert ask(make, NOON).answer is LookupAnswer.NO_PLAN
    assert ask(make, NOON + timedelta(days=1)).answer is LookupAnswer.NOT_LISTED


def test_a_number_of_another_organization_is_not_listed(make: Make, cast: Any) -> None:
    make.at(cast.quayside).number(E164)
    assert ask(make).answer is LookupAnswer.NOT_LISTED


def test_without_a_plan_and_without_routes(make: Make) -> None:
    number = make.number(E164)
    assert ask(make) == Answer(LookupAnswer.NO_PLAN, number.id)
    plan = make.route_plan(number)
    assert ask(make) == Answer(LookupAnswer.NO_PLAN, number.id, plan.id)
    plan = make.route_plan(number, RouteLine(ALWAYS, make.destination("Reception").id, enabled=False), at=NOON)
    assert ask(make) == Answer(LookupAnswer.NOTHING_FITS, number.id, plan.id)


def test_the_way_of_a_call_with_what_to_dial(make: Make) -> None:
    head, branch = make.pbx(), make.pbx()
    reception, mobile = make.destination("Reception"), make.destination("Max’s mobile")
    recognise(make, reception, PatternKind.EXTENSION, "201")
    recognise(make, reception, PatternKind.EXTENSION, "301", pbx_id=branch.id, pattern_key="e:301:branch")
    recognise(make, reception, PatternKind.NUMBER, "442079460111")
    recognise(make, reception, PatternKind.PREFIX, "4420")
    recognise(make, mobile, PatternKind.NUMBER, "447700900123")
    recognise(make, make.destination("Somebody else"), PatternKind.EXTENSION, "205")
    hours, number = make.schedule("Office", WEDNESDAY), make.number(E164)
    lines = (
        RouteLine(OPEN, reception.id, hours.id),
        RouteLine(ALWAYS, mobile.id),
        RouteLine(NO_ANSWER, mobile.id, None, 20),
    )
    plan = make.route_plan(number, *lines)
    found = ask(make)
    assert (found.answer, found.number_id, found.route_plan_id) == (LookupAnswer.ROUTE, number.id, plan.id)
    assert [(step.destination_id, step.on, step.ring_seconds) for step in found.steps] == [
        (reception.id, ALWAYS, None),
        (mobile.id, NO_ANSWER, 20),
    ]
    assert found.steps[0].dial == (
        DialString("201", None, True),
        DialString("301", branch.id, True),
        DialString("+442079460111", None, False),
    )
    assert found.steps[1].dial == (DialString("+447700900123", None, False),)
    assert head.id != branch.id


def test_by_the_plan_schedule_and_patterns_in_force_then(make: Make) -> None:
    old, new = make.destination("Old"), make.destination("New")
    recognise(make, old, PatternKind.EXTENSION, "201")
    recognise(make, new, PatternKind.EXTENSION, "201", from_at=NOON)
    recognise(make, None, PatternKind.EXTENSION, "201", from_at=NOON + timedelta(days=2))
    hours, number = make.schedule("Office", THURSDAY), make.number(E164)
    make.schedule_version(hours, WEDNESDAY, NOON - timedelta(hours=1))
    make.route_plan(number, RouteLine(OPEN, old.id, hours.id))
    make.route_plan(number, RouteLine(ALWAYS, new.id), at=NOON)
    assert ask(make, NOON - timedelta(hours=2)).answer is LookupAnswer.NOTHING_FITS, "open on Thursdays then"
    before = ask(make, NOON - timedelta(minutes=1))
    assert [(step.destination_id, step.dial) for step in before.steps] == [(old.id, (DialString("201", None, True),))]
    [after] = ask(make, NOON).steps
    assert (after.destination_id, after.dial) == (new.id, (DialString("201", None, True),))
    assert ask(make, NOON + timedelta(days=2)).steps[0].dial == (), "nobody's extension from then on"


def test_it_takes_three_statements_each_led_by_an_index(make: Make, database: Database) -> None:
    reception, number = make.destination("Reception"), make.number(E164)
    recognise(make, reception, PatternKind.EXTENSION, "201")
    hours = make.schedule("Office", WEDNESDAY)
    make.route_plan(number, RouteLine(OPEN, reception.id, hours.id))
    asked: list[tuple[str, Any]] = []
    engine = database.engine

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        assert ask(make).answer is LookupAnswer.ROUTE
    finally:
        event.remove(engine, "before_cursor_execute", keep)
    assert len(asked) == 3
    if engine.dialect.name != "sqlite":
        return  # of tables with one row PostgreSQL rightly reads all
    with engine.connect() as connection:
        for statement, parameters in asked:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            scans = [row[3] for row in steps if row[3].startswith("SCAN")]
            assert scans == [], statement


def test_an_instant_in_the_night_that_has_an_hour_twice(make: Make) -> None:
    number, reception = make.number(E164), make.destination("Reception")
    hours = make.schedule("Early", Hours("Europe/London", (Span(7, 75, 105),)))
    make.route_plan(number, RouteLine(OPEN, reception.id, hours.id))
    for minutes, fits in ((20, True), (50, False), (80, True), (110, False)):
        at = datetime(2026, 10, 25, tzinfo=UTC) + timedelta(minutes=minutes)
        assert (ask(make, at).answer is LookupAnswer.ROUTE) is fits, minutes
