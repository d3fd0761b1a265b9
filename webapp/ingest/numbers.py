"""From what a phone system wrote in a number field to the party it means.

Extensions and service codes are told from numbers before libphonenumber is asked ("2001" would parse as +442001).
Used by normalize.py and assembly.py; results are kept per distinct text, since asking costs 30 microseconds.
"""

import re
from typing import NamedTuple

from webapp.calls.models import CallerReason
from webapp.destinations.models import LineType, PartyKind
from webapp.destinations.number_facts import read_number
from webapp.ingest.settings import PbxSettings

#: In all: a firm's callers of some years. What does not fit costs as much again, each time it is met.
_REMEMBERED_AT_MOST = 60_000
_LONGEST = 64  # characters of a number field that are kept as digits
_NOISE = re.compile(r"^(?:sips?:|tel:|Ext\.)|[\s()./\-\u00a0]|@.*$|;.*$", re.IGNORECASE)
_EMERGENCY = frozenset({"110", "112", "911", "999"})
_WITHHELD = frozenset({"anonymous", "private", "restricted", "withheld", "p", "266696687", "+266696687"})
_NOT_GIVEN = frozenset({"", "unknown", "unavailable", "asterisk", "0", "-", "o", "<unknown>", "not_available", "s"})


class Identity(NamedTuple):
    """A party as the directory knows it. `identity` is the E.164, or "<pbx id>:<digits>" where there is none."""

    identity: str
    kind: PartyKind
    e164: str | None
    digits: str
    region: str
    line_type: LineType


class NumberPlan:
    """Reads the number fields of one phone system."""

    def __init__(self, settings: PbxSettings) -> None:
        self.settings = settings
        self._known: dict[str, Identity | None] = {}
        # Without digits to dial for a line, a number sent to one means what it means anywhere.
        self._known_dialled_out: dict[str, Identity | None] = {} if settings.outside_prefix else self._known
        self._at_most = _REMEMBERED_AT_MOST // 2 if settings.outside_prefix else _REMEMBERED_AT_MOST

    def identify(self, text: str, *, dialled_out: bool = False) -> Identity | None:
        """The party that a number field means; None where it holds nobody. `dialled_out`: digits sent to a line."""
        known = self._known_dialled_out if dialled_out else self._known
        try:
            return known[text]
        except KeyError:
            pass
        if len(known) >= self._at_most:
            known.clear()
        found = known[text] = self._work_out(text, dialled_out)
        return found

    def caller_reason(self, text: str) -> CallerReason:
        """Why a caller field holds nobody."""
        if text.strip().lower() in _WITHHELD:
            return CallerReason.WITHHELD
        return CallerReason.NOT_GIVEN if self.identify(text) is None else CallerReason.KNOWN

    def is_extension(self, text: str) -> bool:
        found = self.identify(text)
        return found is not None and found.kind == PartyKind.EXTENSION

    def _work_out(self, text: str, dialled_out: bool) -> Identity | None:
        if text.strip().lower() in _WITHHELD or text.strip().lower() in _NOT_GIVEN:
            return None
        digits = _NOISE.sub("", text.strip())[:_LONGEST]
        if not digits or digits.lower() in _NOT_GIVEN or digits.lower() in _WITHHELD:
            return None
        if digits in _EMERGENCY or digits[0] in "*#":
            return self._inside(digits, PartyKind.SERVICE)
        plain = digits.removeprefix("+")
        if not (plain.isascii() and plain.isdigit()):
            kind = PartyKind.SERVICE if digits.isascii() and digits.isalnum() and len(digits) <= 16 else PartyKind.OTHER
            return self._inside(digits, kind)
        if digits[0] != "+" and len(digits) in self.settings.extension_digits:
            return self._inside(digits, PartyKind.EXTENSION)
        prefix = self.settings.outside_prefix
        if dialled_out and prefix and digits.startswith(prefix) and len(digits) > len(prefix) + 2:
            without = digits[len(prefix) :]
            return self._outside(without) or self._outside(digits) or self._inside(without, PartyKind.OTHER)
        return self._outside(digits) or self._inside(digits, PartyKind.OTHER)

    def _inside(self, digits: str, kind: PartyKind) -> Identity:
        return Identity(f"{self.settings.pbx_id}:{digits}", kind, None, digits, "", LineType.UNKNOWN)

    def _outside(self, digits: str) -> Identity | None:
        if len(digits) < 5:
            return None
        found = read_number(digits, self.settings.region)
        if found is None and self.settings.area_code:
            found = read_number(self.settings.area_code + digits, self.settings.region)
        if found is None:
            return None
        return Identity(found.e164, PartyKind.OUTSIDE, found.e164, found.digits, found.region, found.line_type)
