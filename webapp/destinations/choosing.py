"""Destinations chosen by their names, as people type them. Used by hand-over, merge and the form of a team."""

from collections.abc import Sequence

from webapp.destinations.listing import find_named
from webapp.destinations.models import Destination, DestinationKind
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession

MOST_NAMES = 100
_SHOWN = 60


def choose_named(session: LockedSession, name: str, field: str) -> Destination:
    """The one of this name. Raises Refused, beside `field`, where there is none or more than one."""
    found = find_named(session, name)
    if not found:
        raise Refused(
            "There is none with this name in use. Check the spelling, add it, or bring it back if it is archived.",
            field,
        )
    if len(found) > 1:
        raise Refused(
            "More than one has this name, so it is not clear which is meant. Rename one of them first.", field
        )
    return found[0]


def choose_people(session: LockedSession, names: Sequence[str], field: str) -> frozenset[int]:
    """The ids of the persons of these names. Raises Refused as choose_named() does, naming the one that is wrong."""
    if len(names) > MOST_NAMES:
        raise Refused(f"Write at most {MOST_NAMES} names at once.", field)
    people = set()
    for name in names:
        found = find_named(session, name, DestinationKind.PERSON)
        if not found:
            raise Refused(f"There is no person called {name[:_SHOWN]} in use. Check the spelling.", field)
        if len(found) > 1:
            raise Refused(f"More than one person is called {name[:_SHOWN]}. Rename one of them first.", field)
        people.add(found[0].id)
    return frozenset(people)
