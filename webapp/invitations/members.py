"""Changes what a member may do and see, and records it in words. Called by people_views.py."""

from webapp.accounts.models import UserAccount
from webapp.audit.actions import record
from webapp.invitations.words import spell_for_audit, tell_offer
from webapp.organizations.members import change_member, get_member
from webapp.organizations.offers import Offer, offer_of_membership
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership


def change_access(session: LockedSession, actor: Membership, person: UserAccount, offer: Offer, time_zone: str) -> None:
    """Raises Refused with the field that goes too far, or when nobody would be left who may do everything."""
    membership, _person = get_member(session, person.id)
    before = spell_for_audit(tell_offer(session, offer_of_membership(session, membership), time_zone))
    change_member(session, actor, person, offer)
    after = spell_for_audit(tell_offer(session, offer, time_zone))
    if after != before:
        record(
            session,
            "member.changed",
            actor_id=actor.user_account_id,
            object_id=person.id,
            email=person.email,
            before=before,
            after=after,
        )
