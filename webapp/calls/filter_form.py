"""The filter form of the call log: its fields with what is chosen, and what it posts.

It is posted, not fetched, because digits that somebody searches for must not stand in an address. Used by views.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from werkzeug.datastructures import MultiDict

from webapp.calls.asked import Asked
from webapp.calls.filters import KEYS, MISSED, NAMED
from webapp.calls.outcomes import Direction, Outcome
from webapp.calls.periods import BETWEEN, DEFAULT_PERIOD, PERIOD_LABELS, local_day
from webapp.calls.searches import SearchWords
from webapp.calls.words import DIRECTION_LABELS, OUTCOME_LABELS
from webapp.database.ids import spell_id
from webapp.destinations.search_words import clean_words

_MONTHS_OFFERED = 13
_LONGEST_VALUE = 40
_LISTS_KEPT = 64
_FOLDED = ("from", "to", "talk_min", "talk_max", "pbx")
_PERIODS_OFFERED = {**PERIOD_LABELS, BETWEEN: "From … to …"}
_DIRECTIONS_OFFERED = (Direction.INBOUND, Direction.OUTBOUND, Direction.INTERNAL, Direction.UNKNOWN)
_OUTCOMES_OFFERED = (Outcome.ANSWERED, Outcome.VOICEMAIL, Outcome.NO_ANSWER, Outcome.BUSY, Outcome.CANCELLED)


@dataclass(frozen=True)
class Choice:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class FilterForm:
    """Finished values for the fields, by their names; `errors` beside them, `other_errors` belong to none."""

    words: SearchWords
    periods: Sequence[Choice]
    months: Sequence[Choice]
    directions: Sequence[Choice]
    outcomes: Sequence[Choice]
    pbxes: Sequence[Choice]
    values: Mapping[str, str]
    hidden: Sequence[tuple[str, str]]
    errors: Mapping[str, str]
    other_errors: Sequence[str]

    @property
    def is_open(self) -> bool:
        """Whether the fold with further filters shows: something in it is wrong. What is set in it, the chips tell."""
        return not self.errors.keys().isdisjoint(_FOLDED)


def filter_form(asked: Asked) -> FilterForm:
    """The form as the request filled it in; wrong values stay as they were typed."""
    chosen, errors = asked.call_filter, asked.errors
    between = dict(chosen.period.query) if chosen.period.name == BETWEEN else {}
    values = {
        "from": between.get("from", ""),
        "to": between.get("to", ""),
        "talk_min": "" if chosen.talk_min is None else str(chosen.talk_min),
        "talk_max": "" if chosen.talk_max is None else str(chosen.talk_max),
        **asked.read.typed,
    }
    period = BETWEEN if {"from", "to"} & errors.keys() else chosen.period.name
    hidden = [("was", period), ("order", chosen.order), *((key, spell_id(row_id)) for key, row_id in chosen.keys)]
    return FilterForm(
        words=asked.words or SearchWords(),
        periods=_periods(period),
        months=_months(asked, period),
        directions=_directions(chosen.direction),
        outcomes=_outcomes(chosen.outcome),
        pbxes=[Choice(spell_id(pbx.id), pbx.name, pbx.id in chosen.pbx_ids) for pbx in asked.pbxes],
        values=values,
        hidden=hidden,
        errors=errors,
        other_errors=[sentence for key, sentence in errors.items() if key in (*NAMED, "after", "above", "order")],
    )


@lru_cache(maxsize=_LISTS_KEPT)
def _periods(period: str) -> Sequence[Choice]:
    """What each list offers is made once for each of its choices."""
    return [Choice(name, label, name == period) for name, label in _PERIODS_OFFERED.items()]


@lru_cache(maxsize=_LISTS_KEPT)
def _directions(chosen: Direction | None) -> Sequence[Choice]:
    ways = (Choice(way.word, DIRECTION_LABELS[way], way == chosen) for way in _DIRECTIONS_OFFERED)
    return [Choice("", "Any direction", chosen is None), *ways]


@lru_cache(maxsize=_LISTS_KEPT)
def _outcomes(chosen: str | None) -> Sequence[Choice]:
    outcomes = (Choice(word, OUTCOME_LABELS[word], word == chosen) for word in _outcome_words())
    return [Choice("", "Any outcome", not chosen), *outcomes]


def _months(asked: Asked, period: str) -> list[Choice]:
    """The last months by name, and the one chosen if it is none of them."""
    months = _last_months(local_day(asked.present, asked.zone).replace(day=1))
    found = [Choice(month, label, month == period) for month, label in months]
    if period != BETWEEN and period not in PERIOD_LABELS and not any(choice.chosen for choice in found):
        found.append(Choice(period, asked.call_filter.period.words, True))
    return found


@lru_cache(maxsize=4)
def _last_months(first: date) -> list[tuple[str, str]]:
    """The months up to the one that begins on this day: how an address spells them, and their names."""
    found = []
    for _turn in range(_MONTHS_OFFERED):
        found.append((f"{first:%Y-%m}", f"{first:%B %Y}"))
        first = (first - timedelta(days=1)).replace(day=1)
    return found


def _outcome_words() -> list[str]:
    words = [outcome.word for outcome in (*_OUTCOMES_OFFERED, Outcome.FAILED, Outcome.UNKNOWN)]
    words.insert(1, MISSED)
    return words


def posted_words(form: MultiDict[str, str]) -> SearchWords:
    """The words that were typed."""
    return SearchWords(*(clean_words(form.get(key, "")) for key in ("words", "caller", "callee")))


def posted_pairs(form: MultiDict[str, str]) -> list[tuple[str, str]]:
    """The other fields as they go into an address; what is wrong in them is told there, beside its field.

    A period taken from the list wins over days that were typed before; days that were typed win over an old period.
    """
    values = [(key, text.strip()[:_LONGEST_VALUE]) for key in KEYS if key != "search" for text in form.getlist(key)]
    period = form.get("period", "")
    if period != form.get("was", "") and period != BETWEEN:
        values = [pair for pair in values if pair[0] not in ("from", "to")]
    elif form.get("from") or form.get("to"):
        values = [pair for pair in values if pair[0] != "period"]
    defaults = {("period", DEFAULT_PERIOD), ("order", "newest")}
    return [pair for pair in values if pair[1] and pair not in defaults]
