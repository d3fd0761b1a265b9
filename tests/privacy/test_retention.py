"""The nightly run removes what the preview said, no more and no less; the rest stays right, whatever breaks it off."""

import io
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import event, select
from werkzeug.datastructures import MultiDict

from config import Settings
from tests.accounts.authenticator import clock
from tests.cast import Cast
from tests.ingest.importing import Importing, asterisk_row
from tests.make import Make
from webapp.audit.actions import record
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.verify import Head, check_kept, verify_chain
from webapp.calls import export
from webapp.calls.export import ExportOrder, export_calls
from webapp.calls.filters import read_filter
from webapp.calls.models import Call, ImportFile
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.destinations.models import Party
from webapp.jobs.models import Job, StoredChunk, StoredFile
from webapp.jobs.queue import claim, enqueue
from webapp.jobs.stored_files import store_stream
from webapp.jobs.worker import Worker
from webapp.organizations.company import Company, change_company
from webapp.privacy import retention_calls, retention_jobs
from webapp.privacy.models import RetentionRun, Takeout, TakeoutChunk, TakeoutState
from webapp.privacy.retention import Rules, next_run, next_run_day, preview, tell_days
from webapp.privacy.retention_actions import store_rules
from webapp.privacy.retention_jobs import plan_retention, run_retention
from webapp.privacy.takeout_jobs import sweep_takeouts
from webapp.tenancy.models import Organization
from webapp.tenancy.reader import Reader
from webapp.tenancy.sessions import reading_session, writing_session

OLD = {"start": "2024-07-14 10:00:00", "answer": "2024-07-14 10:00:08", "end": "2024-07-14 10:03:20"}
__all__ = ["clock"]
YEAR = Rules(calls=365, audit=None, files=None, exports=7)


@dataclass
class NightWork:
    """What the worker hands to the job. `nights`: how often keep() says yes."""

    database: Database
    organization_id: int | None
    steps: int = 1 << 30

    def keep(self) -> bool:
        self.steps -= 1
        return self.steps > 0


@pytest.fixture
def harbour(database: Database, cast: Cast) -> Importing:
    return Importing(database, cast.harbour)


def choose(harbour: Importing, rules: Rules) -> None:
    with writing_session(harbour.database) as session:
        organization = session.get_one(Organization, harbour.organization.id)
        organization.keep_calls_days, organization.keep_audit_days = rules.calls, rules.audit
        organization.keep_files_days, organization.keep_exports_days = rules.files, rules.exports
        session.commit()


def night(harbour: Importing, steps: int = 1 << 30) -> RetentionRun | None:
    run_retention(NightWork(harbour.database, harbour.organization.id, steps))  # type: ignore[arg-type]
    runs = sorted(harbour.all(RetentionRun), key=lambda run: run.id)
    return runs[-1] if runs else None


def today(harbour: Importing) -> date:
    return now().astimezone(ZoneInfo("Europe/London")).date()


def load(harbour: Importing) -> ImportFile:
    """Five calls of 2024 from five numbers, one of them also calls now."""
    start = f"{now() - timedelta(days=3):%Y-%m-%d} 10:00:00"
    old = [asterisk_row(unique=f"1720951200.{turn}", source=f"0207946011{turn}", **OLD) for turn in range(5)]
    young = asterisk_row(unique="1790000000.1", source="02079460114", start=start, answer=start, end=start)
    return harbour.load(harbour.pbx(), b"".join([*old, young]))


def say(harbour: Importing, rules: Rules | None = None) -> Any:
    with reading_session(harbour.database, harbour.organization.id) as session:
        return preview(session, today(harbour), rules)


def test_a_night_removes_what_the_preview_says(harbour: Importing) -> None:
    load(harbour)
    foreseen = say(harbour, YEAR)
    assert (foreseen.old.calls, foreseen.old.records, foreseen.old.parties) == (5, 5, 4)
    assert foreseen.old.first_at == foreseen.old.last_at == datetime(2024, 7, 14, 9, 0, tzinfo=UTC)
    assert say(harbour).is_empty  # by the rules in force nothing goes
    choose(harbour, YEAR)
    parties = len(harbour.all(Party))
    run = night(harbour)
    assert run is not None and run.ended_at is not None
    assert (run.calls, run.records, run.parties) == (5, 5, 4)
    assert len(harbour.all(Party)) == parties - 4
    harbour.check()
    assert say(harbour).is_empty
    assert harbour.stored().keeps_from == foreseen.edges.calls


def at_the_edge(harbour: Importing) -> datetime:
    return datetime.combine(today(harbour) - timedelta(days=365), time.min, ZoneInfo("Europe/London"))


def leg(start: datetime, call: int, turn: int, caller: int | None = None) -> bytes:
    """A record of a call, that says what it began with."""
    words = dict.fromkeys(("start", "answer"), f"{start:%Y-%m-%d %H:%M:%S}")
    linked = f"1720951200.{call}"
    end = f"{start + timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"
    return asterisk_row(unique=f"{linked}{turn}", linked=linked, source=f"0207946013{caller or call}", end=end, **words)


def test_calls_around_the_edge_are_foreseen_as_they_go(harbour: Importing) -> None:
    """By turns: over before it, still on at midnight, with a record of the next day, begun on that day."""
    edge, minute = at_the_edge(harbour), timedelta(minutes=1)
    before = [leg(edge - 30 * minute, 1, 0), leg(edge - 2 * minute, 2, 0), leg(edge - 9 * minute, 5, 0, caller=3)]
    goes_on = [leg(edge - 2 * minute, 3, 0), leg(edge + 2 * minute, 3, 1)]
    harbour.load(harbour.pbx(), b"".join([*before, *goes_on, leg(edge + minute, 4, 0)]))
    foreseen = say(harbour, YEAR)
    assert (foreseen.old.calls, foreseen.old.records, foreseen.old.parties) == (3, 3, 2)
    assert (foreseen.old.first_at, foreseen.old.last_at) == (edge - 30 * minute, edge - 2 * minute)
    choose(harbour, YEAR)
    run = night(harbour)
    assert run is not None and (run.calls, run.records, run.parties) == (3, 3, 2)
    harbour.check()


def test_of_many_calls_the_preview_looks_at_some_and_says_so(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_calls, "_LOOKED_AT", 2)
    load(harbour)
    foreseen = say(harbour, YEAR)
    assert (foreseen.old.calls, foreseen.old.records, foreseen.old.has_more) == (5, 5, True)
    assert foreseen.old.parties in (1, 2), "one of the five numbers calls now, too"
    assert not say(harbour).old.has_more


def test_the_preview_counts_no_calls(harbour: Importing) -> None:
    """They are millions; the totals know how many."""
    load(harbour)
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(" ".join(statement.split()))

    event.listen(harbour.database.reading, "before_cursor_execute", note)
    try:
        assert say(harbour, YEAR).old.calls == 5
    finally:
        event.remove(harbour.database.reading, "before_cursor_execute", note)
    assert any("FROM call_day" in each for each in asked)
    assert not [
        each for each in asked if re.match(r"SELECT (count|sum)\([^)]*\)[^(]* FROM call(_record|_party)? ", each)
    ]


def test_a_night_that_removes_nothing_leaves_no_row(harbour: Importing) -> None:
    load(harbour)
    choose(harbour, Rules(3650, 3650, 3650, 7))
    assert night(harbour) is None


def test_a_number_that_somebody_may_see_stays_and_is_not_foreseen(harbour: Importing, make: Make, cast: Cast) -> None:
    load(harbour)
    [party] = make.narrow(cast.nina, "+442079460110")
    assert say(harbour, YEAR).old.parties == 3
    choose(harbour, YEAR)
    run = night(harbour)
    assert run is not None and run.parties == 3
    assert party.id in {each.id for each in harbour.all(Party)}


def test_a_longer_rule_takes_older_rows_in_again(harbour: Importing) -> None:
    load(harbour)
    choose(harbour, YEAR)
    night(harbour)
    choose(harbour, Rules(None, None, None, 7))
    night(harbour)
    assert harbour.stored().keeps_from is None
    load(harbour)
    assert len(harbour.all(Call)) == 7  # of two phone systems: one young call each, five old ones


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_night_that_broke_off_is_gone_on_with(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.setattr("webapp.ingest.purge._FIRST_BATCH", 2)
    monkeypatch.setattr("webapp.ingest.purge._LARGEST_BATCH", 2)
    monkeypatch.setattr(retention_jobs, "_EVENTS_AT_ONCE", 2)
    load(harbour)
    choose(harbour, YEAR)
    broken = night(harbour, steps)
    assert broken is not None and (broken.ended_at is None) == (steps < 3)
    harbour.check()
    run = night(harbour)
    assert run is not None and run.id == broken.id
    assert (run.calls, run.ended_at is None) == (5, False)
    harbour.check()


# ------------------------------------------------------------------------------------------------------------ files


def test_old_files_go_and_their_imports_say_so(harbour: Importing) -> None:
    imported = load(harbour)
    young = load(harbour)
    assert imported.stored_file_id is not None
    with writing_session(harbour.database, harbour.organization.id) as session:
        row = session.get_one(StoredFile, (harbour.organization.id, imported.stored_file_id))
        row.created_at = now() - timedelta(days=100)
        size = row.stored_count
        session.commit()
    rules = Rules(None, None, 90, 7)
    foreseen = say(harbour, rules)
    assert (foreseen.files, foreseen.file_bytes) == (1, size)
    choose(harbour, rules)
    run = night(harbour)
    assert run is not None and run.files == 1
    assert harbour.result(imported.id).stored_file_id is None
    assert [row.id for row in harbour.all(StoredFile)] == [young.stored_file_id]
    assert {row.stored_file_id for row in harbour.all(StoredChunk)} == {young.stored_file_id}


# ------------------------------------------------------------------------------------------------------------ audit


def tell(harbour: Importing, at: datetime, count: int) -> None:
    with writing_session(harbour.database, harbour.organization.id) as session:
        for _turn in range(count):
            record(session, "pbx.closed", actor_id=None, at=at, name="Front desk")
        session.commit()


def head(harbour: Importing) -> Head:
    return verify_chain(harbour.database, harbour.organization.id).head


def test_the_chain_is_whole_from_its_checkpoint_on(
    clock: time_machine.Traveller, harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_jobs, "_EVENTS_AT_ONCE", 2)
    tell(harbour, now(), 5)
    old = head(harbour)
    clock.shift(timedelta(days=200))
    tell(harbour, now(), 3)
    young = head(harbour)
    rules = Rules(None, 90, None, 7)
    assert say_at(harbour, rules).audit_events == old.position
    choose(harbour, rules)
    run = night(harbour)
    assert run is not None and run.audit_events == old.position
    assert min(event.position for event in harbour.all(AuditEvent)) == old.position + 1
    assert {each.position for each in harbour.all(AuditDetail)} == {each.position for each in harbour.all(AuditEvent)}
    found = verify_chain(harbour.database, harbour.organization.id, {2, old.position, young.position})
    assert found.wrong is None
    assert [check_kept(found, kept) for kept in (Head(2, b"x" * 32), old, young)] == [None, None, None]
    assert check_kept(found, Head(old.position, b"x" * 32)) is not None
    kinds = [event.kind for event in sorted(harbour.all(AuditEvent), key=lambda event: event.position)]
    assert kinds[-2:] == ["retention.audit_removed", "retention.done"]


def test_a_chain_that_is_old_as_a_whole_begins_anew(clock: time_machine.Traveller, harbour: Importing) -> None:
    old = head(harbour)
    clock.shift(timedelta(days=200))
    choose(harbour, Rules(None, 90, None, 7))
    night(harbour)
    found = verify_chain(harbour.database, harbour.organization.id)
    assert (found.wrong, found.begins, found.head.position) == (None, old.position, old.position + 2)


def test_what_a_checkpoint_covers_and_is_not_deleted_yet_goes_the_next_night(
    clock: time_machine.Traveller, harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_jobs, "_EVENTS_AT_ONCE", 2)
    tell(harbour, now(), 5)
    clock.shift(timedelta(days=200))
    choose(harbour, Rules(None, 90, None, 7))
    night(harbour, steps=1)
    assert verify_chain(harbour.database, harbour.organization.id).wrong is None
    run = night(harbour)
    assert run is not None and run.ended_at is not None
    assert len(harbour.all(AuditEvent)) == 2


# --------------------------------------------------------------------------------------------------------- archives


def ready_takeout(cast: Cast, days_ago: int, kept: int = 7) -> Takeout:
    ready_at = now() - timedelta(days=days_ago)
    return Takeout(
        id=new_id(), state=TakeoutState.READY, asked_by=cast.olive.id, by_staff=False, asked_at=ready_at,
        ready_at=ready_at, expires_at=ready_at + timedelta(days=kept), step=1, steps=1, row_count=1, byte_count=10,
    )  # fmt: skip


def test_an_archive_goes_after_its_days(harbour: Importing, cast: Cast) -> None:
    with writing_session(harbour.database, harbour.organization.id) as session:
        for days in (8, 2):
            takeout = ready_takeout(cast, days)
            session.add(takeout)
            session.flush()
            session.add_all(TakeoutChunk(takeout_id=takeout.id, position=turn, content=b"x") for turn in range(9))
        session.commit()
    assert say(harbour).archives == 1
    run = night(harbour)
    assert run is not None and run.archives == 1
    assert [each.state for each in sorted(harbour.all(Takeout), key=lambda each: each.id)] == [
        TakeoutState.GONE,
        TakeoutState.READY,
    ]
    assert len(harbour.all(TakeoutChunk)) == 9


def the_takeout(harbour: Importing) -> Takeout:
    [takeout] = harbour.all(Takeout)
    return takeout


def store(harbour: Importing, cast: Cast, rules: Rules) -> None:
    with writing_session(harbour.database, harbour.organization.id) as session:
        store_rules(session, cast.olive.id, rules)
        session.commit()


def test_a_shorter_rule_for_takeouts_is_in_force_from_the_night_that_was_told(
    clock: time_machine.Traveller, harbour: Importing, cast: Cast
) -> None:
    choose(harbour, Rules(None, None, None, 30))
    with writing_session(harbour.database, harbour.organization.id) as session:
        session.add(ready_takeout(cast, 5, kept=30))
        session.commit()
    shorter, told = Rules(None, None, None, 1), next_run(harbour.stored())
    assert (say_at(harbour, shorter).archives, say_at(harbour, Rules(None, None, None, 7)).archives) == (1, 0)
    store(harbour, cast, shorter)
    assert the_takeout(harbour).expires_at == told, "where the page says until when, it says so"
    sweep_takeouts(harbour.database)
    assert the_takeout(harbour).state == TakeoutState.READY
    clock.move_to(told + timedelta(minutes=1))
    run = night(harbour)
    assert run is not None and run.archives == 1
    assert the_takeout(harbour).state == TakeoutState.GONE


def test_a_longer_rule_keeps_no_takeout_longer_than_its_mail_said(harbour: Importing, cast: Cast) -> None:
    takeout = ready_takeout(cast, 5)
    said = takeout.expires_at
    with writing_session(harbour.database, harbour.organization.id) as session:
        session.add(takeout)
        session.commit()
    store(harbour, cast, Rules(None, None, None, 30))
    assert the_takeout(harbour).expires_at == said


def test_a_takeout_that_failed_stays_told_as_failed(harbour: Importing, cast: Cast) -> None:
    takeout = ready_takeout(cast, 40)
    takeout.state, takeout.expires_at = TakeoutState.FAILED, None
    with writing_session(harbour.database, harbour.organization.id) as session:
        session.add(takeout)
        session.commit()
    assert say(harbour).is_empty
    assert night(harbour) is None
    assert the_takeout(harbour).state == TakeoutState.FAILED


# ------------------------------------------------------------------------------------------------------------- when


def jobs(database: Database) -> list[Job]:
    with reading_session(database) as session:
        return list(session.scalars(select(Job).where(Job.kind == retention_jobs.RUN)))


def test_a_night_is_planned_once_for_those_who_keep_for_a_time(harbour: Importing) -> None:
    plan_retention(harbour.database)
    assert jobs(harbour.database) == []
    choose(harbour, YEAR)
    plan_retention(harbour.database)
    plan_retention(harbour.database)
    [job] = jobs(harbour.database)
    assert (job.organization_id, job.run_at) == (harbour.organization.id, next_run(harbour.stored()))


@pytest.mark.parametrize("was_begun", [False, True])
def test_by_new_rules_nothing_goes_before_the_night_that_was_told(
    harbour: Importing, cast: Cast, settings: Settings, was_begun: bool
) -> None:
    """No worker was there this night, or it was killed; one comes right after an owner has chosen to keep less."""
    load(harbour)
    overdue(harbour)
    if was_begun:
        assert claim(harbour.database, "killed", [retention_jobs.RUN], timedelta(0))
    store(harbour, cast, YEAR)
    Worker(harbour.database, settings).run_due()
    assert len(harbour.all(Call)) == 6
    [job] = jobs(harbour.database)
    assert job.run_at == next_run(harbour.stored())


def test_the_same_rules_again_leave_an_overdue_night_alone(harbour: Importing, cast: Cast) -> None:
    choose(harbour, YEAR)
    due = overdue(harbour)
    store(harbour, cast, YEAR)
    plan_retention(harbour.database)
    assert [job.run_at for job in jobs(harbour.database)] == [due]


def overdue(harbour: Importing) -> datetime:
    due = now().replace(microsecond=0) - timedelta(hours=9)
    with writing_session(harbour.database) as session:
        enqueue(session, retention_jobs.RUN, {}, harbour.organization.id, due)
        session.commit()
    return due


@pytest.mark.usefixtures("app")  # what follows a zone registers itself there
@pytest.mark.parametrize("with_calls", [False, True])
def test_a_planned_night_follows_the_zone(
    clock: time_machine.Traveller, harbour: Importing, cast: Cast, settings: Settings, with_calls: bool
) -> None:
    clock.move_to(datetime(2026, 11, 22, 12, tzinfo=UTC))
    if with_calls:
        load(harbour)
    store(harbour, cast, Rules(None, 365, None, 7))
    assert [job.run_at for job in jobs(harbour.database)] == [datetime(2026, 11, 23, 3, tzinfo=UTC)]
    with writing_session(harbour.database, harbour.organization.id) as session:
        change_company(session, cast.olive.id, Company("Harbour", "America/New_York", "GB", ""))
        session.commit()
    Worker(harbour.database, settings).run_due()
    assert harbour.stored().time_zone == "America/New_York"
    assert [job.run_at for job in jobs(harbour.database)] == [datetime(2026, 11, 23, 8, tzinfo=UTC)]


def test_the_chore_moves_what_lies_ahead_at_another_hour_and_nothing_that_is_tried_again(harbour: Importing) -> None:
    choose(harbour, YEAR)
    plan_retention(harbour.database)
    coming, soon = next_run(harbour.stored()), now().replace(microsecond=0) + timedelta(minutes=7)
    for attempts, then in ((0, coming), (1, soon)):
        with writing_session(harbour.database) as session:
            [job] = session.scalars(select(Job).where(Job.kind == retention_jobs.RUN))
            job.run_at, job.attempts = soon, attempts
            session.commit()
        plan_retention(harbour.database)
        assert [job.run_at for job in jobs(harbour.database)] == [then]


@pytest.mark.parametrize(
    ("zone", "after", "night"),
    [
        ("Europe/London", "2026-07-15T12:00", "2026-07-16T02:00"),
        ("Europe/London", "2026-07-15T01:59", "2026-07-15T02:00"),
        ("Europe/London", "2026-10-24T12:00", "2026-10-25T03:00"),
        ("America/New_York", "2026-03-07T12:00", "2026-03-08T07:00"),
        ("Europe/Helsinki", "2026-03-28T12:00", "2026-03-29T01:00"),  # 03:00 is missing: 04:00 by the clock
        ("Europe/Helsinki", "2026-10-24T12:00", "2026-10-25T00:00"),  # the first of two
        ("Europe/Helsinki", "2026-10-25T00:00", "2026-10-26T01:00"),  # the second is no night of its own
    ],
)
def test_a_night_is_of_the_organization(zone: str, after: str, night: str) -> None:
    organization = Organization(time_zone=zone)
    moment, wanted = (datetime.fromisoformat(f"{each}+00:00") for each in (after, night))
    assert next_run(organization, moment) == wanted


def test_days_are_told_as_people_say_them() -> None:
    assert [tell_days(days) for days in (1, 30, 365, 730, None)] == [
        "1 day", "30 days", "1 year", "2 years", "as long as we are here",
    ]  # fmt: skip


def test_another_organization_keeps_its_own(harbour: Importing, database: Database, cast: Cast) -> None:
    load(harbour)
    quayside = Importing(database, cast.quayside)
    load(quayside)
    store_stream(database, cast.quayside.id, io.BytesIO(b"kept"))
    choose(harbour, YEAR)
    night(harbour)
    assert len(quayside.all(Call)) == 6
    quayside.check()


def say_at(harbour: Importing, rules: Rules) -> Any:
    with reading_session(harbour.database, harbour.organization.id) as session:
        return preview(session, next_run_day(harbour.stored()), rules)


def test_an_export_that_is_on_its_way_goes_on(harbour: Importing, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    load(harbour)
    choose(harbour, YEAR)
    monkeypatch.setattr(export, "_CHUNK_ROWS", 1)
    zone = ZoneInfo("Europe/London")
    asked = read_filter(MultiDict({"period": "all"}), zone, now()).call_filter
    order = ExportOrder(harbour.organization.id, cast.olive.id, asked, None, zone, "GB", Reader())
    pieces = export_calls(harbour.database, order)
    rows = [*next(pieces), *next(pieces)]
    night(harbour)
    rows += [row for piece in pieces for row in piece]
    assert len(rows) == 2, "the young one and an old one that was read before; the rest was gone by then"
