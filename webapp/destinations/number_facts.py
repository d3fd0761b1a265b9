"""What a telephone number is: its E.164, country and kind of line, asked of libphonenumber in one place.

Called by ingest/numbers.py for the numbers on calls and by number_actions.py for those that people list, so that both
mean one party. Pure.
"""

from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from webapp.destinations.models import LineType
from webapp.destinations.route_models import NumberKind

_LINE_TYPES = {
    PhoneNumberType.FIXED_LINE: LineType.FIXED,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: LineType.FIXED,
    PhoneNumberType.MOBILE: LineType.MOBILE,
    PhoneNumberType.TOLL_FREE: LineType.FREEPHONE,
    PhoneNumberType.UNKNOWN: LineType.UNKNOWN,
}
_KINDS = {
    LineType.UNKNOWN: NumberKind.GEOGRAPHIC,
    LineType.FIXED: NumberKind.GEOGRAPHIC,
    LineType.MOBILE: NumberKind.MOBILE,
    LineType.FREEPHONE: NumberKind.FREEPHONE,
    LineType.OTHER: NumberKind.OTHER,
}


class NumberFacts(NamedTuple):
    """`region`: ISO 3166, "" where the number is of no country."""

    e164: str
    region: str
    line_type: LineType

    @property
    def digits(self) -> str:
        """As party.digits has them."""
        return self.e164[1:]

    @property
    def number_kind(self) -> NumberKind:
        """What an own number of such a line most likely is."""
        return _KINDS[self.line_type]


def read_number(text: str, region: str) -> NumberFacts | None:
    """What is typed or dialled in this country, in any spelling; None where it cannot be a number."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    # Numbers in ranges reserved for fiction, and new ones, are possible without being valid: kept, without a type.
    found, line_type = phonenumbers.region_code_for_number(number), LineType.UNKNOWN
    if found is None:  # number_type would look for the region once more, through every country of its code
        found = phonenumbers.region_code_for_country_code(number.country_code or 0)
    else:
        line_type = _LINE_TYPES.get(phonenumbers.number_type(number), LineType.OTHER)
    return NumberFacts(e164, "" if found == "ZZ" else found, line_type)


def calling_code(region: str) -> int:
    """44 of GB; 0 of what is no country with numbers."""
    return phonenumbers.country_code_for_region(region)
