"""The job that tells everybody of an announcement, and the chore that notes what became of the mails.

Registered by create_app(). The job may run again from its beginning, and more than once at a time: it looks for those
who are not told yet.
"""

from sqlalchemy import select, update

from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.handlers import Work, register, register_chore
from webapp.outbox.models import MailState, OutboxMessage
from webapp.policies.announcing import TELL, hold_announcement, list_untold, tell
from webapp.policies.models import Announcement, AnnouncementPerson, Outcome
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

#: People told in one transaction: a page that writes waits for it.
BATCH = 50
_AT_ONCE = 200
_OUTCOMES = {MailState.HANDED_OVER: Outcome.HANDED_OVER, MailState.REFUSED: Outcome.REFUSED}
_QUEUED_AGAIN = (MailState.WAITING, MailState.SENDING)


def register_jobs() -> None:
    """Called by create_app()."""
    register(TELL, do_tell)
    # Chores run by their names: this one before "outbox.sweep", which forgets mails that ended long ago.
    register_chore("announcements.note_outcomes", note_outcomes)


def do_tell(work: Work) -> None:
    announcement_id = int(work.payload["announcement_id"])
    for organization_id in _list_organizations(work.database, announcement_id):
        if not _tell_organization(work, announcement_id, organization_id):
            return
    with writing_session(work.database) as session:
        announcement = hold_announcement(session, announcement_id)
        announcement.told_all_at = announcement.told_all_at or now()
        session.commit()


def _list_organizations(database: Database, announcement_id: int) -> list[int]:
    """All of them, suspended and closing ones too: their people are people still."""
    with reading_session(database) as session:
        only = session.get_one(Announcement, announcement_id).organization_id
        if only is not None:
            return [only]
        return list(session.scalars(select(Organization.id).order_by(Organization.id)))


def _tell_organization(work: Work, announcement_id: int, organization_id: int) -> bool:
    """False: another worker goes on."""
    after = 0
    while True:
        if not work.keep():
            return False
        with reading_session(work.database, organization_id) as session:
            people = list_untold(session, announcement_id, after, BATCH)
        if not people:
            return True
        # Bound to no organization: the mail is about the person's own account.
        with writing_session(work.database) as session:
            tell(session, announcement_id, people)
            session.commit()
        after = people[-1]


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
