"""What somebody may do and see in an organization, as one value: of a membership, of an invitation, of a form.

How it is stored, and the rules about it, first of all that nobody gives more than they have. Called by invitations/.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from webapp.accounts.models import UserAccount
from webapp.clock import from_ms
from webapp.errors import Refused
from webapp.organizations.models import Invitation, InvitationDestination, InvitationParty
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import in_order, list_spans
from webapp.tenancy.models import Membership, MembershipDestination, MembershipParty, Numbers, Role
from webapp.tenancy.narrowing import DestinationDays, PartyDays, Span, holds

ALWAYS = from_ms(0)  #: from_at of a span without a beginning
#: Who has the key may give the values.
_NUMBERS_WITHIN = {
    Numbers.FULL: frozenset(Numbers),
    Numbers.SHOWN_ONE_BY_ONE: frozenset({Numbers.MASKED, Numbers.SHOWN_ONE_BY_ONE}),
    Numbers.MASKED: frozenset({Numbers.MASKED}),
}


@dataclass(frozen=True)
class Offer:
    """`narrowed`: only the calls of `spans`, which are parties and destinations; without it there are none."""

    role: Role
    numbers: Numbers
    may_export: bool
    narrowed: bool
    spans: tuple[Span, ...]
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
    spans = list_spans(session, membership.user_account_id) if membership.narrowed else ()
    return _offer(membership, spans)


def offer_of_invitation(session: LockedSession, invitation: Invitation) -> Offer:
    """What the invitation offers."""
    if not invitation.narrowed:
        return _offer(invitation, ())
    parties = session.scalars(select(InvitationParty).where(InvitationParty.invitation_id == invitation.id))
    spans: list[Span] = [PartyDays.between(row.party_id, row.from_at, row.until_at) for row in parties]
    named = session.scalars(select(InvitationDestination).where(InvitationDestination.invitation_id == invitation.id))
    spans += [DestinationDays.between(row.destination_id, row.from_at, row.until_at) for row in named]
    return _offer(invitation, in_order(spans))


def _offer(row: Membership | Invitation, spans: tuple[Span, ...]) -> Offer:
    return Offer(row.role, row.numbers, row.may_export, row.narrowed, spans, row.ends_at)


def write_offer(row: Membership | Invitation, offer: Offer) -> None:
    """Put the offer into the row. Its spans are rows of their own: replace_spans()."""
    row.role, row.numbers, row.may_export = offer.role, offer.numbers, offer.may_export
    row.narrowed, row.ends_at = offer.narrowed, offer.ends_at


def replace_spans(session: LockedSession, owner: UserAccount | Invitation, spans: Iterable[Span]) -> None:
    """Make these the rows of a member or of an invitation, whatever there was before."""
    tables, key = _rows_of(owner)
    for table in tables:
        for row in session.scalars(select(table).filter_by(**key)):
            session.delete(row)
    session.flush()
    of_parties, of_destinations = tables
    for span in spans:
        days = {"from_at": span.from_at, "until_at": span.until_at}
        if isinstance(span, PartyDays):
            session.add(of_parties(**key, party_id=span.party_id, **days))
        else:
            session.add(of_destinations(**key, destination_id=span.destination_id, **days))
    session.flush()


def _rows_of(owner: UserAccount | Invitation) -> tuple[tuple[type[Any], type[Any]], dict[str, int]]:
    if isinstance(owner, Invitation):
        return (InvitationParty, InvitationDestination), {"invitation_id": owner.id}
    return (MembershipParty, MembershipDestination), {"user_account_id": owner.id}


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
            "You see only some calls yourself: name what you were given, each as it stands in your own list, and no "
            "other days than yours.",
            "extensions",
        )
    if limit.ends_at is not None and (offer.ends_at is None or offer.ends_at > limit.ends_at):
        return Refused("Your own access has an end date: give one that is not later.", "ends_on")
    return None


def _spans_within(offer: Offer, limit: Offer) -> bool:
    return offer.narrowed and all(any(holds(mine, span) for mine in limit.spans) for span in offer.spans)
