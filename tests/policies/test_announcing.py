"""Telling everybody: by mail and notice, each exactly once, whatever dies on the way; and what became of the mails."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import time_machine
from sqlalchemy import delete, select, update

from config import Settings
from tests.cast import Cast
from tests.mailbox import Mailbox, text_of
from tests.make import Make
from tests.outbox.conftest import Relay, mailing, relay
from tests.policies.conftest import BY_COMMAND, Publish
from tests.policies.many_people import add_people
from tests.policies.workers import KILLED, Workers, running_workers
from tests.staff.told import told
from webapp.accounts.models import AccountState, UserAccount
from webapp.accounts.people import add_address, make_primary
from webapp.clock import now
from webapp.database.engine import Database
from webapp.errors import Refused
from webapp.jobs.handlers import chores
from webapp.jobs.models import Job, JobState
from webapp.jobs.queue import MOST_ATTEMPTS
from webapp.jobs.worker import Worker
from webapp.organizations.members import change_member
from webapp.organizations.offers import offer_of_membership
from webapp.outbox import claims
from webapp.outbox.models import MailState, OutboxMessage
from webapp.policies import announcing, jobs
from webapp.policies.announcing import TELL, list_untold
from webapp.policies.incidents import Incident, tell_of_incident
from webapp.policies.jobs import go_on, note_outcomes
from webapp.policies.models import Announcement, AnnouncementPerson, Outcome, Policy
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = ["mailing", "relay"]

Announce = Callable[..., Announcement]
Work = Callable[[], None]


def people_told(database: Database) -> Sequence[AnnouncementPerson]:
    with reading_session(database) as session:
        return session.scalars(select(AnnouncementPerson).order_by(AnnouncementPerson.user_account_id)).all()


@pytest.fixture
def work(database: Database, settings: Settings, app: object) -> Work:
    """Do the jobs that are due."""

    def do() -> None:
        Worker(database, settings).run_due()

    return do


@pytest.fixture
def announce(publish_now: Publish, database: Database) -> Announce:
    """A significant change, 15 days ahead; nobody is told yet. The hour: the mails of a thousand leave that slowly."""

    def do(policy: Policy = Policy.PRIVACY) -> Announcement:
        publish_now(policy)
        values = {"law": '"France"', "recovery_time": '"2 days"'}
        ahead = now() + timedelta(days=15, hours=1)
        publish_now(policy, summary="Another law applies.", significant=True, effective_at=ahead, **values)
        with reading_session(database) as session:
            return session.scalars(select(Announcement)).one()

    return do


def test_everybody_with_a_membership_is_told_once(
    announce: Announce, work: Work, database: Database, settings: Settings, cast: Cast
) -> None:
    announcement = announce()
    work(), work()
    addresses = Counter(row.to_address for row in Mailbox(database, settings).rows())
    members = {person.email for person in (cast.olive, cast.max, cast.vera, cast.nina, cast.quentin)}
    assert set(addresses) >= members
    assert cast.nora.email not in addresses and cast.stella.email not in addresses
    assert set(addresses.values()) == {1}
    with reading_session(database) as session:
        done = session.get_one(Announcement, announcement.id)
    assert done.told_all_at is not None
    assert {each.outcome for each in people_told(database)} == {Outcome.QUEUED}


def test_who_is_in_two_organizations_is_told_once(
    announce: Announce, work: Work, database: Database, settings: Settings, cast: Cast
) -> None:
    with writing_session(database, cast.quayside.id) as session:
        theirs = session.scalars(select(Membership).where(Membership.organization_id == cast.quayside.id)).first()
        assert theirs is not None
        values = {name: getattr(theirs, name) for name in Membership.__mapper__.columns.keys()}  # noqa: SIM118 - no dict
        session.add(Membership(**values | {"user_account_id": cast.olive.id}))
        session.commit()
    announce()
    work()
    assert len(Mailbox(database, settings).rows(cast.olive.email)) == 1


def test_disabled_people_and_those_whose_access_ended_are_not(
    announce: Announce, work: Work, database: Database, settings: Settings, cast: Cast
) -> None:
    with writing_session(database, cast.harbour.id) as session:
        session.execute(update(UserAccount).where(UserAccount.id == cast.vera.id).values(state=AccountState.DISABLED))
        session.execute(
            update(Membership)
            .where(Membership.organization_id == cast.harbour.id, Membership.user_account_id == cast.max.id)
            .values(ends_at=now() - timedelta(days=1))
        )
        session.commit()
    announce()
    work()
    addresses = {row.to_address for row in Mailbox(database, settings).rows()}
    assert cast.olive.email in addresses
    assert not addresses & {cast.vera.email, cast.max.email}


@pytest.mark.parametrize("policy", Policy)
def test_the_mail_says_what_changes_from_when_and_where_to_read_it(
    announce: Announce, work: Work, database: Database, settings: Settings, cast: Cast, policy: Policy
) -> None:
    announce(policy)
    work()
    mail = Mailbox(database, settings).newest(cast.olive.email)
    assert str(mail["Subject"]).startswith(f"{policy.word.capitalize()} policy changes on ")
    words = text_of(mail)
    for expected in (
        "Another law applies.",
        f"http://localhost:8080/{policy.word}/2",
        f"http://localhost:8080/{policy.word}/1/to/2",
        "Example Telephony GmbH sends this once",
        "You need not do anything.",
    ):
        assert expected in words
    [row] = Mailbox(database, settings).rows(cast.olive.email)
    assert row.organization_id is None, "it is about the person's own account"


def test_many_mails_fall_due_in_portions(
    announce: Announce, work: Work, database: Database, settings: Settings, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "MAILS_AT_ONCE", 2)
    announce()
    work()
    due = sorted(row.due_at for row in Mailbox(database, settings).rows())
    assert len(due) >= 5
    steps = [round((each - due[0]) / announcing.AT_ONCE_EVERY) for each in due]
    assert steps == [number // 2 for number in range(len(due))]


def test_a_job_that_comes_again_later_puts_off_nobody(
    announce: Announce, work: Work, database: Database, settings: Settings, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Portions count from the announcement, and who joins later waits behind nobody."""
    monkeypatch.setattr(announcing, "MAILS_AT_ONCE", 1)
    announce()
    with time_machine.travel(now() + timedelta(hours=1), tick=False):
        work()
        due = [row.due_at for row in Mailbox(database, settings).rows()]
        assert len(due) >= 5 and min(due) == now()
        assert max(due) < now() + (len(due) - 3) * announcing.AT_ONCE_EVERY


def test_who_joins_gets_the_mail_at_once_and_by_themselves(
    announce: Announce, work: Work, database: Database, settings: Settings, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "MAILS_AT_ONCE", 1)
    announce()
    work()
    make.member(email="rosa@example.com")
    [mail] = [row for row in Mailbox(database, settings).rows("rosa@example.com") if row.template == "policy_changes"]
    assert mail.due_at <= now()
    assert mail.organization_id is None, "it goes when the organization does not"


def test_a_mail_that_waits_goes_to_the_primary_address_of_then(
    announce: Announce, work: Work, database: Database, settings: Settings, cast: Cast
) -> None:
    announce()
    work()
    with writing_session(database) as session:
        vera = session.get_one(UserAccount, cast.vera.id)
        add_address(session, vera, "vera@home.example")
        make_primary(session, vera, "vera@home.example")
        session.commit()
    mailbox = Mailbox(database, settings)
    assert [row.template for row in mailbox.rows("vera@home.example")] == ["policy_changes"]
    assert mailbox.rows(cast.vera.email) == []
    work()
    assert len(people_told(database)) == len(mailbox.rows())


# ------------------------------------------------------------------------------------------------------ crashes


@pytest.fixture
def workers(mailing: Settings) -> Iterator[Workers]:
    with running_workers(mailing.database_url, str(mailing.smtp_url)) as running:
        yield running


def test_security_48_kills_between_and_in_batches_leave_nobody_out_and_tell_nobody_twice(
    announce: Announce, database: Database, cast: Cast, workers: Workers, relay: Relay
) -> None:
    """200 people in two organizations; the worker that queues is killed six times, the one that sends five times."""
    ids = [*add_people(database, cast.harbour, 150), *add_people(database, cast.quayside, 50, "other")]
    announce()
    for turn in range(6):
        # The first batch of each is committed ("between"), or thrown away with the worker ("half").
        assert workers.run("tell", die_at=1, half=bool(turn % 2)) == KILLED
    assert workers.run("tell") == 0
    told_ids = [each.user_account_id for each in people_told(database)]
    assert len(told_ids) == len(set(told_ids))
    assert set(ids) <= set(told_ids)
    chosen = random.Random(1)
    for _kill in range(5):
        assert workers.run("send", die_at=chosen.randint(1, 20)) == KILLED
    assert workers.run("send") == 0
    arrived = Counter(str(mail["Message-ID"]) for mail in relay.mails)
    with reading_session(database) as session:
        queued = set(session.scalars(select(OutboxMessage.message_id)))
    assert set(arrived) == queued and len(queued) == len(told_ids)
    assert sum(arrived.values()) - len(queued) <= 5


def test_however_often_workers_die_the_job_goes_on(
    announce: Announce, database: Database, cast: Cast, workers: Workers
) -> None:
    """More often than a job has attempts: each part is a job of its own."""
    ids = add_people(database, cast.harbour, 800)
    announce()
    for _kill in range(MOST_ATTEMPTS + 4):
        assert workers.run("tell", die_at=1) == KILLED
    assert workers.run("tell") == 0
    assert set(ids) <= {each.user_account_id for each in people_told(database)}
    with reading_session(database) as session:
        assert session.scalars(select(Announcement.told_all_at)).one() is not None


def test_a_job_that_was_lost_is_put_in_again(announce: Announce, work: Work, database: Database, cast: Cast) -> None:
    announcement = announce()
    with writing_session(database) as session:
        session.execute(delete(Job).where(Job.kind == TELL))
        session.commit()
    go_on(database), go_on(database)
    with reading_session(database) as session:
        assert len(session.scalars(select(Job.id).where(Job.kind == TELL)).all()) == 1
    work()
    go_on(database)
    with reading_session(database) as session:
        assert session.get_one(Announcement, announcement.id).told_all_at is not None
        assert session.scalars(select(Job.id).where(Job.kind == TELL, Job.state == JobState.WAITING)).all() == []


# ------------------------------------------------------------------------------------------------------ newcomers


def count_of(database: Database, person: UserAccount) -> int:
    return sum(each.user_account_id == person.id for each in people_told(database))


def test_who_joins_before_the_job_has_run_is_told_once(
    announce: Announce, work: Work, database: Database, make: Make
) -> None:
    announce()
    rosa = make.member(email="rosa@example.com")
    assert count_of(database, rosa) == 1
    work()
    assert count_of(database, rosa) == 1


def test_who_joins_between_the_look_and_the_batch_is_told_once(
    announce: Announce, work: Work, database: Database, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job has seen them as not told yet; meanwhile accepting has told them."""
    announce()
    joined: list[UserAccount] = []

    def look(session: LockedSession, announcement_id: int, after: int, at_most: int) -> list[int]:
        found = list(list_untold(session, announcement_id, after, at_most))
        session.close()
        if not joined:
            joined.append(make.member(email="rosa@example.com"))
            found.append(joined[0].id)
        return sorted(found)

    monkeypatch.setattr(jobs, "list_untold", look)
    work()
    assert count_of(database, joined[0]) == 1
    with reading_session(database) as session:
        assert session.scalars(select(Announcement.told_all_at)).one() is not None, "the job was not thrown out of step"


def test_who_joins_between_announcing_and_taking_effect_is_told_on_accepting(
    announce: Announce, work: Work, database: Database, settings: Settings, make: Make
) -> None:
    announce()
    work()
    rosa = make.member(email="rosa@example.com")
    assert count_of(database, rosa) == 1
    mails = [str(mail["Subject"]) for mail in Mailbox(database, settings).messages("rosa@example.com")]
    assert sum(subject.startswith("Privacy policy changes") for subject in mails) == 1


def test_who_joins_afterwards_reads_what_is_in_force(
    announce: Announce, work: Work, database: Database, make: Make
) -> None:
    announce()
    work()
    with time_machine.travel(now() + timedelta(days=16)):
        assert count_of(database, make.member(email="rosa@example.com")) == 0


def set_end(database: Database, cast: Cast, ends_at: datetime | None) -> None:
    """Of Vera's access."""
    with writing_session(database, cast.harbour.id) as session:
        session.execute(update(Membership).where(Membership.user_account_id == cast.vera.id).values(ends_at=ends_at))
        session.commit()


@pytest.mark.parametrize("days", [5, 20])
def test_whose_access_begins_again_is_told_then(
    announce: Announce, work: Work, database: Database, cast: Cast, days: int
) -> None:
    """Also when the version is in force by then: they have been told of the one before alone."""
    set_end(database, cast, now() - timedelta(days=1))
    announce()
    work()
    assert count_of(database, cast.vera) == 0
    with time_machine.travel(now() + timedelta(days=days)), writing_session(database, cast.harbour.id) as session:
        owner = session.get_one(Membership, (cast.harbour.id, cast.olive.id))
        theirs = session.get_one(Membership, (cast.harbour.id, cast.vera.id))
        offer = replace(offer_of_membership(session, theirs), ends_at=now() + timedelta(days=30))
        for _turn in range(2):
            change_member(session, owner, cast.vera, offer)
        session.commit()
    assert count_of(database, cast.vera) == 1


@pytest.mark.parametrize("days", [5, 20])
def test_whoever_was_missed_is_found_every_hour_as_long_as_the_version_counts(
    announce: Announce, work: Work, database: Database, cast: Cast, make: Make, days: int
) -> None:
    set_end(database, cast, now() - timedelta(days=1))
    announce()
    work()
    go_on(database)
    with time_machine.travel(now() + timedelta(days=days)):
        rosa = make.member(email="rosa@example.com")
        work()
        assert count_of(database, cast.vera) == 0
        set_end(database, cast, None)
        go_on(database), work(), go_on(database)
        assert count_of(database, cast.vera) == 1
        assert count_of(database, rosa) == int(days == 5), "who came when it was in force has read it"
    with reading_session(database) as session:
        assert session.scalars(select(Job.id).where(Job.kind == TELL, Job.state == JobState.WAITING)).all() == []


# ------------------------------------------------------------------------------------------------------ incidents


def incident(organization: Organization | None = None, **changed: str) -> Incident:
    words = {"subject": "A disk was stolen", "words": "On Monday a disk was stolen.\n\nIt was encrypted.", **changed}
    return Incident(words["subject"], words["words"], organization)


@pytest.mark.parametrize("of_one", [True, False])
def test_the_same_sender_tells_of_incidents(
    work: Work, database: Database, settings: Settings, cast: Cast, of_one: bool
) -> None:
    with writing_session(database) as session:
        tell_of_incident(session, incident(cast.harbour if of_one else None), BY_COMMAND)
        session.commit()
    work()
    mailbox = Mailbox(database, settings)
    addresses = {row.to_address for row in mailbox.rows()}
    assert cast.vera.email in addresses
    assert (cast.quentin.email in addresses) is not of_one
    assert "It was encrypted." in text_of(mailbox.newest(cast.vera.email))
    [(kind, _actor, words)] = told(database, beginning="service.incident")
    assert (kind, words["whom"]) == ("service.incident_announced", "everybody of harbour" if of_one else "everybody")
    assert len(told(database, cast.harbour.id, "support.incident")) == int(of_one)
    assert told(database, cast.quayside.id, "support.incident") == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"subject": "x"}, "subject"),
        ({"subject": "y" * 121}, "subject"),
        ({"words": "short"}, "words"),
        ({"words": "z" * 3001}, "words"),
        ({"words": "a bell \x07 rang somewhere"}, "words"),
        ({"subject": "a bell \x07 rang"}, "subject"),
    ],
)
def test_an_incident_without_words_is_refused(database: Database, changed: dict[str, str], field: str) -> None:
    with writing_session(database) as session, pytest.raises(Refused) as refused:
        tell_of_incident(session, incident(**changed), BY_COMMAND)
    assert refused.value.field == field
    assert ("cannot be shown" in refused.value.sentence) is any("\x07" in text for text in changed.values())


def test_a_button_that_is_pressed_twice_tells_once(database: Database, cast: Cast) -> None:
    """Of others, of something new, and of the same on another day people are told."""

    def tell(of: Incident, at: datetime) -> None:
        with time_machine.travel(at, tick=False), writing_session(database) as session:
            tell_of_incident(session, of, BY_COMMAND)
            session.commit()

    moment = now()
    tell(incident(), moment)
    with pytest.raises(Refused, match="within the last day"):
        tell(incident(), moment + timedelta(seconds=1))
    tell(incident(cast.harbour), moment + timedelta(seconds=2))
    tell(incident(words="On Tuesday the disk was found."), moment + timedelta(seconds=3))
    tell(incident(), moment + timedelta(days=1, seconds=1))
    with reading_session(database) as session:
        assert len(session.scalars(select(Announcement)).all()) == 4
    assert len(told(database, beginning="service.incident")) == 4


def test_a_table_that_was_pasted_is_told(database: Database) -> None:
    with writing_session(database) as session:
        assert tell_of_incident(session, incident(words="Disk 7\tstolen"), BY_COMMAND).words == "Disk 7 stolen"


# ------------------------------------------------------------------------------------------------- what became of it


def test_what_became_of_each_mail_is_noted_before_the_outbox_forgets_it(
    announce: Announce, work: Work, database: Database, cast: Cast
) -> None:
    announce()
    work()
    with writing_session(database) as session:
        for person, state, error in (
            (cast.olive, MailState.HANDED_OVER, None),
            (cast.vera, MailState.REFUSED, "550 refused by the relay"),
        ):
            session.execute(
                update(OutboxMessage)
                .where(OutboxMessage.to_address == person.email)
                .values(state=state, error=error, ended_at=now())
            )
        session.commit()
    note_outcomes(database), note_outcomes(database)
    found = {each.user_account_id: each for each in people_told(database)}
    assert found[cast.olive.id].outcome == Outcome.HANDED_OVER
    assert (found[cast.vera.id].outcome, found[cast.vera.id].error) == (Outcome.REFUSED, "550 refused by the relay")
    assert found[cast.max.id].outcome == Outcome.QUEUED
    with time_machine.travel(now() + timedelta(days=31)):
        note_outcomes(database)
        claims.sweep(database)
    with reading_session(database) as session:
        assert session.scalars(select(OutboxMessage).where(OutboxMessage.to_address == cast.olive.email)).all() == []
    assert {each.user_account_id: each.outcome for each in people_told(database)}[cast.olive.id] == Outcome.HANDED_OVER


def test_a_refused_mail_that_goes_again_is_noted_too(
    announce: Announce, work: Work, database: Database, cast: Cast
) -> None:
    announce()
    work()
    for state, outcome in (
        (MailState.REFUSED, Outcome.REFUSED),
        (MailState.WAITING, Outcome.QUEUED),
        (MailState.HANDED_OVER, Outcome.HANDED_OVER),
    ):
        with writing_session(database) as session:
            mine = OutboxMessage.to_address == cast.olive.email
            session.execute(update(OutboxMessage).where(mine).values(state=state, ended_at=now()))
            session.commit()
        note_outcomes(database)
        assert {each.user_account_id: each.outcome for each in people_told(database)}[cast.olive.id] == outcome


def test_the_outcome_is_copied_by_a_chore_that_runs_before_the_sweep(app: object) -> None:
    names = [name for name, _chore in chores()]
    assert names.index("announcements.note_outcomes") < names.index("outbox.sweep")
