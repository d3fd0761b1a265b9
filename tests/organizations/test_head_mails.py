"""The end of the audit goes to owners once a month, and what the mail says is what the checker takes."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select, update

from config import Settings
from tests.cast import Cast
from tests.make import Make
from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.models import AuditHead
from webapp.database.engine import Database
from webapp.organizations import head_mails
from webapp.organizations.head_mails import mail_heads
from webapp.outbox.claims import sweep
from webapp.outbox.models import MailState, OutboxMessage
from webapp.outbox.rendering import render_mail
from webapp.tenancy.models import Membership, Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, writing_session

FIRST = datetime(2027, 1, 1, 0, 30, tzinfo=UTC)


def mails(database: Database) -> list[tuple[str, str]]:
    """To whom, and of which month."""
    with reading_session(database) as session:
        rows = session.scalars(
            select(OutboxMessage).where(OutboxMessage.template == "audit_head").order_by(OutboxMessage.id)
        )
        return [(row.to_address, row.cause.split(":")[3]) for row in rows]


def forget(database: Database) -> None:
    """As a process that has just begun."""
    head_mails._seen_to.pop(database, None)


def test_once_an_owner_and_month(database: Database, cast: Cast) -> None:
    owners = ["olive@example.com", "quentin@example.com"]
    with time_machine.travel(FIRST, tick=False) as clock:
        for _turn in range(3):
            mail_heads(database)
        forget(database)
        mail_heads(database)
        assert sorted(mails(database)) == [(owner, "2027-01") for owner in owners]
        clock.move_to(datetime(2027, 2, 3, tzinfo=UTC))
        mail_heads(database)
        assert sorted(mails(database)) == sorted((owner, month) for owner in owners for month in ("2027-01", "2027-02"))


def test_not_again_when_the_outbox_has_forgotten(database: Database, cast: Cast) -> None:
    with time_machine.travel(FIRST, tick=False) as clock:
        mail_heads(database)
        with writing_session(database) as session:
            session.execute(
                update(OutboxMessage).values(state=MailState.HANDED_OVER, ended_at=FIRST + timedelta(minutes=1))
            )
            session.commit()
        for day in range(1, 31):
            clock.move_to(FIRST + timedelta(days=day, hours=1))
            sweep(database)
            forget(database)
            mail_heads(database)
            assert len(mails(database)) == (2 if day < 30 else 0), day


def test_what_it_says(database: Database, cast: Cast, settings: Settings) -> None:
    with time_machine.travel(FIRST, tick=False):
        mail_heads(database)
    with reading_session(database, cast.harbour.id) as session:
        message = session.scalars(select(OutboxMessage).where(OutboxMessage.to_address == cast.olive.email)).one()
        head = session.scalars(select(AuditHead)).one()
    mail = render_mail(settings, message)
    assert mail["Subject"] == "The audit of Harbour Boats, January 2027: keep this mail"
    for part in ("plain", "html"):
        body = mail.get_body((part,))
        assert body is not None
        text = body.get_content()
        assert f"{head.position}:{bytes(head.row_hash).hex()}" in text
        assert "check_audit.py harbour-audit.jsonl" in text
        assert "/o/harbour/who-looked" in text


@pytest.mark.parametrize("what", ["disabled", "ended", "narrowed"])
def test_who_may_not_read_it_gets_none(database: Database, cast: Cast, what: str) -> None:
    with writing_session(database, cast.harbour.id) as session:
        mine = update(Membership).where(Membership.user_account_id == cast.olive.id)
        if what == "disabled":
            session.execute(
                update(UserAccount).where(UserAccount.id == cast.olive.id).values(state=AccountState.DISABLED)
            )
        elif what == "ended":
            session.execute(mine.values(ends_at=FIRST))
        else:
            session.execute(mine.values(narrowed=True))
        session.commit()
    with time_machine.travel(FIRST, tick=False):
        mail_heads(database)
    assert mails(database) == [("quentin@example.com", "2027-01")]


def test_a_suspended_organization_still_gets_it_a_closed_one_does_not(
    database: Database, cast: Cast, make: Make
) -> None:
    for organization, state in (
        (cast.harbour, OrganizationState.SUSPENDED),
        (cast.quayside, OrganizationState.CLOSED),
    ):
        with writing_session(database) as session:
            session.execute(update(Organization).where(Organization.id == organization.id).values(state=state))
            session.commit()
    with time_machine.travel(FIRST, tick=False):
        mail_heads(database)
    assert mails(database) == [("olive@example.com", "2027-01")]
