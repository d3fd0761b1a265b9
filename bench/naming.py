"""Naming: a rename and the page after it, and a prefix over a tenth of a large directory, from action to commit.

Works on a copy of the database that pages are measured on, with a tenth as many numbers more as it has calls: 100,000
beside a million calls.
"""

from collections.abc import Iterator

from sqlalchemy import func, select

from bench.browse import LOG
from bench.browser import Browser
from bench.data import fingerprint, organization, stocked
from bench.engines import Engine
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import Watch, interleave
from webapp import create_app
from webapp.database.bulk import bulk_transaction
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.destinations.actions import Described, add_destination, change_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import DestinationKind, LineType, PartyHolder, PartyKind, PatternKind
from webapp.destinations.queries import get_destination
from webapp.tenancy.sessions import reading_session, writing_session

MOST_OF_A_RENAME = 0.2  #: seconds, with the page that follows
MOST_OF_A_PREFIX = 2.0
_PREFIX = "49160"  #: of numbers that the calls have none of
_ROWS_AT_ONCE = 5000
_PARTY_COLUMNS = (
    "organization_id", "id", "identity", "kind", "e164", "digits", "pbx_id", "region", "line_type", "name",
)  # fmt: skip


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    stocked(engine, scale, scale.calls)
    name = f"{engine.name.lower()}-naming"
    place = engine.create(name, f"{engine.name.lower()}-{scale.calls}-{fingerprint(scale)}")
    database = place.open()
    organization_id = organization(database).id
    parties = _fill(database, organization_id, scale.calls // 10)
    yield _prefix(engine, database, organization_id, parties)
    yield _rename(engine, scale, database, organization_id, Browser(create_app(place.settings, database), database))
    database.dispose()
    engine.drop(name)


def _fill(database: Database, organization_id: int, more: int) -> int:
    """Add so many numbers to the directory. Gives how many of them begin with _PREFIX: a tenth."""
    met = more // 10
    for start in range(0, more, _ROWS_AT_ONCE):
        turns = range(start, min(start + _ROWS_AT_ONCE, more))
        numbers = [f"{_PREFIX if turn < met else '49170'}{turn:07d}" for turn in turns]
        with bulk_transaction(database, organization_id) as transaction:
            transaction.insert("party", _PARTY_COLUMNS, [_row(organization_id, digits) for digits in numbers])
    return met


def _row(organization_id: int, digits: str) -> tuple[object, ...]:
    kind, line = int(PartyKind.OUTSIDE), int(LineType.MOBILE)
    return organization_id, new_id(), f"+{digits}", kind, f"+{digits}", digits, None, "DE", line, ""


def _prefix(engine: Engine, database: Database, organization_id: int, parties: int) -> Result:
    described = Described(DestinationKind.ZONE, "Measured", (Pattern(PatternKind.PREFIX, _PREFIX),))
    with Watch() as watch, writing_session(database, organization_id) as session:
        destination = add_destination(session, described, actor_id=None)
        session.commit()
    with reading_session(database, organization_id) as session:
        its = PartyHolder.destination_id == destination.id
        named = session.scalars(select(func.count(PartyHolder.party_id)).where(its)).one()
    if named != parties:
        raise RuntimeError(f"the prefix named {named} parties of {parties}")
    what = f"{engine.name}: a new prefix over {parties:,} parties, with the lock held throughout"
    return in_time(what, watch.wall, MOST_OF_A_PREFIX, f"CPU {milliseconds(watch.cpu)}")


def _rename(engine: Engine, scale: Scale, database: Database, organization_id: int, browser: Browser) -> Result:
    with writing_session(database, organization_id) as session:
        described = Described(DestinationKind.CUSTOMER, "Before", (Pattern(PatternKind.PREFIX, "44"),))
        destination_id = add_destination(session, described, actor_id=None).id
        session.commit()
    turns = iter(range(scale.rounds + 1))
    page = browser.run(LOG)

    def rename_and_look() -> None:
        _change_name(database, organization_id, destination_id, f"Renamed {next(turns)}")
        page()

    alone, both = interleave(scale.rounds, page, rename_and_look)
    note = f"CPU {milliseconds(both.cpu)}, the page alone {milliseconds(alone.wall)}, worst {milliseconds(both.worst)}"
    return in_time(f"{engine.name}: a rename and the call log after it", both.wall, MOST_OF_A_RENAME, note)


def _change_name(database: Database, organization_id: int, destination_id: int, name: str) -> None:
    with writing_session(database, organization_id) as session:
        version = get_destination(session, destination_id).version
        described = Described(DestinationKind.CUSTOMER, name, (Pattern(PatternKind.PREFIX, "44"),))
        change_destination(session, destination_id, version, described, actor_id=None)
        session.commit()
