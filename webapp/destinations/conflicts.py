"""What differs between a destination as it is stored and as a form says it: for two people who change it at once."""

from typing import NamedTuple

from webapp.destinations.actions import Described
from webapp.destinations.kind_words import COLOUR_NAMES, KIND_LABELS
from webapp.destinations.listing import get_names, list_members, list_patterns
from webapp.destinations.masking import mask_text
from webapp.destinations.models import Destination
from webapp.destinations.patterns import Plan, spell_patterns
from webapp.names import clean_name
from webapp.tenancy.lock import LockedSession


class Difference(NamedTuple):
    """One field: as it is stored now, and as the form says it."""

    label: str
    theirs: str
    yours: str


def list_differences(
    session: LockedSession, destination: Destination, described: Described, plan: Plan, *, masked: bool
) -> list[Difference]:
    """Those fields only that are not the same; to a masked reader numbers in them with dots."""
    patterns = list_patterns(session, [destination.id])[destination.id]
    members = [each.name for each in list_members(session, destination.id)]
    yours = get_names(session, described.members)
    pairs = [
        Difference("Name", destination.name, clean_name(described.name)),
        Difference("Kind", KIND_LABELS[destination.kind], KIND_LABELS[described.kind]),
        Difference("Numbers and extensions", spell_patterns(patterns, plan), spell_patterns(described.patterns, plan)),
        Difference("People of the team", "\n".join(sorted(members)), "\n".join(sorted(yours.values()))),
        Difference("Colour", COLOUR_NAMES[destination.colour], COLOUR_NAMES[described.colour]),
        Difference("Note", destination.note, described.note.strip()),
    ]
    differing = [pair for pair in pairs if pair.theirs != pair.yours]
    if masked:
        return [Difference(each.label, mask_text(each.theirs), mask_text(each.yours)) for each in differing]
    return differing
