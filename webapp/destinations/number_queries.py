"""Reads of the organization's own numbers: the list with its figures, those that are offered, who asked about them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ScalarSelect, func, select

from webapp import clock
from webapp.destinations.figures import LiveFigures, read_number_figures
from webapp.destinations.models import Party, PartyKind
from webapp.destinations.route_models import Number, Route, RouteLookup, RoutePlan
from webapp.destinations.seen_numbers import read_seen_numbers
from webapp.errors import NotFound
from webapp.tenancy.lock import LockedSession

#: A phone system that has asked within this follows what stands here.
FOLLOWED_WITHIN = timedelta(hours=24)


@dataclass(frozen=True)
class ListedNumber:
    """A row of the list. `routes`: how many its plan in force has; `asked_at`: None unless it was within a day.

    `figures`: None for support that may not see calls.
    """

    number: Number
    figures: LiveFigures | None
    routes: int
    asked_at: datetime | None


@dataclass(frozen=True)
class OfferedNumber:
    """A number that calls came in on and that nobody has listed."""

    party_id: int
    e164: str
    calls: int


@dataclass(frozen=True)
class Offers:
    """The most called first. `since`: how far back was looked."""

    numbers: list[OfferedNumber]
    since: datetime | None


def get_number(session: LockedSession, number_id: int) -> Number:
    """Raises NotFound."""
    number = session.scalars(select(Number).where(Number.id == number_id)).one_or_none()
    if number is None:
        raise NotFound
    return number


def find_number(session: LockedSession, e164: str) -> Number | None:
    return session.scalars(select(Number).where(Number.e164 == e164)).one_or_none()


def list_numbers(session: LockedSession) -> list[Number]:
    """Those that are ours first, by their digits; then those that were given up."""
    numbers = session.scalars(select(Number).order_by(Number.e164)).all()
    present = clock.now()
    return sorted(numbers, key=lambda number: number.until_at is not None and number.until_at <= present)


def list_with_figures(session: LockedSession, zone: ZoneInfo) -> list[ListedNumber]:
    numbers = list_numbers(session)
    figures = read_number_figures(session, [number.party_id for number in numbers], zone)
    routes, asked = count_routes(session), find_asked(session)
    return [
        ListedNumber(number, figures.get(number.party_id), routes.get(number.id, 0), asked.get(number.id))
        for number in numbers
    ]


def newest_plan() -> ScalarSelect[int]:
    """Id of the plan in force of the number in the statement around it."""
    newest = select(RoutePlan.id).where(RoutePlan.number_id == Number.id).correlate(Number)
    return newest.order_by(RoutePlan.at.desc(), RoutePlan.id.desc()).limit(1).scalar_subquery()


def find_newest_plans(session: LockedSession) -> dict[int, int]:
    """From the id of a plan in force to its number's."""
    return {plan_id: number_id for plan_id, number_id in session.execute(select(newest_plan(), Number.id)) if plan_id}


def count_routes(session: LockedSession) -> dict[int, int]:
    """Of the plan in force of each number that has one, by the number's id."""
    plans = find_newest_plans(session)
    counted = session.execute(
        select(Route.route_plan_id, func.count()).where(Route.route_plan_id.in_(plans)).group_by(Route.route_plan_id)
    )
    return {plans[plan_id]: routes for plan_id, routes in counted}


def find_asked(session: LockedSession) -> dict[int, datetime]:
    """When a phone system asked last where a number rings, by the number's id: of those that were asked in a day."""
    last = (
        select(func.max(RouteLookup.at))
        .where(RouteLookup.number_id == Number.id, RouteLookup.at >= clock.now() - FOLLOWED_WITHIN)
        .correlate(Number)
        .scalar_subquery()
    )
    return {number_id: at for number_id, at in session.execute(select(Number.id, last)) if at is not None}


def list_offers(session: LockedSession) -> Offers:
    """Outside numbers that the newest calls came in on and that nobody listed."""
    seen = read_seen_numbers(session)
    listed = set(session.scalars(select(Number.party_id)))
    parties = session.scalars(
        select(Party).where(Party.id.in_(set(seen.calls) - listed), Party.kind == PartyKind.OUTSIDE)
    )
    offered = [OfferedNumber(party.id, party.e164 or "", seen.calls[party.id]) for party in parties]
    return Offers(sorted(offered, key=lambda offer: (-offer.calls, offer.e164)), seen.since)


def get_offered(session: LockedSession, party_id: int) -> Party:
    """A party that list_offers() offers, or that is listed by now. Raises NotFound for any other: what is listed is
    shown in full, to readers too who see numbers with dots.
    """
    is_listed = session.scalar(select(Number.id).where(Number.party_id == party_id)) is not None
    if not is_listed and party_id not in {offer.party_id for offer in list_offers(session).numbers}:
        raise NotFound
    return session.get_one(Party, (session.organization_id, party_id))
