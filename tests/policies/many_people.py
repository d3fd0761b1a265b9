"""Many people, each a member of an organization, as many organizations as wanted. For the tests and the bench."""

from datetime import timedelta

from webapp.accounts.models import AccountState, UserAccount
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.organizations.models import Invitation, InvitationState
from webapp.tenancy.models import Membership, Numbers, Organization, Role
from webapp.tenancy.sessions import writing_session


def add_people(database: Database, organization: Organization, count: int, beginning: str = "person") -> list[int]:
    """`person0@example.com` and so on, without a password that anybody knows; gives their ids."""
    moment = now() - timedelta(days=1)
    with writing_session(database, organization.id) as session:
        people = [_person(f"{beginning}{number}@example.com") for number in range(count)]
        session.add_all(people)
        session.flush()
        invitations = [_invitation(person, moment) for person in people]
        session.add_all(invitations)
        session.flush()
        for person, invitation in zip(people, invitations, strict=True):
            session.add(membership_of(person.id, invitation.id))
        session.commit()
    return [person.id for person in people]


def membership_of(user_account_id: int, invitation_id: int) -> Membership:
    return Membership(
        user_account_id=user_account_id,
        invitation_id=invitation_id,
        role=Role.VIEWER,
        numbers=Numbers.FULL,
        may_export=False,
        narrowed=False,
        ends_at=None,
        last_used_at=None,
        created_at=now(),
    )


def _person(email: str) -> UserAccount:
    return UserAccount(
        id=new_id(),
        email=email,
        name="",
        password_digest="nobody knows it",
        totp_secret=None,
        totp_last_step=0,
        state=AccountState.ACTIVE,
        created_at=now(),
        password_set_at=now(),
        alone_since=None,
        is_staff=False,
    )


def _invitation(person: UserAccount, moment: object) -> Invitation:
    return Invitation(
        id=new_id(),
        email=person.email,
        role=Role.VIEWER,
        numbers=Numbers.FULL,
        may_export=False,
        narrowed=False,
        ends_at=None,
        words="",
        token_digest=b"",
        state=InvitationState.ACCEPTED,
        mail_count=0,
        invited_by=None,
        created_at=moment,
        expires_at=moment,
        ended_at=moment,
    )
