"""The call log: against its own template rendered from constants, and at many calls against a tenth of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import select

from bench.browser import Browser
from bench.data import SLUG, count_calls, organization, stocked
from bench.engines import Engine
from bench.report import Result, milliseconds
from bench.scale import Scale
from bench.timing import Runs, interleave
from webapp import create_app
from webapp.calls.browse import PAGE_ROWS
from webapp.calls.models import Call
from webapp.clock import to_ms
from webapp.database.engine import Database
from webapp.pagination import Cursor, spell_cursor
from webapp.tenancy.sessions import reading_session

LOG = f"/o/{SLUG}/calls"
_TIMES_ITS_TEMPLATE = 2.0
_TIMES_A_TENTH = 1.2
_SHARE_OF_THE_GUARD = 0.25
FIRST = "first page of 30 days"


class Pages(NamedTuple):
    """Where the measured pages of one database are, and who asks for them."""

    browser: Browser
    calls: int
    paths: dict[str, str]


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    with _pages(engine, scale, scale.calls) as many, _pages(engine, scale, scale.fewer_calls) as few:
        for name, path in many.paths.items():
            yield from _compare(engine, scale, name, (many, path), (few, few.paths[name]))


def _compare(
    engine: Engine, scale: Scale, name: str, many: tuple[Pages, str], few: tuple[Pages, str]
) -> Iterator[Result]:
    (pages, path), (fewer, path_of_few) = many, few
    things: tuple[Callable[[], object], ...] = (
        pages.browser.run(path),
        pages.browser.template_alone(path),
        pages.browser.view_of_constants(path, "calls.index"),
        fewer.browser.run(path_of_few),
    )
    page, template, constants, page_of_few = interleave(scale.rounds, *things)
    took, alone, guarded, took_few = (_cost(engine, runs) for runs in (page, template, constants, page_of_few))
    yield Result(
        f"{engine.name}: call log, {name}, {pages.calls:,} calls: whole page against its template alone",
        milliseconds(took),
        milliseconds(alone),
        took / alone,
        _TIMES_ITS_TEMPLATE,
        note=(
            f"wall {milliseconds(page.wall)} / {milliseconds(template.wall)}; "
            f"against sign-in, guard and template ({milliseconds(guarded)}) {took / guarded:.2f}"
        ),
    )
    if name == FIRST:
        share = max(guarded - alone, 0.0) / took
        yield Result(
            f"{engine.name}: call log, {name}: marker, session and membership, of the whole page",
            milliseconds(max(guarded - alone, 0.0)),
            milliseconds(took),
            share,
            _SHARE_OF_THE_GUARD,
            note=f"{share:.0%} of its time",
        )
    yield Result(
        f"{engine.name}: call log, {name}: {pages.calls:,} calls against {fewer.calls:,}",
        milliseconds(took),
        milliseconds(took_few),
        took / took_few,
        _TIMES_A_TENTH,
        note=f"wall {milliseconds(page.wall)} / {milliseconds(page_of_few.wall)}",
    )


def _cost(engine: Engine, runs: Runs) -> float:
    """Time of a processor where all the work is in this process: on a shared machine the longer of two stretches of
    wall time is interrupted more often, and their ratio says nothing. Wall time where a server works too.
    """
    return runs.cpu if engine.in_process else runs.wall


@contextmanager
def _pages(engine: Engine, scale: Scale, calls: int) -> Iterator[Pages]:
    place = stocked(engine, scale, calls)
    database = place.open()
    browser = Browser(create_app(place.settings, database), database)
    organization_id = organization(database).id
    count = count_calls(database, organization_id)
    last = _behind(database, organization_id, max(0, count - PAGE_ROWS - 1))
    yield Pages(
        browser,
        count,
        {
            FIRST: LOG,
            "first page of all": f"{LOG}?period=all",
            "middle page of all": f"{LOG}?period=all&after={_behind(database, organization_id, count // 2)}",
            "last page of all": f"{LOG}?period=all&after={last}",
        },
    )
    database.dispose()


def _behind(database: Database, organization_id: int, position: int) -> str:
    """The cursor behind the call at this position, the newest being 0. (A bench may count; pages never do.)"""
    statement = select(Call.started_at, Call.call_key).order_by(Call.started_at.desc(), Call.call_key.desc())
    with reading_session(database, organization_id) as session:
        row = session.execute(statement.offset(position).limit(1)).one()
    return spell_cursor(Cursor(to_ms(row.started_at), row.call_key))
