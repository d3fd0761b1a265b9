"""The words of destinations on pages, in forms and in the CSV: their kinds, and the names of their eight colours."""

from webapp.destinations.models import DestinationKind

KIND_LABELS = {
    DestinationKind.PERSON: "Person",
    DestinationKind.TEAM: "Team",
    DestinationKind.VOICEMAIL: "Voicemail",
    DestinationKind.MENU: "Menu",
    DestinationKind.CONFERENCE: "Conference",
    DestinationKind.CUSTOMER: "Customer",
    DestinationKind.SUPPLIER: "Supplier",
    DestinationKind.CONTACT: "Other contact",
    DestinationKind.ZONE: "Zone",
}
#: By destination.colour; the style sheet has the colours themselves.
COLOUR_NAMES = ("None", "Teal", "Blue", "Violet", "Pink", "Red", "Orange", "Olive", "Green")
KIND_NAMES = {kind.name.lower(): kind for kind in DestinationKind}  #: as forms and addresses spell them


def read_kind(text: str) -> DestinationKind | None:
    """A kind as a CSV or an address names it: "person", "Other contact". None for anything else."""
    word = " ".join(text.split()).casefold()
    by_label = {label.casefold(): kind for kind, label in KIND_LABELS.items()}
    return KIND_NAMES.get(word) or by_label.get(word)


def read_colour(text: str) -> int | None:
    """A colour by its name; "" for none. None for anything else."""
    word = text.strip().casefold() or "none"
    names = [name.casefold() for name in COLOUR_NAMES]
    return names.index(word) if word in names else None
