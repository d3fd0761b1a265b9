"""Calls to return: the time that opening the page spends in the database, against 50 ms."""

from collections.abc import Iterator

from sqlalchemy import func, select

from bench.browser import Browser
from bench.data import SLUG, organization, stocked
from bench.engines import Engine
from bench.overview import spent, time_cursors
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import Runs, interleave
from webapp import create_app
from webapp.calls.models import CallToReturn
from webapp.database.engine import Database
from webapp.tenancy.sessions import reading_session

MOST_SECONDS = 0.05


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    place = stocked(engine, scale, scale.calls)
    database = place.open()
    time_cursors(database)
    waiting = _count_waiting(database)
    browser = Browser(create_app(place.settings, database), database)
    run = browser.run(f"/o/{SLUG}/calls-to-return")
    in_database: list[float] = []

    def once() -> None:
        spent.seconds, spent.statements = 0.0, 0
        run()
        in_database.append(spent.seconds)

    [whole] = interleave(scale.rounds, once)
    took = Runs(in_database[1:], in_database[1:])
    note = (
        f"{waiting:,} callers wait, {spent.statements} statements, whole page {milliseconds(whole.wall)}, "
        f"worst run {milliseconds(took.worst)}"
    )
    yield in_time(f"{engine.name}: Calls to return, time in the database", took.wall, MOST_SECONDS, note)
    database.dispose()


def _count_waiting(database: Database) -> int:
    with reading_session(database, organization(database).id) as session:
        return session.scalar(select(func.count(CallToReturn.party_id))) or 0
