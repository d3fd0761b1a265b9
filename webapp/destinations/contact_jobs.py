"""Looks at a file of contacts in the background, and stores it. Both go batch by batch.

Each batch is one transaction with the counts so far: storing that was interrupted goes on behind the last one.
"""

import io
import time
from itertools import islice

from webapp.destinations.contact_actions import (
    LOOK,
    STORE,
    end_storing,
    get_contact_import,
    note_tally,
    read_tally,
)
from webapp.destinations.contact_import import Batch, Tally
from webapp.destinations.contact_known import Directory
from webapp.destinations.contact_models import ContactState
from webapp.destinations.contact_rows import BadContact, Contact, read_contacts
from webapp.destinations.plans import load_plan
from webapp.errors import Refused
from webapp.jobs.handlers import Work, register
from webapp.jobs.stored_files import StoredFileReader, delete_stored_file, open_stored_file
from webapp.tenancy.members import hold_organization
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

_LINES_AT_FIRST, _FEWEST_LINES, _MOST_LINES = 200, 100, 1000  #: of one transaction
_HOLD_SECONDS = 0.05  #: for which each is meant to hold the organization: half of what is allowed
_STOPPED = "It stopped several times, for a reason that is in the server's log. Tell the person who runs Callbook."


def register_jobs() -> None:
    register(LOOK, look_at_contacts, when_dead=contacts_died)
    register(STORE, store_contacts, when_dead=contacts_died)


def look_at_contacts(work: Work) -> None:
    """Count what would change; nothing of it is written but the counts."""
    _go_through(work, ContactState.LOOKING)


def store_contacts(work: Work) -> None:
    _go_through(work, ContactState.STORING)


def contacts_died(work: Work) -> None:
    _fail(work, _STOPPED)


def _go_through(work: Work, state: ContactState) -> None:
    organization_id = work.organization_id
    assert organization_id is not None
    with reading_session(work.database, organization_id) as session:
        received = get_contact_import(session, work.payload["contact_import_id"])
        plan = load_plan(session, session.get_one(Organization, organization_id).region)
        directory = Directory(session)
    if received.state != state or received.stored_file_id is None:
        return
    stream = open_stored_file(work.database, organization_id, received.stored_file_id)
    tally = read_tally(received) if state == ContactState.STORING else Tally()
    try:
        contacts = read_contacts(io.BufferedReader(stream), plan)
        for _stored_already in islice(contacts, tally.lines):
            pass
        at_once = _LINES_AT_FIRST
        while lines := list(islice(contacts, at_once)):
            held = _do_batch(work, state, directory, lines, tally, stream)
            if held is None or not work.keep():
                return
            at_once = _next_size(len(lines), held)
    except Refused as refusal:
        _fail(work, refusal.sentence)
        return
    _end(work, state)


def _do_batch(
    work: Work,
    state: ContactState,
    directory: Directory,
    lines: list[Contact | BadContact],
    tally: Tally,
    stream: StoredFileReader,
) -> float | None:
    """For how many seconds the organization was held; None when the file does not wait for this any more."""
    if state == ContactState.LOOKING:
        with reading_session(work.database, work.organization_id) as session:
            Batch(session, directory, lines).look(tally)
    with writing_session(work.database, work.organization_id) as session:
        hold_organization(session)
        began = time.monotonic()
        received = get_contact_import(session, work.payload["contact_import_id"])
        if received.state != state:
            return None
        if state == ContactState.STORING:
            Batch(session, directory, lines).store(tally, received.user_account_id)
        note_tally(received, tally, stream.bytes_read)
        session.commit()
    return time.monotonic() - began


def _next_size(lines: int, held: float) -> int:
    """How many lines the next transaction takes, as long as this one of so many held."""
    return max(_FEWEST_LINES, min(_MOST_LINES, int(lines * min(2.0, _HOLD_SECONDS / max(held, 0.001)))))


def _end(work: Work, state: ContactState) -> None:
    stored_file_id = None
    with writing_session(work.database, work.organization_id) as session:
        hold_organization(session)
        received = get_contact_import(session, work.payload["contact_import_id"])
        if received.state != state:
            return
        if state == ContactState.STORING:
            stored_file_id = end_storing(session, received)
        else:
            received.state = ContactState.WAITING
        session.commit()
    if stored_file_id is not None:
        assert work.organization_id is not None
        delete_stored_file(work.database, work.organization_id, stored_file_id)


def _fail(work: Work, sentence: str) -> None:
    """A file that cannot even be looked at is let go of; one that was half stored can go on."""
    assert work.organization_id is not None
    gone = None
    with writing_session(work.database, work.organization_id) as session:
        received = get_contact_import(session, work.payload["contact_import_id"])
        if received.state == ContactState.LOOKING:
            gone, received.stored_file_id = received.stored_file_id, None
        if received.state in (ContactState.LOOKING, ContactState.STORING):
            received.state, received.error = ContactState.FAILED, sentence
        session.commit()
    if gone is not None:
        delete_stored_file(work.database, work.organization_id, gone)
