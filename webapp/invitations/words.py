"""What a membership or an invitation opens, in words: for the People page, mails and the audit."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from webapp.formatting import format_date
from webapp.invitations.extensions import name_extensions
from webapp.invitations.subjects import names_of
from webapp.organizations.offers import Offer
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Numbers, Role

ROLES = {
    Role.VIEWER: "sees calls and files",
    Role.MANAGER: "also imports, adds phone systems, and invites viewers and managers",
    Role.OWNER: "may do everything, owners and settings included",
}
NUMBERS = {
    Numbers.FULL: "numbers in full",
    Numbers.MASKED: "numbers without their last four digits",
    Numbers.SHOWN_ONE_BY_ONE: "numbers without their last four digits, shown one at a time on request",
}


@dataclass(frozen=True)
class OfferWords:
    role: str
    sees: str  #: "all calls, numbers in full, may export"
    ends: str  #: the last day, "" if there is none


def tell_offer(session: LockedSession, offer: Offer, time_zone: str, *, masked: bool = True) -> OfferWords:
    """The words of an offer. `masked`: own numbers without a label have dots."""
    names = names_of(session, offer.spans, masked=masked)
    calls = f"only calls of {name_extensions(offer.spans, names, time_zone)}" if offer.narrowed else "all calls"
    export = "may export" if offer.may_export else "no export"
    return OfferWords(offer.role.word, f"{calls}, {NUMBERS[offer.numbers]}, {export}", tell_end(offer, time_zone))


def tell_end(offer: Offer, time_zone: str) -> str:
    """Its last day; "" if it has no end."""
    if offer.ends_at is None:
        return ""
    return format_date(last_day(offer.ends_at, time_zone))


def last_day(ends_at: datetime, time_zone: str) -> date:
    """The last local day on which something that ends at this instant still counts."""
    return (ends_at - timedelta(milliseconds=1)).astimezone(ZoneInfo(time_zone)).date()


def end_of_day(day: date, time_zone: str) -> datetime:
    """The instant at which a local day is over."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(time_zone))


def spell_for_audit(words: OfferWords) -> str:
    """One line."""
    until = f", until {words.ends}" if words.ends else ""
    return f"{words.role}: {words.sees}{until}"
