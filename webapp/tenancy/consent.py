"""The rules of letting staff in: what may be asked and allowed, and what is open at an instant. Pure: no database.

Asked by staff/ (asking, opening), by organizations/ (answering, ending), and by whoever serves staff a customer's page.
What is allowed is never more than what was asked, and what is open never more than what is allowed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from webapp.database.staff_rights import NOTHING, Area
from webapp.errors import Refused
from webapp.tenancy.consent_models import AccessGrant, AccessOpening, AccessRequest, RequestState

LONGEST_HOURS = 72
ANSWERED_WITHIN = timedelta(days=20)
BEGINS_WITHIN = timedelta(days=7)
OPEN_FOR = timedelta(hours=2)
_JUST_PASSED = timedelta(minutes=5)  #: a time that was to come when it was typed

AREA_LABELS = {
    Area.CALLS: "the call log",
    Area.DESTINATIONS: "destinations, numbers and routes",
    Area.SOURCES: "phone systems, files and raw lines",
    Area.PEOPLE: "people and invitations",
}


@dataclass(frozen=True)
class Terms:
    """What somebody asks to see, or may see. `full_numbers`: else the last digits of outside numbers are dots."""

    areas: Area
    full_numbers: bool
    may_download: bool
    hours: int


class GrantState(Enum):
    COMING = "coming"
    LIVE = "live"
    ENDED = "ended"  #: by an owner, before its time
    OVER = "over"


def terms_of_request(request: AccessRequest) -> Terms:
    return Terms(request.areas, request.full_numbers, request.may_download, request.hours)


def terms_of_grant(grant: AccessGrant) -> Terms:
    hours = round((grant.ends_at - grant.starts_at) / timedelta(hours=1))
    return Terms(grant.areas, grant.full_numbers, grant.may_download, hours)


def check_terms(terms: Terms) -> None:
    """Raises Refused where they say nothing, or more hours than anybody may be let in at once."""
    if terms.areas not in range(1, 1 << len(Area)):
        raise Refused("Choose at least one thing to see.", "areas")
    if not 1 <= terms.hours <= LONGEST_HOURS:
        raise Refused(f"Give a number of hours from 1 to {LONGEST_HOURS}.", "hours")


def check_within(given: Terms, asked: Terms) -> None:
    """An answer may narrow and shorten what was asked, never widen it. Raises Refused with the field."""
    check_terms(given)
    if given.areas & ~asked.areas:
        raise Refused("You can allow only what was asked for.", "areas")
    if given.full_numbers and not asked.full_numbers:
        raise Refused("Full numbers were not asked for.", "numbers")
    if given.may_download and not asked.may_download:
        raise Refused("Downloads were not asked for.", "may_download")
    if given.hours > asked.hours:
        raise Refused(f"No more than {tell_hours(asked.hours)} were asked for.", "hours")


def find_start(wanted: datetime | None, instant: datetime) -> datetime:
    """When the hours begin: `wanted`, or None for now. Raises Refused."""
    if wanted is None:
        return instant
    if wanted < instant - _JUST_PASSED:
        raise Refused("This time is over. Give one to come, or leave it empty for now.", "starts")
    if wanted > instant + BEGINS_WITHIN:
        raise Refused(f"Let the hours start within {BEGINS_WITHIN.days} days.", "starts")
    return max(wanted, instant)


def end_of(starts_at: datetime, terms: Terms) -> datetime:
    return starts_at + timedelta(hours=terms.hours)


def request_state(request: AccessRequest, instant: datetime) -> RequestState:
    """What has become of it: no answer by its end is a refusal, whether that is stored yet or not."""
    if request.state == RequestState.WAITS and request.expires_at <= instant:
        return RequestState.UNANSWERED
    return request.state


def grant_state(grant: AccessGrant, instant: datetime) -> GrantState:
    if grant.ended_at is not None:
        return GrantState.ENDED
    if instant < grant.starts_at:
        return GrantState.COMING
    return GrantState.LIVE if instant < grant.ends_at else GrantState.OVER


def opens_until(grant: AccessGrant, staff_id: int, instant: datetime) -> datetime | None:
    """Until when this member of staff could see something, were they to open it now; None: they may not open it."""
    if grant.staff_id not in (None, staff_id) or grant_state(grant, instant) is not GrantState.LIVE:
        return None
    return min(instant + OPEN_FOR, grant.ends_at)


def open_areas(grant: AccessGrant, opening: AccessOpening, instant: datetime) -> Area:
    """What the opening shows at this instant: the grant's areas while both are live, else nothing."""
    if opening.grant_id != grant.id or grant_state(grant, instant) is not GrantState.LIVE:
        return NOTHING
    is_open = opening.ended_at is None and opening.opened_at <= instant < opening.until_at
    return grant.areas if is_open else NOTHING


def tell_areas(areas: Area) -> str:
    """ "the call log, people and invitations": goes on after "to see"."""
    labels = [label for area, label in AREA_LABELS.items() if areas & area]
    return "; ".join(labels) if len(labels) > 1 else labels[0]


def tell_terms(terms: Terms) -> str:
    """All but the hours: "the call log; with full numbers; without downloads"."""
    numbers = "with full numbers" if terms.full_numbers else "without the last digits of numbers"
    return f"{tell_areas(terms.areas)}; {numbers}; {'with' if terms.may_download else 'without'} downloads"


def tell_hours(hours: int) -> str:
    return "1 hour" if hours == 1 else f"{hours} hours"
