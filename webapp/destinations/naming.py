"""Gives a number or extension that nothing names yet its name. Called by the page "Still without a name"."""

from webapp.destinations.actions import Described, add_destination, change_destination
from webapp.destinations.listing import find_named, list_members, list_patterns
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, Party, PartyKind, PatternKind
from webapp.destinations.patterns import Plan
from webapp.errors import NotFound, Refused
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import hold_organization


def get_party(session: LockedSession, party_id: int) -> Party:
    """Raises NotFound."""
    party = session.get(Party, (session.organization_id, party_id))
    if party is None:
        raise NotFound
    return party


def pattern_for(party: Party, plan: Plan) -> Pattern:
    """What names this one alone; an extension of its phone system alone where there is more than one."""
    if party.kind == PartyKind.OUTSIDE:
        return Pattern(PatternKind.NUMBER, party.digits)
    return Pattern(PatternKind.EXTENSION, party.digits, party.pbx_id if len(plan.pbxes) > 1 else None)


def name_party(
    session: LockedSession, party: Party, name: str, kind: DestinationKind, plan: Plan, *, actor_id: int | None
) -> tuple[Destination, bool]:
    """Make a destination of this name, or give the number to the one that has the name. Second: whether it is new.

    Raises Refused where the number is somebody's by now, or the name is that of more than one.
    """
    hold_organization(session)
    pattern = pattern_for(party, plan)
    found = find_named(session, name)
    if len(found) > 1:
        raise Refused(
            "More than one has this name already, so it is not clear which is meant. Add it on its page.", "name"
        )
    if not found:
        return add_destination(session, Described(kind, name, (pattern,)), actor_id=actor_id), True
    [destination] = found
    described = Described(
        kind=destination.kind,
        name=destination.name,
        patterns=(*list_patterns(session, [destination.id])[destination.id], pattern),
        colour=destination.colour,
        note=destination.note,
        members=frozenset(each.id for each in list_members(session, destination.id)),
    )
    return change_destination(session, destination.id, destination.version, described, actor_id=actor_id), False
