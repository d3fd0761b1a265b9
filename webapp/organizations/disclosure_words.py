"""How a disclosure is told: its areas, its period, where it stands. Read by its pages, its mails and the audit.

Days are UTC: an order of an authority names days, and the organization may have moved its zone since.
"""

from datetime import datetime, timedelta

from webapp.database.staff_rights import Area
from webapp.formatting import format_date
from webapp.tenancy.consent_models import Disclosure, DisclosureState

AREA_NAMES = {
    Area.CALLS: "calls, with who took part",
    Area.DESTINATIONS: "destinations, own numbers and routes",
    Area.SOURCES: "phone systems and their lines as received",
    Area.PEOPLE: "people and invitations",
}
ALONE = "by one person alone, after 24 hours"
_MOMENT = timedelta(milliseconds=1)


def list_areas(areas: Area) -> list[Area]:
    return [area for area in AREA_NAMES if area & areas]


def tell_areas(areas: Area) -> str:
    return "; ".join(AREA_NAMES[area] for area in list_areas(areas))


def tell_period(from_at: datetime | None, until_at: datetime | None) -> str:
    """ "calls from 1 May 2026 to 31 May 2026", both days included."""
    first = format_date(from_at.date()) if from_at else ""
    last = format_date((until_at - _MOMENT).date()) if until_at else ""
    if first and last:
        return f"calls from {first} to {last}"
    if first:
        return f"calls from {first} on"
    return f"calls to {last}" if last else "all calls"


def tell_state(disclosure: Disclosure) -> str:
    alone = f", {ALONE}" if disclosure.agreed_at and disclosure.agreed_by is None else ""
    return {
        DisclosureState.WAITS: "Waits for a second member of staff",
        DisclosureState.AGREED: f"Agreed{alone}; the archive is being made",
        DisclosureState.PRODUCED: f"Made{alone}",
        DisclosureState.TAKEN_BACK: "Taken back",
        DisclosureState.FAILED: f"Agreed{alone}; the archive could not be made",
    }[disclosure.state]
