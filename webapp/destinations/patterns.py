"""Patterns as people write them, one a line, and back. Used by forms, the CSV of contacts and "test a number".

204                  extension 204 of every phone system
204 at Branch        of that one alone
*97                  a code that is dialled inside
020 7946 0123        a number, in any spelling
+44 1632*            every number that begins so
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, NumberParseException, PhoneNumberFormat

from webapp.destinations.matching import Pattern
from webapp.destinations.models import PatternKind
from webapp.errors import Refused
from webapp.formatting import format_number

_AT = re.compile(r"\s+at\s+", re.IGNORECASE)
_CODE = re.compile(r"[0-9*#]{1,16}")
_NAMED_CODE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,15}")  #: as some phone systems name a queue or a menu
#: What stands between digits: blanks, brackets, dots, dashes of all kinds, and marks that come with copied text.
_BETWEEN = re.compile(r"[\s()./\-\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060\ufeff]")
_BRACKETED_ZERO = re.compile(r"\(\s*0\s*\)")  #: of "+44 (0)20": dialled at home only
_LONGEST_EXTENSION = 6  #: digits: more are a number, unless some phone system says otherwise
_LONGEST_NUMBER = 15  #: digits of an E.164
_SHORTEST_WORD = 3  #: letters that stand for the digits of a number
_PATTERNS_AT_MOST = 500
FIELD = "patterns"


@dataclass(frozen=True)
class Plan:
    """How digits are read. `region`: ISO 3166. `pbxes`: names of phone systems by id. `extension_lengths`: of all."""

    region: str
    pbxes: Mapping[int, str]
    extension_lengths: frozenset[int]


def read_patterns(text: str, plan: Plan, known: Iterable[Pattern] = ()) -> list[Pattern]:
    """The patterns of some lines, each once. Raises Refused with the line that cannot be read.

    `known`: those that were spelt into the text before somebody changed it; an import may have brought thousands.
    """
    spelt = {spell_pattern(pattern, plan): pattern for pattern in known}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if sum(line not in spelt for line in lines) > _PATTERNS_AT_MOST:
        raise Refused(f"Write at most {_PATTERNS_AT_MOST} more numbers, extensions and prefixes at once.", FIELD)
    return list(dict.fromkeys(spelt.get(line) or read_pattern(line, plan) for line in lines))


def read_pattern(line: str, plan: Plan) -> Pattern:
    """Raises Refused for what is no extension, number or prefix."""
    written, *where = _AT.split(line.strip(), maxsplit=1)
    digits = _plain(written)
    if where:
        return Pattern(PatternKind.EXTENSION, _read_code(digits, written, line), _read_pbx(where[0], plan))
    if len(digits) > 1 and digits[-1] == "*" and digits[0] not in "*#":
        return Pattern(PatternKind.PREFIX, _read_prefix(written, line, plan))
    if not _is_inside(digits, plan) and not set("*#") & set(digits):  # libphonenumber would pass over a *
        e164 = read_e164(digits, plan.region)
        if e164 is not None:
            return Pattern(PatternKind.NUMBER, e164[1:])
        if digits.removeprefix("+").isdecimal():
            raise _nonsense(line)
    return Pattern(PatternKind.EXTENSION, _read_code(digits, written, line))


def _plain(text: str) -> str:
    """Without what stands between digits, and with digits of every script as 0 to 9."""
    text = _BETWEEN.sub("", text).replace("\uff0b", "+")
    return "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)


def _is_inside(digits: str, plan: Plan) -> bool:
    return digits.isdecimal() and (len(digits) in plan.extension_lengths or len(digits) <= _LONGEST_EXTENSION)


def _read_code(digits: str, written: str, line: str) -> str:
    """What is dialled inside. A name in it is one word: what holds blanks was to be something else."""
    if _CODE.fullmatch(digits) or _NAMED_CODE.fullmatch(written.strip()):
        return digits
    raise _nonsense(line)


def _nonsense(line: str) -> Refused:
    return Refused(
        f"“{line.strip()[:60]}” is no extension, number or prefix. Write 204, 204 at the name of a phone system, "
        "020 7946 0123 or +44 1632*.",
        FIELD,
    )


def _read_pbx(name: str, plan: Plan) -> int:
    exact = [pbx_id for pbx_id, known in plan.pbxes.items() if known == name.strip()]
    found = exact or [pbx_id for pbx_id, known in plan.pbxes.items() if known.casefold() == name.strip().casefold()]
    if not found:
        raise Refused(f"There is no phone system named {name.strip()[:60]}. Check its name.", FIELD)
    return found[0]


def read_e164(digits: str, region: str) -> str | None:
    """The E.164 of a number in any spelling, or None for what is none, or has an extension behind it.

    Words are spelling too (0800 FLOWERS); one letter or two among digits are a slip.
    """
    if 0 < sum(each.isalpha() for each in digits) < _SHORTEST_WORD:
        return None
    try:
        number = phonenumbers.parse(digits, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or number.extension:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _read_prefix(written: str, line: str, plan: Plan) -> str:
    """E.164 without its plus. A prefix is no number yet, so the dialling codes of the country are taken off by hand."""
    digits = _plain(_BRACKETED_ZERO.sub("", written) if "+" in written else written)[:-1]
    plain = digits.removeprefix("+")
    if not plain.isdecimal() or len(plain) > _LONGEST_NUMBER:
        raise Refused(
            f"“{line.strip()[:60]}” is no prefix. Write the beginning of the numbers that are meant, such as "
            "+44 1632*.",
            FIELD,
        )
    if digits[0] not in "+0" and _is_inside(plain, plan):
        raise Refused(
            f"“{line.strip()[:60]}” may be the beginning of extensions or of numbers. Write extensions one a line, and "
            "the beginning of numbers with its country code, such as +44 1632*.",
            FIELD,
        )
    prefix = plain if digits[0] == "+" else _dialled_abroad(plain, plan.region)
    if not _country_code(prefix):
        raise Refused(
            f"“{line.strip()[:60]}” would name the numbers of many countries. Write at least a whole country code, "
            "such as +44*.",
            FIELD,
        )
    return prefix


def _country_code(digits: str) -> str:
    """With which an E.164 begins, "" where digits begin with none: no code is the beginning of another."""
    codes = (digits[:length] for length in range(1, min(len(digits), 3) + 1))
    return next((code for code in codes if int(code) in COUNTRY_CODE_TO_REGION_CODE), "")


def _dialled_abroad(digits: str, region: str) -> str:
    """With the country code, as it is dialled from everywhere: 01632 -> 441632; in Italy 06 -> 3906."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    if metadata is None:
        return digits
    abroad = re.match(metadata.international_prefix or r"\Z", digits)
    if abroad:
        return digits[abroad.end() :]
    return f"{metadata.country_code}{digits.removeprefix(metadata.national_prefix or '')}"


def spell_pattern(pattern: Pattern, plan: Plan) -> str:
    """The line that read_pattern() reads as this pattern."""
    if pattern.kind == PatternKind.NUMBER:
        e164 = f"+{pattern.digits}"
        spelt = format_number(e164, plan.region)
        # Where extensions are as long as numbers at home are, the country code tells them apart.
        is_told = not _is_inside(_plain(spelt), plan) and read_e164(_plain(spelt), plan.region) == e164
        return spelt if is_told else e164
    if pattern.kind == PatternKind.PREFIX:
        code = _country_code(pattern.digits)
        return f"+{code} {pattern.digits[len(code) :]}*" if len(code) < len(pattern.digits) else f"+{code}*"
    if pattern.pbx_id is None:
        return pattern.digits
    return f"{pattern.digits} at {plan.pbxes.get(pattern.pbx_id, '?')}"


def spell_patterns(patterns: Iterable[Pattern], plan: Plan) -> str:
    return "\n".join(spell_pattern(pattern, plan) for pattern in sorted(patterns, key=lambda each: each.key))
