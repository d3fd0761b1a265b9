"""The line at the foot of every page of an organization: who can see these calls. Asked by layouts/signed_in.html.

It costs a page nothing: the people are counted at most once a minute in a process (who_can_see.py), and the banner
about support has asked already who looks (organizations/looks.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.organizations.looks import Look
from webapp.policies.who_can_see import people_kept
from webapp.services import services
from webapp.tenancy.models import OrganizationState
from webapp.tenancy.request import current_place, current_reader


@dataclass(frozen=True)
class Foot:
    """`people`: who can see calls of the organization; for a narrowed reader, of those that they see themselves.

    `shut`: "closed" or "suspended" where nobody sees any, support neither, and owners can take them out; else "".
    """

    people: int
    looks: Sequence[Look]
    shut: str = ""


def tell_who_sees(looks: Sequence[Look]) -> Foot | None:
    """None outside of organizations, and for support that was let in: theirs are not these calls."""
    place = current_place()
    if place is None or place.opening is not None:
        return None
    state = place.organization.state
    if state != OrganizationState.OPEN:
        return Foot(0, (), state.name.lower())
    return Foot(people_kept(services().database, place.membership, current_reader().narrowing), looks)
