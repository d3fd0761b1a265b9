"""Patterns as people write them, one a line, and back. Used by forms, the CSV of contacts and "test a number".

204                  extension 204 of every phone system
204 at Branch        of that one alone
*97                  a code that is dialled inside
020 7946 0123        a number, in any spelling
+44 1632*            every number that begins so
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from webapp.destinations.matching import Pattern
from webapp.destinations.models import PatternKind
from webapp.errors import Refused
from webapp.formatting import format_number

_AT = re.compile(r"\s+at\s+", re.IGNORECASE)
_CODE = re.compile(r"[0-9A-Za-z*#]{1,16}")
_SPACES = re.compile(r"[\s()./\-\u00a0]")
_LONGEST_EXTENSION = 6  #: digits: more are a number, unless some phone system says otherwise
_LONGEST_NUMBER = 15  #: digits of an E.164
_PATTERNS_AT_MOST = 500
FIELD = "patterns"


@dataclass(frozen=True)
class Plan:
    """How digits are read. `region`: ISO 3166. `pbxes`: names of phone systems by id. `extension_lengths`: of all."""

    region: str
    pbxes: Mapping[int, str]
    extension_lengths: frozenset[int]


def read_patterns(text: str, plan: Plan) -> list[Pattern]:
    """The patterns of some lines, each once. Raises Refused with the line that cannot be read."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _PATTERNS_AT_MOST:
        raise Refused(f"Write at most {_PATTERNS_AT_MOST} numbers, extensions and prefixes.", FIELD)
    return list(dict.fromkeys(read_pattern(line, plan) for line in lines))


def read_pattern(line: str, plan: Plan) -> Pattern:
    """Raises Refused for what is no extension, number or prefix."""
    written, *where = _AT.split(line, maxsplit=1)
    digits = _SPACES.sub("", written)
    pbx_id = _read_pbx(where[0], plan) if where else None
    if digits.endswith("*") and digits[:1] not in ("*", "#") and len(digits) > 1 and pbx_id is None:
        return Pattern(PatternKind.PREFIX, _read_prefix(digits[:-1], line, plan))
    if pbx_id is None and not _is_inside(digits, plan):
        e164 = read_e164(digits, plan.region)
        if e164 is not None:
            return Pattern(PatternKind.NUMBER, e164[1:])
    is_number = digits.removeprefix("+").isdecimal() and not _is_inside(digits, plan)
    if (is_number and pbx_id is None) or not _CODE.fullmatch(digits):
        raise Refused(
            f"“{line[:60]}” is no extension, number or prefix. Write 204, 204 at the name of a phone system, "
            "020 7946 0123 or +44 1632*.",
            FIELD,
        )
    return Pattern(PatternKind.EXTENSION, digits, pbx_id)


def _is_inside(digits: str, plan: Plan) -> bool:
    if digits.startswith("+") or not digits.isdecimal():
        return False
    return len(digits) in plan.extension_lengths or len(digits) <= _LONGEST_EXTENSION


def _read_pbx(name: str, plan: Plan) -> int:
    for pbx_id, known in plan.pbxes.items():
        if known.casefold() == name.strip().casefold():
            return pbx_id
    raise Refused(f"There is no phone system named {name.strip()[:60]}. Check its name.", FIELD)


def read_e164(digits: str, region: str) -> str | None:
    """The E.164 of a number in any spelling, or None for what is none."""
    try:
        number = phonenumbers.parse(digits, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def _read_prefix(digits: str, line: str, plan: Plan) -> str:
    """E.164 without its plus. A prefix is no number yet, so the dialling codes of the country are taken off by hand."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(plan.region)
    plain = digits.removeprefix("+")
    if not plain.isdecimal() or not plain or len(plain) > _LONGEST_NUMBER:
        raise Refused(
            f"“{line[:60]}” is no prefix. Write the beginning of the numbers that are meant, such as +44 1632*.", FIELD
        )
    if digits.startswith("+") or metadata is None:
        return plain
    abroad = re.match(metadata.international_prefix or r"\Z", plain)
    if abroad and len(plain) > abroad.end():
        return plain[abroad.end() :]
    home = metadata.national_prefix or ""
    national = plain.removeprefix(home) if home and len(plain) > len(home) else plain
    return f"{metadata.country_code}{national}"


def spell_pattern(pattern: Pattern, plan: Plan) -> str:
    """The line that read_pattern() reads as this pattern."""
    if pattern.kind == PatternKind.NUMBER:
        return format_number(f"+{pattern.digits}", plan.region)
    if pattern.kind == PatternKind.PREFIX:
        return f"+{pattern.digits}*"
    if pattern.pbx_id is None:
        return pattern.digits
    return f"{pattern.digits} at {plan.pbxes.get(pattern.pbx_id, '?')}"


def spell_patterns(patterns: Iterable[Pattern], plan: Plan) -> str:
    return "\n".join(spell_pattern(pattern, plan) for pattern in sorted(patterns))
