"""The checks that people were told of significant changes and of incidents: each of them, and by a mail that left.

A mail has left once the relay took it. Where the relay refuses an address, that is noted and listed for staff, and
whoever it belongs to reads the notice in the service: only many such refusals are a fault of ours. Of one that came
back a member of staff has written down why. Bounded by the number of people. Called by promises.py.
"""

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, and_, bindparam, exists, func, or_, select

from webapp.accounts.models import AccountState, UserAccount
from webapp.database.types import Instant
from webapp.organizations.models import Invitation
from webapp.outbox.models import OutboxMessage
from webapp.policies.announcing import AT_ONCE_EVERY, MAILS_AT_ONCE
from webapp.policies.models import Announcement, AnnouncementKind, AnnouncementPerson, Outcome, Policy, PolicyVersion
from webapp.policies.outcomes import outcome_of
from webapp.policies.promise import CheckContext
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Membership

#: Mails to everybody are queued some at a time, and each may wait a day for the relay.
_TOLD_WITHIN = timedelta(days=1)
_LOOKED_BACK = timedelta(days=366)  #: at incidents
#: What the relay answered about the address, as outbox/relay.py notes it. Anything else never got that far.
_OF_THE_ADDRESS = ("refused by the relay", "takes no such address")
_ONE_IN = 10  #: so many people, and one in any case, may have an address that the relay refuses

_MISSED = kept(
    select(Membership.user_account_id)
    .join(UserAccount, UserAccount.id == Membership.user_account_id)
    .join(
        Invitation,
        and_(Invitation.organization_id == Membership.organization_id, Invitation.id == Membership.invitation_id),
    )
    .where(
        UserAccount.state == AccountState.ACTIVE,
        Membership.created_at < bindparam("told_all", type_=Instant),
        Invitation.ended_at < bindparam("told_all", type_=Instant),
        or_(Membership.ends_at.is_(None), Membership.ends_at > bindparam("present", type_=Instant)),
        ~exists().where(
            AnnouncementPerson.announcement_id == bindparam("announcement", type_=BigInteger),
            AnnouncementPerson.user_account_id == UserAccount.id,
        ),
    )
    .limit(1)
)


def changes_told(context: CheckContext) -> str:
    """Everybody with a membership was sent each significant change that counts, or is to come."""
    with context.reading() as session:
        changes = [change for policy in Policy for change in _list(session, context, policy)]
        return next(filter(None, (_told_of(session, context, change) for change in changes)), "")


def _list(session: LockedSession, context: CheckContext, policy: Policy) -> list[PolicyVersion]:
    """Of the significant changes that which counts now, whatever small ones came after it, and those that are to come.

    The first version of all changes nothing.
    """
    significant = select(PolicyVersion).where(
        PolicyVersion.policy == policy, PolicyVersion.significant, PolicyVersion.version > 1
    )
    changes = session.scalars(significant.order_by(PolicyVersion.version.desc())).all()
    to_come = [change for change in changes if change.effective_at > context.moment]
    return [*to_come, *changes[len(to_come) : len(to_come) + 1]]


def _told_of(session: LockedSession, context: CheckContext, version: PolicyVersion) -> str:
    name = f"version {version.version} of the {version.policy.word} policy"
    announced = session.scalars(
        select(Announcement).where(Announcement.policy == version.policy, Announcement.version == version.version)
    ).first()
    if announced is None:
        return f"A significant change, {name}, was announced to nobody."
    if context.moment - announced.created_at < _TOLD_WITHIN:
        return ""
    if announced.told_all_at is None or _is_anybody_missed(context, announced):
        return f"Not everybody was sent {name}."
    return _sent(session, announced, name, context.moment - _TOLD_WITHIN)


def _is_anybody_missed(context: CheckContext, announced: Announcement) -> bool:
    """Of those who were members by the time all were told; whoever came later was told on joining, or has read it."""
    values = {"announcement": announced.id, "told_all": announced.told_all_at, "present": context.moment}
    return any(session.rows(_MISSED, values) for session in context.each_organization())


def breach_told(context: CheckContext) -> str:
    """All whom an incident concerns were told, and their mails have left, in the hours that are promised."""
    if context.values.breach_hours is None:
        return "Nobody has said how soon people are told of a breach."
    due_at = context.moment - timedelta(hours=context.values.breach_hours)
    due = (
        Announcement.kind == AnnouncementKind.INCIDENT,
        Announcement.created_at.between(due_at - _LOOKED_BACK, due_at),
    )
    with context.reading() as session:
        for announced in session.scalars(select(Announcement).where(*due).order_by(Announcement.id)).all():
            if announced.told_all_at is None:
                return "Not everybody whom an incident concerns was told of it in time."
            if why := _sent(session, announced, "an incident", due_at):
                return why
    return ""


def _sent(session: LockedSession, announced: Announcement, name: str, due_at: datetime) -> str:
    """What became of the mails. Those of before `due_at` should have left; a portion in its turn, so much later."""
    whose = AnnouncementPerson.announcement_id == announced.id
    count = func.count(AnnouncementPerson.user_account_id)
    people = session.scalar(select(count).where(whose)) or 0
    is_late = AnnouncementPerson.told_at < due_at - people // MAILS_AT_ONCE * AT_ONCE_EVERY
    error = func.coalesce(AnnouncementPerson.error, OutboxMessage.error, "")
    kinds = (AnnouncementPerson.outcome, OutboxMessage.state, error, is_late)
    rows = session.execute(
        select(*kinds, count)
        .outerjoin(OutboxMessage, OutboxMessage.id == AnnouncementPerson.outbox_message_id)
        .where(whose)
        .group_by(*kinds)
    )
    refused = 0
    for noted, state, words, late, number in rows:
        outcome = outcome_of(noted, state)
        of_the_address = words.endswith(_OF_THE_ADDRESS)
        if (outcome == Outcome.QUEUED and late) or (outcome == Outcome.REFUSED and not of_the_address):
            return f"Mails that tell of {name} were written and did not leave."
        refused += number if outcome == Outcome.REFUSED else 0
    return f"The relay refused many of the mails that tell of {name}." if refused > max(1, people // _ONE_IN) else ""
