"""What people notice of a purge: pages over HTTP while the same process removes what is older than is kept (SQLite)."""

import os
import statistics
import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from bench import data
from bench.engines import Engine, tell
from bench.loaded import Reader, ask_for, get_page, serving, stocked_name
from bench.report import Result, milliseconds
from bench.scale import Scale
from bench.timing import percentile
from webapp.calls.models import Call
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.models import Job
from webapp.jobs.queue import enqueue
from webapp.privacy.models import RetentionRun
from webapp.privacy.retention import preview
from webapp.privacy.retention_planning import RUN
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

_DAYS = 30  #: kept: of the calls of thirteen months nearly all go
_QUIET_SECONDS = 30.0
_ALLOWED = 2.0


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    """On a copy of the large database. Run alone: pages and purge share the two cores."""
    name = f"{engine.name.lower()}-purge"
    place = engine.create(name, stocked_name(engine, scale))
    database = place.open()
    organization_id = data.organization(database).id
    before = _count(database, organization_id)
    foreseen, looked = _foresee(database, organization_id)
    with serving(place) as server:
        reader = Reader(server.port, get_page)
        [quiet] = ask_for([reader], lambda: time.sleep(min(_QUIET_SECONDS, scale.rounds)))
        began, load = time.monotonic(), os.getloadavg()[0]
        [busy] = ask_for([reader], lambda: _purge(database, organization_id))
        took = time.monotonic() - began
    removed = before - _count(database, organization_id)
    if removed != foreseen:
        raise RuntimeError(f"{foreseen} calls were to go, and {removed} went")
    database.dispose()
    engine.drop(name)
    calm, loaded = percentile(quiet, 95), percentile(busy, 95)
    yield Result(
        f"{engine.name}: p95 of a call-log page while {removed:,} old calls are purged, against idle",
        milliseconds(loaded),
        milliseconds(calm),
        loaded / calm,
        _ALLOWED,
        note=f"{len(busy)} asked, median {milliseconds(statistics.median(busy))} (idle "
        f"{milliseconds(statistics.median(quiet))}), worst {milliseconds(max(busy))}; {removed / took:,.0f} calls/s, "
        f"{took / 60:.1f} minutes; foreseen in {milliseconds(looked)}; load {load:.1f}, then {os.getloadavg()[0]:.1f}",
    )


def _count(database: Database, organization_id: int) -> int:
    with reading_session(database, organization_id) as session:
        return session.scalar(select(func.count(Call.call_key))) or 0


def _foresee(database: Database, organization_id: int) -> tuple[int, float]:
    """The calls that the preview says, and how long it takes to say so."""
    with writing_session(database) as session:
        organization = session.get_one(Organization, organization_id)
        organization.keep_calls_days = _DAYS
        session.commit()
        today = now().astimezone(ZoneInfo(organization.time_zone)).date()
    began = time.monotonic()
    with reading_session(database, organization_id) as session:
        found = preview(session, today)
    return found.old.calls, time.monotonic() - began


def _purge(database: Database, organization_id: int) -> None:
    """Put the nightly job in as if it were night, and wait for the server's worker to end it."""
    with writing_session(database, organization_id) as session:
        enqueue(session, RUN, {}, organization_id)
        session.commit()
    while True:
        time.sleep(1.0)
        with reading_session(database, organization_id) as session:
            waits = session.scalar(select(func.count(Job.id)).where(Job.kind == RUN, Job.run_at <= now()))
            runs = session.scalars(select(RetentionRun)).all()
        if not waits:
            for run in runs:
                tell(f"purged {run.calls:,} calls, {run.records:,} records, {run.parties:,} parties")
            return
