"""What was typed to find something: which of it may stand in an address, and which digits of a destination it means.

Called by the list of destinations; the call log cleans words by it too.
"""

import re
import unicodedata

import phonenumbers

from webapp.destinations.patterns import read_e164

LONGEST_WORDS = 100
_SHORTEST_PIECE = 2  # digits: one alone is in nearly every number


def clean_words(text: str) -> str:
    """Without control characters and spaces around, cut to LONGEST_WORDS characters."""
    kept = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Cn") else letter for letter in text[:1000])
    return " ".join(kept.split())[:LONGEST_WORDS]


def has_digits(words: str) -> bool:
    return any(letter.isnumeric() for letter in words)


def pieces_of(words: str, region: str) -> frozenset[str]:
    """The digits that patterns may hold: as typed, and as E.164 has them. `region`: ISO 3166, of national numbers."""
    if not re.fullmatch(r"[\d\s()+\-./*#]+", words):
        return frozenset()
    digits = re.sub(r"[^0-9]", "", words.replace("(0)", ""))
    if len(digits) < _SHORTEST_PIECE:
        return frozenset()
    found = {digits}
    e164 = read_e164(words, region)
    if e164 is not None:
        found.add(e164[1:])
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    home = (metadata.national_prefix if metadata else None) or ""
    if home and digits.startswith(home) and len(digits) > len(home):
        found.add(f"{phonenumbers.country_code_for_region(region)}{digits[len(home) :]}")
    return frozenset(found)
