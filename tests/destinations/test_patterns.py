"""Patterns as people write them: every spelling, nonsense refused with a sentence, and spelt as they are read."""

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from webapp.destinations.matching import Pattern
from webapp.destinations.models import PatternKind
from webapp.destinations.patterns import Plan, read_pattern, read_patterns, spell_pattern, spell_patterns
from webapp.errors import Refused

HEAD, BRANCH, ODD = 7, 8, 9
SYSTEMS = {HEAD: "Head office", BRANCH: "Branch", ODD: "Till at the quay"}


def plan(region: str = "GB", *lengths: int) -> Plan:
    return Plan(region, SYSTEMS, frozenset(lengths or (3,)))


def extension(digits: str, pbx_id: int | None = None) -> Pattern:
    return Pattern(PatternKind.EXTENSION, digits, pbx_id)


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("204", extension("204")),
        ("  2 04 ", extension("204")),
        ("٢٠٤", extension("204")),
        ("999", extension("999")),
        ("*97", extension("*97")),
        ("#31#", extension("#31#")),
        ("*0000", extension("*0000")),
        ("*", extension("*")),
        ("sales", extension("sales")),
        ("204 at Branch", extension("204", BRANCH)),
        ("204 AT head OFFICE", extension("204", HEAD)),
        ("204  at  Till at the quay ", extension("204", ODD)),
        ("s at Branch", extension("s", BRANCH)),
        ("12345678 at Branch", extension("12345678", BRANCH)),
    ],
)
def test_extensions_and_codes(line: str, pattern: Pattern) -> None:
    assert read_pattern(line, plan()) == pattern


@pytest.mark.parametrize(
    ("region", "line", "digits"),
    [
        ("GB", "020 7946 0123", "442079460123"),
        ("GB", "(020) 7946-0123", "442079460123"),
        ("GB", "020\u00a07946\u202f0123", "442079460123"),
        ("GB", "\u202a+44 20 7946\u20110123\u202c", "442079460123"),
        ("GB", "+44 (0)20 7946 0123", "442079460123"),
        ("GB", "0044 20 7946 0123", "442079460123"),
        ("GB", "+33 1 99 00 12 34", "33199001234"),
        ("GB", "0800 FLOWERS", "448003569377"),
        ("US", "(212) 555-0123", "12125550123"),
        ("US", "1-212-555-0123", "12125550123"),
        ("US", "011 44 20 7946 0123", "442079460123"),
        ("DE", "030 123456", "4930123456"),
        ("DE", "0049 30 / 123456", "4930123456"),
        ("IT", "06 6982 1234", "390669821234"),
        ("IT", "+39 06 6982 1234", "390669821234"),
        ("IT", "0039 06 69821234", "390669821234"),
        ("IT", "312 345 6789", "393123456789"),
    ],
)
def test_numbers_in_the_spellings_of_a_country(region: str, line: str, digits: str) -> None:
    assert read_pattern(line, plan(region)) == Pattern(PatternKind.NUMBER, digits)


@pytest.mark.parametrize(
    ("region", "line", "digits"),
    [
        ("GB", "+44 1632*", "441632"),
        ("GB", "+44 (0)1632 *", "441632"),
        ("GB", "01632*", "441632"),
        ("GB", "(01632) 96*", "44163296"),
        ("GB", "0044 1632*", "441632"),
        ("GB", "00 33 1*", "331"),
        ("GB", "0*", "44"),
        ("GB", "+1*", "1"),
        ("US", "+1 212*", "1212"),
        ("US", "1 212 555*", "1212555"),
        ("US", "011 44*", "44"),
        ("DE", "030*", "4930"),
        ("IT", "06*", "3906"),
        ("IT", "+39 06*", "3906"),
        ("IT", "0039 06*", "3906"),
    ],
)
def test_prefixes_in_the_spellings_of_a_country(region: str, line: str, digits: str) -> None:
    assert read_pattern(line, plan(region)) == Pattern(PatternKind.PREFIX, digits)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Hello there", "“Hello there” is no extension, number or prefix"),
        ("020 7946 O123", "is no extension, number or prefix"),
        ("020 7946 0123 x204", "is no extension, number or prefix"),
        ("at Branch", "is no extension, number or prefix"),
        ("0123456789012345678901", "is no extension, number or prefix"),
        ("+44", "is no extension, number or prefix"),
        ("()", "is no extension, number or prefix"),
        ("=204", "is no extension, number or prefix"),
        ("204 at Nowhere", "There is no phone system named Nowhere"),
        ("Ann at Branch Nord", "There is no phone system named Branch Nord"),
        ("+*", "is no prefix"),
        ("+44 16x2*", "is no prefix"),
        ("+4412345678901234*", "is no prefix"),
        ("2*", "may be the beginning of extensions or of numbers"),
        ("+4*", "would name the numbers of many countries"),
        ("00*", "would name the numbers of many countries"),
        ("+0*", "would name the numbers of many countries"),
    ],
)
def test_nonsense_is_refused_with_what_to_do(line: str, words: str) -> None:
    with pytest.raises(Refused, match=r"Write|Check") as refusal:
        read_pattern(line, plan())
    assert words in str(refusal.value) and refusal.value.field == "patterns"


def test_lines_are_read_one_by_one_and_each_pattern_once() -> None:
    text = "204\n\n 204 at Branch \n020 7946 0123\r\n+44 20 7946 0123\n"
    number = Pattern(PatternKind.NUMBER, "442079460123")
    assert read_patterns(text, plan()) == [extension("204"), extension("204", BRANCH), number]


def test_too_many_lines_are_refused() -> None:
    lines = [str(turn) for turn in range(100, 601)]
    assert len(read_patterns("\n".join(lines[:500]), plan())) == 500
    with pytest.raises(Refused, match="at most 500"):
        read_patterns("\n".join(lines), plan())


def test_long_extensions_are_extensions_and_numbers_of_that_length_say_their_country() -> None:
    eight = plan("DK", 8)
    assert read_pattern("32 12 34 56", eight) == extension("32123456")
    number = Pattern(PatternKind.NUMBER, "4532123456")
    assert read_pattern("+45 32 12 34 56", eight) == number == read_pattern("32 12 34 56", plan("DK"))
    assert (spell_pattern(number, eight), spell_pattern(number, plan("DK"))) == ("+4532123456", "32 12 34 56")


def test_patterns_are_spelt_as_people_write_them() -> None:
    patterns = [
        Pattern(PatternKind.PREFIX, "441632"),
        Pattern(PatternKind.NUMBER, "442079460123"),
        extension("204", BRANCH),
        extension("*97"),
    ]
    assert spell_patterns(patterns, plan()).split("\n") == ["*97", "+44 1632*", "020 7946 0123", "204 at Branch"]


regions = st.sampled_from(["GB", "US", "DE", "IT", "FR", "ES", "HU", "RU", "AR", "MX", "AU", "BR", "SG"])
plans = st.builds(plan, regions, st.integers(1, 9))
ends = st.text("0123456789", min_size=4, max_size=4)


@st.composite
def numbers(draw: st.DrawFn) -> Pattern:
    """A real number of some country with other last digits, as a party would have it."""
    example = phonenumbers.example_number_for_type(draw(regions), draw(st.sampled_from([0, 1, 3])))
    assume(example is not None)
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    number = phonenumbers.parse(e164[:-4] + draw(ends))
    assume(phonenumbers.is_possible_number(number))
    return Pattern(PatternKind.NUMBER, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:])


patterns = st.one_of(
    numbers(),
    st.builds(Pattern, st.just(PatternKind.PREFIX), st.from_regex(r"\A(44|1|39|49|358)[0-9]{0,8}\Z"), st.none()),
    st.builds(extension, st.from_regex(r"\A([0-9]{1,6}|\*[0-9]{1,4}|#[0-9]{2}#|[a-z][a-z0-9]{0,9})\Z")),
    st.builds(extension, st.from_regex(r"\A[0-9]{1,12}\Z"), st.sampled_from(list(SYSTEMS))),
)


@given(pattern=patterns, of=plans)
def test_what_is_spelt_is_read_as_the_same(pattern: Pattern, of: Plan) -> None:
    assert read_pattern(spell_pattern(pattern, of), of) == pattern


@given(line=st.text(max_size=40), of=plans)
def test_whatever_is_written_is_read_or_refused(line: str, of: Plan) -> None:
    try:
        pattern = read_pattern(line, of)
    except Refused:
        return
    assert pattern.digits.isascii() and pattern.digits
    assert read_pattern(spell_pattern(pattern, of), of) == pattern
