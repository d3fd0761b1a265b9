"""What somebody may do and see in an organization, as one value: of a membership, of an invitation, of a form.

Pure rules about it, first of all that nobody gives more than they have. Called by invitations/.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from webapp.clock import from_ms
from webapp.errors import Refused
from webapp.organizations.models import Invitation, InvitationParty
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, MembershipParty, Numbers, Role
from webapp.tenancy.narrowing import PartyDays

ALWAYS = from_ms(0)  #: from_at of a span without a beginning
#: Who has the key may give the values.
_NUMBERS_WITHIN = {
    Numbers.FULL: frozenset(Numbers),
    Numbers.SHOWN_ONE_BY_ONE: frozenset({Numbers.MASKED, Numbers.SHOWN_ONE_BY_ONE}),
    Numbers.MASKED: frozenset({Numbers.MASKED}),
}


@dataclass(frozen=True)
class Offer:
    """`narrowed`: only the calls of `spans`; without it there are none."""

    role: Role
    numbers: Numbers
    may_export: bool
    narrowed: bool
    spans: tuple[PartyDays, ...]
    ends_at: datetime | None

    @property
    def is_whole(self) -> bool:
        """All that an organization has to give, for ever. One person at least has this."""
        return (
            self.role == Role.OWNER
            and self.numbers == Numbers.FULL
            and self.may_export
            and not self.narrowed
            and self.ends_at is None
        )


def offer_of_membership(session: LockedSession, membership: Membership) -> Offer:
    """What the member has."""
    if not membership.narrowed:
        return _offer(membership, [])
    rows = session.scalars(
        select(MembershipParty)
        .where(MembershipParty.user_account_id == membership.user_account_id)
        .order_by(MembershipParty.from_at, MembershipParty.party_id)
    )
    return _offer(membership, [PartyDays.between(row.party_id, row.from_at, row.until_at) for row in rows])


def offer_of_invitation(session: LockedSession, invitation: Invitation) -> Offer:
    """What the invitation offers."""
    if not invitation.narrowed:
        return _offer(invitation, [])
    rows = session.scalars(
        select(InvitationParty)
        .where(InvitationParty.invitation_id == invitation.id)
        .order_by(InvitationParty.from_at, InvitationParty.party_id)
    )
    return _offer(invitation, [PartyDays.between(row.party_id, row.from_at, row.until_at) for row in rows])


def _offer(row: Membership | Invitation, spans: list[PartyDays]) -> Offer:
    return Offer(row.role, row.numbers, row.may_export, row.narrowed, tuple(spans), row.ends_at)


def write_offer(row: Membership | Invitation, offer: Offer) -> None:
    """Put the offer into the row. Its spans are rows of their own, and the caller's."""
    row.role, row.numbers, row.may_export = offer.role, offer.numbers, offer.may_export
    row.narrowed, row.ends_at = offer.narrowed, offer.ends_at


def is_within(offer: Offer, limit: Offer) -> bool:
    """Whether who has `limit` has at least what `offer` says."""
    return find_excess(offer, limit) is None


def check_within(offer: Offer, limit: Offer) -> None:
    """Nobody gives more than they have. Raises Refused with the field that goes too far."""
    excess = find_excess(offer, limit)
    if excess is not None:
        raise excess


def find_excess(offer: Offer, limit: Offer) -> Refused | None:
    """Why the offer is more than `limit`, as a refusal with its field."""
    if offer.role > limit.role:
        return Refused(f"You are {limit.role.word} here and can give no larger role.", "role")
    if offer.numbers not in _NUMBERS_WITHIN[limit.numbers]:
        return Refused("You do not see numbers that way yourself, so you cannot give it.", "numbers")
    if offer.may_export and not limit.may_export:
        return Refused("You may not export yourself, so you cannot allow it.", "may_export")
    if limit.narrowed and not _spans_within(offer, limit):
        return Refused(
            "You see only some extensions yourself: name those of them that this person may see, and no other days "
            "than yours.",
            "extensions",
        )
    if limit.ends_at is not None and (offer.ends_at is None or offer.ends_at > limit.ends_at):
        return Refused("Your own access has an end date: give one that is not later.", "ends_on")
    return None


def _spans_within(offer: Offer, limit: Offer) -> bool:
    return offer.narrowed and all(any(mine.holds(span) for mine in limit.spans) for span in offer.spans)
