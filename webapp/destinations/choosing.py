"""A destination chosen by its name, as people type it. Used by hand-over and merge."""

from webapp.destinations.listing import find_named
from webapp.destinations.models import Destination
from webapp.errors import Refused
from webapp.tenancy.lock import LockedSession


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
