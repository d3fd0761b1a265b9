"""Which calls a page shows: a CallFilter, read from an address and spelt back into one.

Every value comes from a closed list, is a number or an id; words that were searched for are only named by the key of
their call_search row. A wrong value is told beside its field. Used by the call log, its export and links to it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from webapp.calls.outcomes import MISSED_OUTCOMES, Direction, Outcome
from webapp.calls.periods import BETWEEN, DEFAULT_PERIOD, Period, PeriodError, named_period, period_between
from webapp.database.ids import read_id, spell_id

MISSED = "missed"  #: as an outcome: inbound, no person answered, no voicemail
NEWEST, OLDEST = "newest", "oldest"
DIRECTIONS = {direction.word: direction for direction in Direction}
OUTCOMES = {outcome.word: frozenset({outcome}) for outcome in Outcome} | {MISSED: MISSED_OUTCOMES}
NAMED = ("party", "destination", "search")  #: keys of rows, which the address alone sets
KEYS = ("period", "from", "to", "direction", "outcome", "pbx", "talk_min", "talk_max", *NAMED, "order")
_LONGEST_TALK_SECONDS = 7 * 86_400
_MOST_PBXES = 50
_TALK = re.compile(r"(?:([0-9]{1,4}):)?([0-9]{1,6})")


@dataclass(frozen=True)
class CallFilter:
    """What the reader asked for. Ids are not checked against the organization yet (queries find nothing for others)."""

    period: Period
    direction: Direction | None = None
    outcome: str | None = None  #: a key of OUTCOMES
    pbx_ids: tuple[int, ...] = ()
    talk_min: int | None = None  #: seconds
    talk_max: int | None = None
    party_id: int | None = None  #: took part in whatever role
    destination_id: int | None = None  #: one of its parties took part while it was its
    search_id: int | None = None  #: key of the words searched for
    order: str = NEWEST

    @property
    def newest_first(self) -> bool:
        return self.order == NEWEST

    @property
    def outcomes(self) -> frozenset[Outcome] | None:
        return OUTCOMES[self.outcome] if self.outcome else None

    @property
    def directions(self) -> frozenset[Direction] | None:
        """The directions that can match; missed is a word for calls in only. None: all of them."""
        chosen = None if self.direction is None else frozenset({self.direction})
        if self.outcome != MISSED:
            return chosen
        return frozenset({Direction.INBOUND}) & (chosen or frozenset(Direction))

    @property
    def is_summed(self) -> bool:
        """Whether call_day and call_total tell its counts: they know period, direction, outcome and phone system."""
        asked = (self.talk_min, self.talk_max, self.party_id, self.destination_id, self.search_id)
        return all(each is None for each in asked)

    @property
    def keys(self) -> tuple[tuple[str, int], ...]:
        """The rows that it names, by what an address calls them."""
        named = zip(NAMED, (self.party_id, self.destination_id, self.search_id), strict=True)
        return tuple((key, row_id) for key, row_id in named if row_id is not None)

    @property
    def has_conditions(self) -> bool:
        """Whether anything but the period is asked."""
        return replace(self, order=NEWEST) != CallFilter(self.period)

    def to_query(self) -> list[tuple[str, str]]:
        """Its pairs for an address; what is the default is left out."""
        pairs = [pair for pair in self.period.query if pair != ("period", DEFAULT_PERIOD)]
        if self.direction is not None:
            pairs.append(("direction", self.direction.word))
        if self.outcome:
            pairs.append(("outcome", self.outcome))
        pairs += [("pbx", spell_id(pbx_id)) for pbx_id in self.pbx_ids]
        for key, number in (("talk_min", self.talk_min), ("talk_max", self.talk_max)):
            if number is not None:
                pairs.append((key, str(number)))
        pairs += [(key, spell_id(row_id)) for key, row_id in self.keys]
        if self.order != NEWEST:
            pairs.append(("order", self.order))
        return pairs


@dataclass
class ReadFilter:
    """What came of reading an address: the filter without what was wrong, and a sentence for each wrong field."""

    call_filter: CallFilter
    errors: dict[str, str] = field(default_factory=dict)
    typed: dict[str, str] = field(default_factory=dict)  #: wrong values as they came, to be shown in their fields


def read_filter(arguments: MultiDict[str, str], zone: ZoneInfo, now: datetime) -> ReadFilter:
    """The filter that an address asks for. Never raises on content; unknown keys are passed over."""
    errors: dict[str, str] = {}
    chosen = CallFilter(
        period=_read_period(arguments, zone, now, errors),
        direction=DIRECTIONS.get(_choice("direction", arguments, DIRECTIONS, errors)),
        outcome=_choice("outcome", arguments, OUTCOMES, errors) or None,
        pbx_ids=_read_pbxes(arguments, errors),
        talk_min=_read_talk("talk_min", arguments, errors),
        talk_max=_read_talk("talk_max", arguments, errors),
        party_id=_read_key("party", arguments, errors),
        destination_id=_read_key("destination", arguments, errors),
        search_id=_read_key("search", arguments, errors),
        order=_choice("order", arguments, (NEWEST, OLDEST), errors) or NEWEST,
    )
    if chosen.talk_min is not None and chosen.talk_max is not None and chosen.talk_min > chosen.talk_max:
        errors["talk_max"] = "The longest talk is shorter than the shortest. Give a larger number."
        chosen = replace(chosen, talk_max=None)
    return ReadFilter(chosen, errors, {key: arguments.get(key, "")[:100] for key in errors})


def _read_period(arguments: MultiDict[str, str], zone: ZoneInfo, now: datetime, errors: dict[str, str]) -> Period:
    name, first, last = (arguments.get(key, "").strip() for key in ("period", "from", "to"))
    try:
        if name not in ("", BETWEEN):
            return named_period(name, zone, now)
        if first or last or name:
            return period_between(first, last, zone, now)
    except PeriodError as error:
        errors[error.field] = str(error)
    return named_period(DEFAULT_PERIOD, zone, now)


def _choice(key: str, arguments: MultiDict[str, str], words: Collection[str], errors: dict[str, str]) -> str:
    value = arguments.get(key, "")
    if value and value not in words:
        errors[key] = "There is no such choice. Take one of the list."
        return ""
    return value


def _read_pbxes(arguments: MultiDict[str, str], errors: dict[str, str]) -> tuple[int, ...]:
    texts = [text for text in arguments.getlist("pbx") if text]
    try:
        ids = tuple(sorted({read_id(text) for text in texts[: _MOST_PBXES + 1]}))
    except ValueError:
        errors["pbx"] = "There is no such phone system. Take one of the list."
        return ()
    if len(ids) > _MOST_PBXES:
        errors["pbx"] = f"Choose at most {_MOST_PBXES} phone systems, or none for all."
        return ()
    return ids


def _read_talk(key: str, arguments: MultiDict[str, str], errors: dict[str, str]) -> int | None:
    text = arguments.get(key, "").strip()
    if not text:
        return None
    shape = _TALK.fullmatch(text)
    seconds = int(shape[1] or 0) * 60 + int(shape[2]) if shape else -1
    if shape is None or seconds > _LONGEST_TALK_SECONDS or (shape[1] and int(shape[2]) > 59):
        errors[key] = "Give seconds, or minutes and seconds, like 90 or 1:30."
        return None
    return seconds


def _read_key(key: str, arguments: MultiDict[str, str], errors: dict[str, str]) -> int | None:
    text = arguments.get(key, "")
    if not text:
        return None
    try:
        return read_id(text)
    except ValueError:
        errors[key] = "This part of the address is damaged. Take it off, or search again."
        return None
