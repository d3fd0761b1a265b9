"""The job that tells everybody of an announcement, and the chore that notes what became of the mails.

Registered by create_app(). The job may run again from its beginning, and more than once at a time: it looks for those
who are not told yet. It ends after some batches and puts in the next one, which has all its attempts before it: however
often workers die, somebody is told in between. A chore puts in what was lost all the same.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import select, update

from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.handlers import Work, register, register_chore
from webapp.jobs.queue import enqueue, find_open_job, list_open_jobs
from webapp.outbox.actions import follow_primary
from webapp.outbox.models import MailState, OutboxMessage
from webapp.policies.announcing import TELL, TEMPLATES, hold_announcement, list_open, list_untold, tell
from webapp.policies.models import Announcement, AnnouncementPerson, Outcome
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

#: People told in one transaction: a page that writes waits for it. And batches of one job.
BATCH, BATCHES_OF_A_JOB = 50, 10
_AT_ONCE = 200
_OUTCOMES = {MailState.HANDED_OVER: Outcome.HANDED_OVER, MailState.REFUSED: Outcome.REFUSED}
_QUEUED_AGAIN = (MailState.WAITING, MailState.SENDING)


def register_jobs() -> None:
    """Called by create_app()."""
    register(TELL, do_tell)
    for template in TEMPLATES.values():
        follow_primary(template)
    # Chores run by their names: this one before "outbox.sweep", which forgets mails that ended long ago.
    register_chore("announcements.note_outcomes", note_outcomes)
    register_chore("announcements.go_on", go_on)


def do_tell(work: Work) -> None:
    announcement_id, part = int(work.payload["announcement_id"]), int(work.payload.get("part", 0))
    # Fewer at each attempt: where workers die again and again, the next job is put in before this one is given up.
    batches = max(1, BATCHES_OF_A_JOB // work.attempts)
    for batch, people in enumerate(_list_batches(work.database, announcement_id), start=1):
        if not work.keep():
            return
        with writing_session(work.database) as session:
            tell(session, announcement_id, people)
            if batch == batches:
                _put_in_next(session, {"announcement_id": announcement_id, "part": part + 1})
            session.commit()
        if batch == batches:
            return
    with writing_session(work.database) as session:
        announcement = hold_announcement(session, announcement_id)
        announcement.told_all_at = announcement.told_all_at or now()
        session.commit()


def go_on(database: Database) -> None:
    """Every hour: an announcement that not everybody was told of, and that no job sees to, gets one.

    Also long after all were told: somebody was away while they were, and is back.
    """
    with reading_session(database) as session:
        open_still = list_open(session)
    untold = [
        each.id
        for each in open_still
        if each.told_all_at is None or any(True for _people in _list_batches(database, each.id))
    ]
    with writing_session(database) as session:
        working = {payload["announcement_id"] for payload in list_open_jobs(session, TELL, None)}
        for announcement_id in sorted(set(untold) - working):
            enqueue(session, TELL, {"announcement_id": announcement_id}, None)
        session.commit()


def _put_in_next(session: LockedSession, payload: dict[str, int]) -> None:
    """Once, also where two workers do the same part."""
    if find_open_job(session, TELL, None, payload) is None:
        enqueue(session, TELL, payload, None)


def _list_batches(database: Database, announcement_id: int) -> Iterator[Sequence[int]]:
    """People who are not told yet, by organization, so many at a time."""
    for organization_id in _list_organizations(database, announcement_id):
        after = 0
        while True:
            with reading_session(database, organization_id) as session:
                people = list_untold(session, announcement_id, after, BATCH)
            if not people:
                break
            yield people
            after = people[-1]


def _list_organizations(database: Database, announcement_id: int) -> list[int]:
    """All of them, suspended and closing ones too: their people are people still."""
    with reading_session(database) as session:
        only = session.get_one(Announcement, announcement_id).organization_id
        if only is not None:
            return [only]
        return list(session.scalars(select(Organization.id).order_by(Organization.id)))


def note_outcomes(database: Database) -> None:
    """Every hour: copy what became of each mail, before the outbox forgets it. What came back stays noted so."""
    for state in (*_OUTCOMES, *_QUEUED_AGAIN):
        outcome = _OUTCOMES.get(state, Outcome.QUEUED)
        while _note_some(database, state, outcome):
            pass


def _note_some(database: Database, state: MailState, outcome: Outcome) -> int:
    differing = (
        select(
            AnnouncementPerson.announcement_id,
            AnnouncementPerson.user_account_id,
            OutboxMessage.error,
            OutboxMessage.ended_at,
        )
        .join(OutboxMessage, OutboxMessage.id == AnnouncementPerson.outbox_message_id)
        .where(
            OutboxMessage.state == state,
            AnnouncementPerson.outcome != outcome,
            AnnouncementPerson.outcome != Outcome.CAME_BACK,
        )
        .limit(_AT_ONCE)
    )
    with reading_session(database) as session:
        found = session.execute(differing).all()
    if not found:
        return 0
    with writing_session(database) as session:
        for announcement_id, user_account_id, error, ended_at in found:
            session.execute(
                update(AnnouncementPerson)
                .where(
                    AnnouncementPerson.announcement_id == announcement_id,
                    AnnouncementPerson.user_account_id == user_account_id,
                    AnnouncementPerson.outcome != Outcome.CAME_BACK,
                )
                .values(outcome=outcome, error=error if outcome == Outcome.REFUSED else None, outcome_at=ended_at)
                .execution_options(synchronize_session=False)
            )
        session.commit()
    return len(found)
