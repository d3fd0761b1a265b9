"""What people do with the organization's own numbers: list, change, give up. Called by number_views.py and the demo.

Each holds the organization, since it may make the number's party; broken rules raise Refused with the field's name.
"""

from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp import clock
from webapp.audit.actions import record
from webapp.database.ids import new_id
from webapp.destinations.holders import write_holders_of
from webapp.destinations.models import Party, PartyKind
from webapp.destinations.number_facts import NumberFacts, calling_code, read_number
from webapp.destinations.number_queries import find_number
from webapp.destinations.route_models import Number, NumberKind
from webapp.errors import Refused
from webapp.formatting import format_date, format_number
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization

LONGEST_TEXT = 80
KIND_WORDS = {
    NumberKind.GEOGRAPHIC: "landline",
    NumberKind.MOBILE: "mobile",
    NumberKind.FREEPHONE: "freephone",
    NumberKind.OTHER: "other",
}


@dataclass(frozen=True)
class NumberDetails:
    """What people say about a number. Days are local, the last one is still ours; None for no bound."""

    region: str
    kind: NumberKind
    provider: str = ""
    label: str = ""
    since_on: date | None = None
    until_on: date | None = None

    @classmethod
    def of(cls, number: Number, zone: ZoneInfo) -> "NumberDetails":
        since = None if number.since_at is None else number.since_at.astimezone(zone).date()
        last = None if number.until_at is None else last_day(number.until_at, zone)
        return cls(number.region, number.kind, number.provider, number.label, since, last)


class ChangedMeanwhile(Refused):
    """Somebody stored something else since the form was opened."""


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local day."""
    return datetime.combine(day, time(), zone).astimezone(clock.now().tzinfo)


def last_day(until_at: datetime, zone: ZoneInfo) -> date:
    """The last local day before an instant at which something ends."""
    return (until_at.astimezone(zone) - timedelta(milliseconds=1)).date()


def read_typed(text: str, region: str) -> NumberFacts:
    """Raises Refused for what is no number in that country."""
    facts = read_number(text.strip(), region)
    if facts is None:
        raise Refused("This is no telephone number. Type it as you would dial it, or with + and the country.", "number")
    return facts


def list_number(
    session: LockedSession, facts: NumberFacts, details: NumberDetails, zone: ZoneInfo, *, actor_id: int | None
) -> Number:
    """Raises Refused for a number that is listed already, with its name."""
    hold_organization(session)
    namesake = find_number(session, facts.e164)
    if namesake is not None:
        raise Refused(_listed_already(namesake, zone), "number")
    number = Number(
        id=new_id(),
        e164=facts.e164,
        party_id=_find_or_make_party(session, facts).id,
        version=1,
        created_at=clock.now(),
        created_by=actor_id,
        **_columns(facts.e164, details, zone),
    )
    session.add(number)
    session.flush()
    record(session, "own_number.listed", actor_id=actor_id, object_id=number.id, number=facts.e164)
    return number


def change_number(
    session: LockedSession, number: Number, version: int, details: NumberDetails, zone: ZoneInfo, *, actor_id: int
) -> None:
    """`version`: of the number when the form was opened. Raises ChangedMeanwhile where it is another now."""
    hold_organization(session)
    session.refresh(number)
    if number.version != version:
        raise ChangedMeanwhile("Somebody changed this number while you were writing.")
    before = NumberDetails.of(number, zone)
    columns = _columns(number.e164, details, zone)
    changes = tell_differences(before, details, zone)
    if not changes:
        return
    for name, value in columns.items():
        setattr(number, name, value)
    number.version += 1
    record(
        session,
        "own_number.changed",
        actor_id=actor_id,
        object_id=number.id,
        number=number.e164,
        changes="; ".join(changes),
    )


def give_up(session: LockedSession, number: Number, *, actor_id: int) -> None:
    """It is ours no longer, from now on, whatever last day was said; its calls and its history stay."""
    hold_organization(session)
    session.refresh(number)
    if number.until_at is None or number.until_at > clock.now():
        number.until_at = clock.now()
        number.version += 1
        record(session, "own_number.given_up", actor_id=actor_id, object_id=number.id, number=number.e164)


def take_back(session: LockedSession, number: Number, *, actor_id: int) -> None:
    """It is ours after all."""
    hold_organization(session)
    session.refresh(number)
    if number.until_at is not None:
        number.until_at = None
        number.version += 1
        record(session, "own_number.taken_back", actor_id=actor_id, object_id=number.id, number=number.e164)


def tell_differences(before: NumberDetails, after: NumberDetails, zone: ZoneInfo) -> list[str]:
    """What is another in the second, in words: "label: Sales → Support"."""
    return [
        f"{_WORDS[field.name]}: {_tell(getattr(before, field.name))} → {_tell(getattr(after, field.name))}"
        for field in fields(NumberDetails)
        if getattr(before, field.name) != getattr(after, field.name)
    ]


_WORDS = {
    "region": "country",
    "kind": "kind",
    "provider": "provider",
    "label": "what it is for",
    "since_on": "ours since",
    "until_on": "last day",
}


def _tell(value: object) -> str:
    if isinstance(value, NumberKind):
        return KIND_WORDS[value]
    return format_date(value) if isinstance(value, date) else str(value or "nothing")


def _columns(e164: str, details: NumberDetails, zone: ZoneInfo) -> dict[str, object]:
    """As the table has them. Raises Refused for another country's code, and days that end before they begin."""
    if calling_code(details.region) and not e164.startswith(f"+{calling_code(details.region)}"):
        raise Refused("Numbers of this country begin otherwise. Choose the one that the number is of.", "region")
    if details.since_on and details.until_on and details.until_on < details.since_on:
        raise Refused("The last day lies before the first. Correct one of them.", "until_on")
    return {
        "kind": details.kind,
        "region": details.region,
        "provider": _line(details.provider),
        "label": _line(details.label),
        "since_at": details.since_on and start_of(details.since_on, zone),
        "until_at": details.until_on and start_of(details.until_on + timedelta(days=1), zone),
    }


def _line(text: str) -> str:
    return " ".join(text.split())[:LONGEST_TEXT]


def _listed_already(number: Number, zone: ZoneInfo) -> str:
    shown = format_number(number.e164, number.region)
    name = f"{shown} ({number.label})" if number.label else shown
    if number.until_at is not None and number.until_at <= clock.now():
        day = format_date(last_day(number.until_at, zone))
        return f"{name} is in the list already, as given up on {day}. Take it back there."
    return f"{name} is in the list already. Change it there."


def _find_or_make_party(session: LockedSession, facts: NumberFacts) -> Party:
    """As ingest/parties.py makes it, so that calls with this number are its calls."""
    party = session.scalars(select(Party).where(Party.identity == facts.e164)).one_or_none()
    if party is None:
        party = Party(
            id=new_id(),
            identity=facts.e164,
            kind=PartyKind.OUTSIDE,
            e164=facts.e164,
            digits=facts.digits,
            pbx_id=None,
            region=facts.region,
            line_type=facts.line_type,
            name="",
            place=None,
        )
        session.add(party)
        session.flush()
        write_holders_of(session, [party])
    return party
