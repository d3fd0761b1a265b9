"""People and places of the demo's firm, by the actions that the pages use. Called by run_demo.py at its first start.

Some are left without a name, for the page that offers them; and an extension passed on last spring, for its history.
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from demo import firm
from webapp import clock
from webapp.destinations.actions import Described, add_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, PatternKind
from webapp.destinations.patterns import Plan, read_pattern
from webapp.destinations.plans import load_plan
from webapp.destinations.turns import hand_over
from webapp.tenancy.lock import LockedSession

_ZONE = ZoneInfo(firm.TIME_ZONE)
_COLOURS = {"Reception": 1, "Sales": 2, "Workshop": 3, "Accounts": 4, "Management": 5, "Warehouse": 6, "Service": 7}
_UNNAMED = ("209", "210", "212")
_PASSED_ON, _BEFORE = "211", "Oliver"  #: an extension, and who had it until half a year ago
_PASSED_ON_DAYS = 180
_CUSTOMERS, _SUPPLIERS = 12, ("Northgate Supplies", "Don Steel Stock", "Kestrel Couriers")


def name_places(session: LockedSession) -> None:
    """At the first start; later ones find them there."""
    if session.scalars(select(Destination.id).limit(1)).first() is not None:
        return
    plan = load_plan(session, firm.REGION)
    people = {
        person.extension: _add_person(session, person) for person in firm.PEOPLE if person.extension not in _UNNAMED
    }
    _add(
        session,
        DestinationKind.TEAM,
        "Sales group",
        (firm.SALES_GROUP,),
        members=[people[each] for each in firm.SALES_PHONES],
    )
    _add(session, DestinationKind.TEAM, "Support", (firm.SUPPORT_QUEUE,), members=[people["211"]])
    _add(session, DestinationKind.MENU, "Out-of-hours menu", (firm.NIGHT_MENU,))
    _add(session, DestinationKind.VOICEMAIL, "Voicemail", (firm.OWN_MAILBOX,))
    named = [regular for regular in firm.REGULARS if regular.name]
    for regular in named[:_CUSTOMERS]:
        kind = DestinationKind.SUPPLIER if regular.name in _SUPPLIERS else DestinationKind.CUSTOMER
        _add_contact(session, plan, kind, regular.name, regular.number)
    _add_contact(session, plan, DestinationKind.CONTACT, "Sentinel Alarms", firm.ALARM_CENTRE.number)
    _add_contact(session, plan, DestinationKind.ZONE, "France", "+33*")
    _pass_on(session, people[_PASSED_ON])


def _add_person(session: LockedSession, person: firm.Person) -> int:
    name = person.name if person.extension != firm.RECEPTION else f"{person.name}, Reception"
    extensions = () if person.extension == _PASSED_ON else (person.extension,)
    return _add(session, DestinationKind.PERSON, name, extensions, colour=_COLOURS.get(person.place, 0))


def _add(
    session: LockedSession,
    kind: DestinationKind,
    name: str,
    extensions: tuple[str, ...],
    *,
    colour: int = 0,
    members: list[int] | None = None,
) -> int:
    patterns = tuple(Pattern(PatternKind.EXTENSION, digits) for digits in extensions)
    described = Described(kind, name, patterns, colour=colour, members=frozenset(members or ()))
    return add_destination(session, described, actor_id=None).id


def _add_contact(session: LockedSession, plan: Plan, kind: DestinationKind, name: str, number: str) -> None:
    add_destination(session, Described(kind, name, (read_pattern(number, plan),)), actor_id=None)


def _pass_on(session: LockedSession, now_has: int) -> None:
    """It was somebody else's, from the day on it is whose it is now."""
    _add(session, DestinationKind.PERSON, _BEFORE, (_PASSED_ON,))
    day = clock.now().astimezone(_ZONE).date() - timedelta(days=_PASSED_ON_DAYS)
    hand_over(session, Pattern(PatternKind.EXTENSION, _PASSED_ON), now_has, _start_of(day), actor_id=None)


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), _ZONE)
