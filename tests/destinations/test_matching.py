"""The longest pattern wins at every moment: dated turns against a search that tries every pattern, one by one."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from webapp.destinations.matching import (
    Matcher,
    PartyNumber,
    Pattern,
    Turn,
    keys_met,
    list_matches,
    list_turns,
    pattern_of_key,
)
from webapp.destinations.models import PartyKind, PatternKind

#: Few digits, few phone systems, few moments: so that patterns meet, shadow each other and begin at once.
few_digits = st.text("12", min_size=1, max_size=5)
few_systems = st.sampled_from([7, 8])
moments = st.integers(0, 6)
destinations = st.none() | st.integers(100, 103)

patterns = st.one_of(
    st.builds(Pattern, st.just(PatternKind.EXTENSION), few_digits, st.none() | few_systems),
    st.builds(Pattern, st.sampled_from([PatternKind.NUMBER, PatternKind.PREFIX]), few_digits, st.none()),
)
parties = st.one_of(
    st.builds(PartyNumber, st.just(PartyKind.OUTSIDE), few_digits, st.none()),
    st.builds(
        PartyNumber, st.sampled_from([PartyKind.EXTENSION, PartyKind.SERVICE, PartyKind.OTHER]), few_digits, few_systems
    ),
)
histories = st.dictionaries(patterns, st.dictionaries(moments, destinations, min_size=1, max_size=4), max_size=12)


def meets(pattern: Pattern, party: PartyNumber) -> bool:
    """In plain words what a pattern names, with no keys in it."""
    if party.kind == PartyKind.OUTSIDE:
        if pattern.kind == PatternKind.PREFIX:
            return party.digits.startswith(pattern.digits)
        return pattern.kind == PatternKind.NUMBER and party.digits == pattern.digits
    is_here = pattern.kind == PatternKind.EXTENSION and pattern.digits == party.digits
    return is_here and pattern.pbx_id in (None, party.pbx_id)


def how_special(pattern: Pattern) -> tuple[bool, bool, int]:
    return (pattern.kind == PatternKind.NUMBER, pattern.pbx_id is not None, len(pattern.digits))


def search(party: PartyNumber, written: dict[Pattern, dict[int, int | None]], at: int) -> int | None:
    """Whose the party is at a moment, by trying every pattern."""
    winner: tuple[tuple[bool, bool, int], int] | None = None
    for pattern, turns in written.items():
        begun = [moment for moment in turns if moment <= at]
        holder = turns[max(begun)] if begun else None
        if holder is None or not meets(pattern, party):
            continue
        if winner is None or how_special(pattern) > winner[0]:
            winner = how_special(pattern), holder
    return winner[1] if winner else None


def known_of(written: dict[Pattern, dict[int, int | None]]) -> dict[str, list[Turn]]:
    return {pattern.key: [Turn(*turn) for turn in turns.items()] for pattern, turns in written.items()}


@given(party=parties, written=histories)
def test_the_turns_are_what_a_search_finds_at_every_moment(
    party: PartyNumber, written: dict[Pattern, dict[int, int | None]]
) -> None:
    turns = list_turns(party, known_of(written))
    for at in range(-1, 9):
        begun = [turn for turn in turns if turn.from_ms <= at]
        assert (begun[-1].destination_id if begun else None) == search(party, written, at)
    assert [turn.from_ms for turn in turns] == sorted({turn.from_ms for turn in turns})
    holders = [None, *(turn.destination_id for turn in turns)]
    assert all(one != next_one for one, next_one in pairwise(holders))


@given(some=st.lists(parties, max_size=20), written=histories)
def test_many_parties_get_what_each_would_get_alone(
    some: list[PartyNumber], written: dict[Pattern, dict[int, int | None]]
) -> None:
    matcher = Matcher(known_of(written))
    assert [matcher.list_turns(party) for party in some] == [list_turns(party, known_of(written)) for party in some]


@given(party=parties, written=histories, at=moments)
def test_the_first_match_that_has_a_holder_is_the_winner(
    party: PartyNumber, written: dict[Pattern, dict[int, int | None]], at: int
) -> None:
    matches = list_matches(party, known_of(written), at)
    assert {match.key for match in matches} == {pattern.key for pattern in written if meets(pattern, party)}
    holders = [match.destination_id for match in matches if match.destination_id is not None]
    assert (holders[0] if holders else None) == search(party, written, at)


@given(party=parties, pattern=patterns)
def test_a_party_meets_the_keys_of_the_patterns_that_name_it(party: PartyNumber, pattern: Pattern) -> None:
    assert (pattern.key in keys_met(party)) == meets(pattern, party)


@given(pattern=patterns)
def test_a_key_says_which_pattern_it_is_of(pattern: Pattern) -> None:
    assert pattern_of_key(pattern.key) == pattern
