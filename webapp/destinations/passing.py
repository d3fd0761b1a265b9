"""What a hand-over or a merge would change, said before it is done. Called by show_views.py; nothing here writes."""

from datetime import datetime, timedelta

from sqlalchemy import func, or_, select

from webapp.clock import now
from webapp.destinations.counted import count_calls
from webapp.destinations.histories import ShownPattern
from webapp.destinations.models import Destination, DestinationMember, DestinationPattern
from webapp.formatting import format_calls, format_count, format_date
from webapp.tenancy.lock import LockedSession


def ask_about_day(
    session: LockedSession, pattern: ShownPattern, giver: Destination, taker: Destination | None, from_at: datetime
) -> str:
    """For a day that is past: how many days and calls would show another name. "" for today and later.

    `from_at` is the first moment of a local day, with its zone.
    """
    today = now().astimezone(from_at.tzinfo).date()
    ends = (turn.from_at for turn in pattern.turns if turn.from_at is not None and turn.from_at > from_at)
    until = min([today + timedelta(days=1), *(end.astimezone(from_at.tzinfo).date() for end in ends)])
    first = from_at.date()
    if first >= today:
        return ""
    days = (until - first).days
    calls = count_calls(session, pattern.pattern, first, until)
    what = "The calls" if calls is None else format_calls(calls).capitalize()
    span = "1 day" if days == 1 else f"{format_count(days)} days"
    name = "no name" if taker is None else taker.name
    return (
        f"{format_date(first)} is past. {what} of {span}, up to and with "
        f"{format_date(until - timedelta(days=1))}, will show {name} instead of {giver.name}."
    )


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
        "archived and leads there. This cannot be undone."
    )
