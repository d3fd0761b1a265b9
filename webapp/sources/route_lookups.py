"""A phone system asks where a call goes: what it asked, what it is told, and the note that it asked.

Called by route_lookup_views.py, which knows HTTP and the three shapes of the answer. Each question is answered from the
database as it is committed. The note (route_lookup), and that the token was used, are written a moment later by a
thread of this process: a call waits for the answer, and no call waits for a note. What a killed process had not written
yet is lost, and only that.
"""

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import delete, select

from webapp import logs
from webapp.calls.models import Pbx
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.destinations.route_answers import Answer, AnswerStep, find_answer
from webapp.destinations.route_models import LookupAnswer, RouteCondition, RouteLookup
from webapp.ingest.call_writer import pack_ids
from webapp.ingest.normalize import clean_text, link_keys_of
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.readers.asterisk_legs import epoch_of, link_ids
from webapp.ingest.settings import PbxSettings
from webapp.sources.tokens import note_use
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

LONGEST_DIALLED = 64  #: characters
LONGEST_CALL_ID = 200
_PLANS_REMEMBERED = 500
_WAITING_AT_MOST = 10_000
_WRITE_SECONDS = 0.5
_KEPT = timedelta(days=90)


class Question(NamedTuple):
    """`dialled`: the number that was called, in any spelling. `call_id`: what the phone system calls the call, or "".

    `failed`: set where the first place did not take the call, and the question is where it goes on; `first_at` is then
    when it was asked first: a call that rings past closing time goes on as it began.
    """

    dialled: str
    call_id: str = ""
    failed: RouteCondition | None = None
    first_at: datetime | None = None


class DialStep(NamedTuple):
    """Where the call rings, as this phone system dials it. `on` and `ring_seconds`: as in routing.Step."""

    dial: str
    destination_id: int
    on: RouteCondition
    ring_seconds: int | None


@dataclass(frozen=True)
class Told:
    """What a phone system is told. `steps` is empty for every answer but ROUTE: then it does what it does by itself."""

    answer: LookupAnswer
    steps: tuple[DialStep, ...] = ()

    @property
    def first(self) -> DialStep | None:
        return next((step for step in self.steps if step.on == RouteCondition.ALWAYS), None)

    def after(self, failure: RouteCondition) -> DialStep | None:
        return next((step for step in self.steps if step.on == failure), None)


class Note(NamedTuple):
    """What is to be written once the answer is given: the question, if it is one that is kept, and the token's use."""

    organization_id: int
    token_id: int | None
    lookup: RouteLookup | None


def answer(session: LockedSession, number_key: bytes, pbx: Pbx, question: Question) -> tuple[Told, RouteLookup]:
    """What to tell, and the note of it, which belongs to no session yet."""
    moment = question.first_at or now()
    identity = _plan_of(PbxSettings.of(pbx)).identify(question.dialled)
    if identity is None or identity.e164 is None:
        found = Answer(LookupAnswer.NOT_LISTED)
    else:
        found = find_answer(session, identity.e164, moment)
    steps = tuple(_dialled(found.steps, pbx.id))
    told = Told(found.answer, steps)
    if found.answer == LookupAnswer.ROUTE and told.first is None:
        told = Told(LookupAnswer.NOTHING_FITS)  # it rings at a place that nothing is dialled by
    lookup = RouteLookup(
        organization_id=pbx.organization_id,
        id=new_id(),
        pbx_id=pbx.id,
        at=moment,
        number_id=found.number_id,
        route_plan_id=found.route_plan_id,
        destination_id=None if told.first is None else told.first.destination_id,
        answer=told.answer,
        dialled=clean_text(question.dialled[:LONGEST_DIALLED]),
        link_keys=pack_ids(_link_keys(number_key, pbx, question.call_id, moment)),
    )
    return told, lookup


@lru_cache(maxsize=_PLANS_REMEMBERED)
def _plan_of(settings: PbxSettings) -> NumberPlan:
    return NumberPlan(settings)


def _dialled(steps: Iterable[AnswerStep], pbx_id: int) -> Iterable[DialStep]:
    """Each step by what this phone system dials: an extension of its own or of all, else an outside number."""
    for step in steps:
        ours = [each for each in step.dial if each.is_extension and each.pbx_id in (pbx_id, None)]
        ours.sort(key=lambda each: each.pbx_id is None)
        outside = [each for each in step.dial if not each.is_extension]
        dial = next((each.digits for each in (*ours, *outside)), None)
        if dial is not None:
            yield DialStep(dial, step.destination_id, step.on, step.ring_seconds)


def _link_keys(number_key: bytes, pbx: Pbx, call_id: str, moment: datetime) -> list[int]:
    """By which the records of the call will name it: its id as it is, or as rows of Asterisk without linkedid do."""
    if not call_id:
        return []
    links = {call_id, *link_ids(call_id, "", epoch_of(call_id))}
    return link_keys_of(number_key, PbxSettings.of(pbx), sorted(links), to_ms(moment))


# ---------------------------------------------------------------------------------------------------------------- notes


class _Notes:
    """The notes of one database that this process has not written yet."""

    def __init__(self) -> None:
        self.waiting: deque[Note] = deque(maxlen=_WAITING_AT_MOST)
        self.writer: threading.Timer | None = None
        self.lock = threading.Lock()
        self.writing = threading.Lock()  #: held until what was taken off is committed


_notes: "WeakKeyDictionary[Database, _Notes]" = WeakKeyDictionary()


def note_lookup(database: Database, note: Note) -> None:
    """Have it written within half a second."""
    notes = _notes.setdefault(database, _Notes())
    with notes.lock:
        notes.waiting.append(note)
        if notes.writer is None:
            notes.writer = threading.Timer(_WRITE_SECONDS, write_notes, (database,))
            notes.writer.daemon = True
            notes.writer.start()


def sweep_lookups(database: Database) -> None:
    """Forget questions that are long answered. An hourly chore."""
    before = now() - _KEPT
    with reading_session(database) as session:
        organizations = session.scalars(select(Organization.id)).all()
    for organization_id in organizations:
        with writing_session(database, organization_id) as session:
            session.execute(
                delete(RouteLookup).where(RouteLookup.at < before).execution_options(synchronize_session=False)
            )
            session.commit()


def write_notes(database: Database) -> None:
    """Write what waits, one transaction an organization. Once it returns, what was noted before is there."""
    notes = _notes.setdefault(database, _Notes())
    with notes.writing:
        with notes.lock:
            waiting, notes.writer = list(notes.waiting), None
            notes.waiting.clear()
        for organization_id in dict.fromkeys(each.organization_id for each in waiting):
            _write(database, organization_id, [each for each in waiting if each.organization_id == organization_id])


def _write(database: Database, organization_id: int, notes: list[Note]) -> None:
    try:
        with writing_session(database, organization_id) as session:
            session.add_all([each.lookup for each in notes if each.lookup is not None])
            for token_id in {each.token_id for each in notes if each.token_id is not None}:
                note_use(session, token_id)
            session.commit()
    except Exception as error:  # noqa: BLE001 - what cannot be noted is lost, and the next question is answered
        logs.event("route_lookup.not_noted", error=type(error).__name__)
