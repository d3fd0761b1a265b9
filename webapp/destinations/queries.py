"""Reads destinations, their patterns and people. Called by the views and actions of this package."""

from webapp.destinations.models import Destination
from webapp.errors import NotFound
from webapp.tenancy.lock import LockedSession


def get_destination(session: LockedSession, destination_id: int) -> Destination:
    """Raises NotFound."""
    destination = session.get(Destination, (session.organization_id, destination_id))
    if destination is None:
        raise NotFound
    return destination


def get_held(session: LockedSession, destination_id: int) -> Destination:
    """As it is now that the organization is held, whatever was read before. Raises NotFound."""
    destination = session.get(Destination, (session.organization_id, destination_id), populate_existing=True)
    if destination is None:
        raise NotFound
    return destination
