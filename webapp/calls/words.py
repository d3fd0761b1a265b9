"""The words and shapes in which pages show a call: its direction, its outcome, who took part.

Read by the call log, one call's page, the overview and the export. Nothing here asks the database.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from webapp.calls.models import CallerReason
from webapp.calls.outcomes import Direction, Outcome, is_missed
from webapp.destinations.masking import mask_digits, mask_name, mask_number, mask_text, masked_party
from webapp.destinations.models import Destination, DestinationKind, Party, PartyKind
from webapp.destinations.zones import tell_zone
from webapp.formatting import format_number
from webapp.tenancy.reader import Reader

DIRECTION_LABELS = {
    Direction.INBOUND: "Inbound",
    Direction.OUTBOUND: "Outbound",
    Direction.INTERNAL: "Internal",
    Direction.UNKNOWN: "Direction unknown",
}
OUTCOME_LABELS = {
    "answered": "Answered",
    "missed": "Missed",
    "voicemail": "Voicemail",
    "no_answer": "No answer",
    "busy": "Busy",
    "cancelled": "Cancelled",
    "failed": "Failed",
    "unknown": "Unknown",
}
MISSED_MEANING = "An outside call in that no person answered and that left no voicemail."
NO_CALLER = {
    CallerReason.KNOWN: "",
    CallerReason.WITHHELD: "Withheld number",
    CallerReason.NOT_GIVEN: "No number given",
}


class ShownOutcome(NamedTuple):
    """`word` names the shape in components/outcome.html; `note` says more where the label is coarser than the fact."""

    word: str
    label: str
    note: str = ""


class ShownDestination(NamedTuple):
    """Whose a party was as the call began. `colour`: of its mark, 0 for none; `kind`: a DestinationKind."""

    id: int
    colour: int
    kind: int


class ShownParty(NamedTuple):
    """Who took part, in two lines: `title` (the name, else the number) and `detail` (the number, or what it is).

    `number` is the number or extension as people of the organization write it, `e164` its full form or "". The name is
    that of the destination, where one held the party as the call began, else what phone systems say.
    """

    id: int | None
    title: str
    detail: str
    number: str
    e164: str
    name: str = ""
    destination: ShownDestination | None = None
    zone: str = ""  #: of an outside number: its place, kind of line, country


NOBODY = ShownParty(None, "", "", "", "")
#: Whoever took part besides, for a reader who sees the calls of some extensions only.
COLLEAGUE = ShownParty(None, "A colleague", "", "", "")


def show_outcome(direction: Direction, outcome: Outcome) -> ShownOutcome:
    """An outcome as pages show it: an outside call in that nobody took is missed, whatever the phone system said."""
    if is_missed(direction, outcome):
        return ShownOutcome("missed", OUTCOME_LABELS["missed"], OUTCOME_LABELS[outcome.word].lower())
    return ShownOutcome(outcome.word, OUTCOME_LABELS[outcome.word])


def show_caller(party: ShownParty | None, reason: CallerReason) -> ShownParty:
    """The caller, or the words for why there is none."""
    return party or ShownParty(None, NO_CALLER[reason], "", "", "")


#: Both for the plain numbers in which a page reads its calls: (direction, outcome) and the reason.
SHOWN_OUTCOMES = {
    (int(direction), int(outcome)): (direction, show_outcome(direction, outcome))
    for direction in Direction
    for outcome in Outcome
}
SHOWN_NO_CALLER = {int(reason): show_caller(None, reason) for reason in CallerReason}


def show_party(party: Party, region: str, reader: Reader, holder: Destination | None = None) -> ShownParty:
    """A party as people of `region` read it; `holder` is whose it was as the call began."""
    return _show(facts_of(party, holder), region, reader.is_masked)


class PartyFacts(NamedTuple):
    """What is read of a party to show it."""

    id: int
    kind: int
    e164: str | None
    digits: str
    region: str
    line_type: int
    name: str
    place: str | None = None
    holder_id: int | None = None  #: of the destination that held it as the call began
    holder_kind: int | None = None
    holder_colour: int | None = None
    holder_name: str | None = None


def facts_of(party: Party, holder: Destination | None = None) -> PartyFacts:
    """The same of rows that have been read."""
    its_own = (party.id, party.kind, party.e164, party.digits, party.region, party.line_type, party.name, party.place)
    if holder is None:
        return PartyFacts(*its_own)
    return PartyFacts(*its_own, holder.id, holder.kind, holder.colour, holder.name)


@lru_cache(maxsize=4_000)
def show_known_party(facts: tuple[Any, ...], region: str, masked: bool) -> ShownParty:
    """The same of PartyFacts, as a plain tuple. They alone decide, so it is worked out once: pages show the same
    people and customers again and again.
    """
    return _show(PartyFacts(*facts), region, masked)


def _show(party: PartyFacts, region: str, masked: bool) -> ShownParty:
    number, e164, name = _write(party, region, masked), party.e164 or "", name_of(party, masked)
    if masked and masked_party(party.kind, party.digits):
        e164 = mask_number(e164)
    zone = ""
    if party.kind == PartyKind.OUTSIDE:
        zone = tell_zone(party.region, party.line_type, party.place, region)
    else:
        number = f"ext {party.digits}" if party.kind == PartyKind.EXTENSION and name else number
    if party.kind == PartyKind.EXTENSION and not name:
        return ShownParty(party.id, f"Extension {party.digits}", "", party.digits, "")
    title, detail = (name, number) if name else (number, zone)
    held = None
    if party.holder_id is not None:
        held = ShownDestination(party.holder_id, party.holder_colour or 0, party.holder_kind or 0)
    return ShownParty(party.id, title, detail, number, e164, name, held, zone)


def name_of(party: PartyFacts, masked: bool) -> str:
    """The name of whoever held the party, else what phone systems say. A masked reader sees names of the house as they
    are; in others a number may stand.
    """
    if not party.holder_name or not party.holder_kind:
        return mask_name(party.name, party.digits) if masked and masked_party(party.kind, party.digits) else party.name
    if masked and DestinationKind(party.holder_kind).is_outside:
        return mask_name(party.holder_name, party.digits)
    return party.holder_name


def name_destination(destination: Destination, reader: Reader) -> str:
    """The name of a destination that stands by itself."""
    return mask_text(destination.name) if reader.is_masked and destination.kind.is_outside else destination.name


def write_number(party: Party, region: str, reader: Reader) -> str:
    """The number or extension as people of `region` write it, masked where the reader sees it so."""
    return _write(party, region, reader.is_masked)


def _write(party: Party | PartyFacts, region: str, masked: bool) -> str:
    number = format_number(party.e164, region) if party.e164 else party.digits
    return mask_digits(party.kind, number) if masked and masked_party(party.kind, party.digits) else number
