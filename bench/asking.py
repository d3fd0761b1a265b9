"""A phone system asks where a call goes: what each of the three shapes takes in the app, against 5 ms.

Beside 200 numbers with opening hours, holidays and four routes each, 1,000 destinations, and a note for each question.
"""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import cycle
from zoneinfo import ZoneInfo

from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bench.browser import BASE_URL
from bench.data import MAIN, new_organization, new_pbx
from bench.engines import Engine
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import interleave
from webapp import create_app
from webapp.calls.models import Pbx
from webapp.database.ids import spell_id
from webapp.destinations.actions import Described, add_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind, PatternKind
from webapp.destinations.number_actions import NumberDetails, list_number, read_typed
from webapp.destinations.route_actions import store_plan
from webapp.destinations.route_models import NumberKind, RouteCondition, ScheduleKind
from webapp.destinations.routing import Holidays, Hours, Plan, RouteLine, Span
from webapp.destinations.schedule_actions import make_schedule
from webapp.sources.tokens import make_token
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import writing_session

MOST_SECONDS = 0.005
_NUMBERS, _DESTINATIONS = 200, 1000
_ZONE = ZoneInfo("Europe/London")
_WEEK = tuple(Span(weekday, 540, 1020) for weekday in range(1, 6))
_DAYS = tuple((date(2026, month, 1), "A holiday") for month in range(1, 13))


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    name = f"{engine.name.lower()}-asking"
    place = engine.create(name)
    database = place.open()
    organization_id = new_organization(database, "asking", "Asking Ltd")
    pbx_id = new_pbx(database, organization_id, MAIN)
    with writing_session(database, organization_id) as session:
        numbers = _fill(session)
        pbx = session.get_one(Pbx, (organization_id, pbx_id))
        token = make_token(session, pbx, actor_id=None)
        session.commit()
    app = create_app(place.settings, database)
    shapes = ("json", "asterisk", "freeswitch")
    asks = [_asking(app, f"/where/{spell_id(pbx_id)}/{shape}", token, numbers) for shape in shapes]
    for shape, runs in zip(shapes, interleave(10 * scale.rounds, *asks), strict=True):
        note = f"CPU {milliseconds(runs.cpu)}, worst {milliseconds(runs.worst)}"
        yield in_time(f"{engine.name}: where a call goes, {shape}", runs.wall, MOST_SECONDS, note)
    database.dispose()
    engine.drop(name)


def _fill(session: LockedSession) -> list[str]:
    """The numbers that can be asked about."""
    places = [
        add_destination(
            session,
            Described(DestinationKind.PERSON, f"Person {turn}", (Pattern(PatternKind.EXTENSION, f"{turn:04d}"),)),
            actor_id=None,
        ).id
        for turn in range(_DESTINATIONS)
    ]
    hours = make_schedule(session, ScheduleKind.OPENING_HOURS, "Hours", Hours(_ZONE.key, _WEEK), actor_id=None).id
    days = make_schedule(session, ScheduleKind.HOLIDAYS, "Days", Holidays(_ZONE.key, _DAYS), actor_id=None).id
    typed = [f"02079460{turn:03d}" for turn in range(_NUMBERS)]
    for turn, text in enumerate(typed):
        details = NumberDetails("GB", NumberKind.GEOGRAPHIC, "", f"Line {turn}")
        number = list_number(session, read_typed(text, "GB"), details, _ZONE, actor_id=None)
        first, second, third = (places[(turn * 3 + step) % _DESTINATIONS] for step in range(3))
        lines = (
            RouteLine(RouteCondition.HOLIDAY, third, days),
            RouteLine(RouteCondition.OPEN, first, hours),
            RouteLine(RouteCondition.ALWAYS, second),
            RouteLine(RouteCondition.NO_ANSWER, third, None, 20),
        )
        store_plan(session, number, Plan(lines), None, _ZONE, actor_id=None)
    return typed


def _asking(app: Flask, path: str, token: str, numbers: list[str]) -> Callable[[], None]:
    """A question about the next number, refused unless a route is the answer."""
    turns = cycle(numbers)
    headers = Headers({"Authorization": f"Bearer {token}"})

    def ask() -> None:
        form = {"number": next(turns), "call_id": "1795350625.3"}
        environ = EnvironBuilder(path, BASE_URL, method="POST", data=form, headers=headers).get_environ()
        pieces, status, _headers = run_wsgi_app(app, environ)
        text = b"".join(pieces)
        if not status.startswith("200") or (b"route" not in text and b"<action" not in text):
            raise RuntimeError(f"{path} answered {status}")

    return ask
