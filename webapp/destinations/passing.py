"""What a hand-over or a merge would change, said before it is done. Called by show_views.py; nothing here writes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select

from webapp.clock import now
from webapp.destinations.counted import count_calls
from webapp.destinations.histories import ShownPattern, ShownTurn
from webapp.destinations.models import Destination, DestinationMember, DestinationPattern
from webapp.formatting import format_calls, format_count, format_date
from webapp.organizations.models import Invitation, InvitationDestination, InvitationState
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import MembershipDestination


def ask_about_day(session: LockedSession, pattern: ShownPattern, taker: Destination | None, from_at: datetime) -> str:
    """For a day that is past: how many days and calls would show another name. "" for today and later, and where it
    is the taker's already.

    `from_at` is the first moment of a local day, with its zone. Who gives is who has it then, whoever has it now.
    """
    today, first = now().astimezone(from_at.tzinfo).date(), from_at.date()
    later = [turn for turn in pattern.turns if turn.from_at is not None and turn.from_at > from_at]
    earlier = pattern.turns[: len(pattern.turns) - len(later)]
    giver = earlier[-1] if earlier else None
    giver_id = giver.holder_id if giver else None
    if first >= today or giver_id == (taker.id if taker else None):
        return ""
    ends = (turn.from_at.astimezone(from_at.tzinfo).date() for turn in later[:1] if turn.from_at is not None)
    until = min([today + timedelta(days=1), *ends])
    days = (until - first).days
    calls = count_calls(session, pattern.pattern, first, until)
    what = "The calls" if calls is None else format_calls(calls).capitalize()
    span = "1 day" if days == 1 else f"{format_count(days)} days"
    name = "no name" if taker is None else taker.name
    instead = giver.holder if giver and giver.holder_id else "no name"
    return (
        f"{format_date(first)} is past. {what} of {span}, up to and with "
        f"{format_date(until - timedelta(days=1))}, will show {name} instead of {instead}."
        f"{_tell_next(later, from_at)}"
    )


def _tell_next(later: Sequence[ShownTurn], from_at: datetime) -> str:
    """Where the hand-over ends: the turn that begins then stays as it is."""
    if not later or later[0].from_at is None:
        return ""
    day = format_date(later[0].from_at.astimezone(from_at.tzinfo).date())
    whose = f"{later[0].holder}'s" if later[0].holder_id else "nobody's"
    return f" From {day} on it stays {whose}."


def tell_merge(session: LockedSession, source: Destination, into: Destination) -> str:
    """What becomes the other's."""
    keys = select(func.count(DestinationPattern.pattern_key.distinct()))
    patterns = session.scalar(keys.where(DestinationPattern.destination_id == source.id)) or 0
    people = session.scalar(
        select(func.count(DestinationMember.person_id)).where(
            or_(DestinationMember.team_id == source.id, DestinationMember.person_id == source.id)
        )
    )
    told = [f"{format_count(patterns)} {'pattern' if patterns == 1 else 'patterns'}"]
    if people:
        told.append(f"{format_count(people)} {'place in a team' if people == 1 else 'places in teams'}")
    return (
        f"{' and '.join(told)} of {source.name} will be {into.name}'s, with the calls of all time. {source.name} is "
        f"archived and leads there.{_tell_readers(session, source, into)} This cannot be undone."
    )


def _tell_readers(session: LockedSession, source: Destination, into: Destination) -> str:
    """Who reads the calls of the one today, or is invited to: a merge gives them others'."""
    invited = (
        select(func.count(InvitationDestination.invitation_id.distinct()))
        .join(
            Invitation,
            and_(
                Invitation.organization_id == InvitationDestination.organization_id,
                Invitation.id == InvitationDestination.invitation_id,
            ),
        )
        .where(
            InvitationDestination.destination_id == source.id,
            Invitation.state.in_([InvitationState.OPEN, InvitationState.UNCONFIRMED]),
        )
    )
    given = select(func.count(MembershipDestination.user_account_id.distinct()))
    given = given.where(MembershipDestination.destination_id == source.id)
    readers = (session.scalar(given) or 0) + (session.scalar(invited) or 0)
    if not readers:
        return ""
    who = "1 person who was" if readers == 1 else f"{format_count(readers)} people who were"
    if into.kind.is_outside:
        return f" {who} given or offered its calls will not see them any more, since {into.name} is outside."
    return f" {who} given or offered its calls will see those of {into.name}."
