"""Which pattern a number or extension meets, and whose it therefore is, from when on. Pure: nothing here asks anybody.

A pattern is known by its key; the turns of a key say whose it is from when on. A party meets several keys, and at each
moment the most specific one that is somebody's decides: the number itself, or the extension of one phone system, then
that of all, then the longest prefix. Used by holders.py and by ingest/parties.py, which store the answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from webapp.destinations.models import PartyKind, PatternKind

ALWAYS_MS = 0  #: from_at of what holds as far back as calls go
EVERY_PBX = "*"


class Pattern(NamedTuple):
    """By what a destination is recognised. `digits`: E.164 without its plus, or as it is dialled inside.

    `pbx_id`: of an extension the one phone system that is meant, None for all of them.
    """

    kind: PatternKind
    digits: str
    pbx_id: int | None = None

    @property
    def key(self) -> str:
        """Its pattern_key: "+441632960123", "+441632*", "<pbx id>:204" or "*:204"."""
        if self.kind == PatternKind.NUMBER:
            return f"+{self.digits}"
        if self.kind == PatternKind.PREFIX:
            return f"+{self.digits}*"
        return f"{EVERY_PBX if self.pbx_id is None else self.pbx_id}:{self.digits}"


def pattern_of_key(key: str) -> Pattern:
    """The pattern that has this pattern_key."""
    if key[0] != "+":
        pbx_id, digits = key.split(":", 1)
        return Pattern(PatternKind.EXTENSION, digits, None if pbx_id == EVERY_PBX else int(pbx_id))
    if key[-1] == "*":
        return Pattern(PatternKind.PREFIX, key[1:-1])
    return Pattern(PatternKind.NUMBER, key[1:])


class PartyNumber(NamedTuple):
    """What of a party decides which patterns it meets: the columns of the same names."""

    kind: int
    digits: str
    pbx_id: int | None


class Turn(NamedTuple):
    """From `from_ms` on (milliseconds since 1970) it is this destination's; None: nobody's."""

    from_ms: int
    destination_id: int | None


class Match(NamedTuple):
    """One of the keys that a party meets, and whose it is at the moment that was asked about."""

    key: str
    destination_id: int | None


def keys_met(party: PartyNumber) -> list[str]:
    """The keys that would name a party, the most specific first. As Pattern.key has them: an import asks this often."""
    digits = party.digits
    if party.kind != PartyKind.OUTSIDE:
        return [f"{EVERY_PBX if pbx_id is None else pbx_id}:{digits}" for pbx_id in dict.fromkeys((party.pbx_id, None))]
    return [f"+{digits}", *(f"+{digits[:length]}*" for length in range(len(digits), 0, -1))]


def list_turns(party: PartyNumber, known: Mapping[str, Sequence[Turn]]) -> list[Turn]:
    """Whose a party is, from when on: in order of time, no two alike in a row. `known`: the turns of each key."""
    return merge_turns([known[key] for key in keys_met(party) if key in known])


def merge_turns(histories: Iterable[Sequence[Turn]]) -> list[Turn]:
    """The same of histories, the most specific first: at each moment the first that has a holder then decides."""
    ordered = [sorted(history, key=_begins) for history in histories]
    found: list[Turn] = []
    for moment in sorted({turn.from_ms for history in ordered for turn in history}):
        holders = (_holder_at(history, moment) for history in ordered)
        holder = next((each for each in holders if each is not None), None)
        if holder != (found[-1].destination_id if found else None):
            found.append(Turn(moment, holder))
    return found


class Matcher:
    """Works out whose many parties are by the same patterns: most meet the same few keys, so each answer is kept."""

    def __init__(self, known: Mapping[str, Sequence[Turn]]) -> None:
        self._known = known
        self._lengths = sorted({len(key) - 2 for key in known if _is_prefix(key)}, reverse=True)
        self._answers: dict[tuple[str, ...], list[Turn]] = {}

    def list_turns(self, party: PartyNumber) -> list[Turn]:
        """As list_turns()."""
        known = self._known
        met = tuple([key for key in self._keys_met(party) if key in known])
        answer = self._answers.get(met)
        if answer is None:
            answer = self._answers[met] = merge_turns([known[key] for key in met])
        return answer

    def _keys_met(self, party: PartyNumber) -> list[str]:
        """As keys_met(), without the lengths that no prefix has."""
        if party.kind != PartyKind.OUTSIDE:
            return keys_met(party)
        digits = party.digits
        return [f"+{digits}", *[f"+{digits[:length]}*" for length in self._lengths if length <= len(digits)]]


def _is_prefix(key: str) -> bool:
    return key[0] == "+" and key[-1] == "*"


def list_matches(party: PartyNumber, known: Mapping[str, Sequence[Turn]], at_ms: int) -> list[Match]:
    """The keys that a party meets and that somebody has written, the most specific first: the first holder wins."""
    return [Match(key, holder_at(known[key], at_ms)) for key in keys_met(party) if key in known]


def holder_at(turns: Iterable[Turn], at_ms: int) -> int | None:
    """Whose it is at a moment, by turns in whatever order."""
    return _holder_at(sorted(turns, key=_begins), at_ms)


def _begins(turn: Turn) -> int:
    return turn.from_ms


def _holder_at(history: Sequence[Turn], at_ms: int) -> int | None:
    begun = [turn for turn in history if turn.from_ms <= at_ms]
    return begun[-1].destination_id if begun else None
