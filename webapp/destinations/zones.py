"""Where an outside number is from, in words: its place or its kind of line, and its country where that is not home.

    tell_zone(party.region, party.line_type, party.place, organization.region)

Pure. Country and kind of line are stored with the party by the import, the place a little later (jobs.py).
"""

from webapp.destinations.models import LineType
from webapp.places import country_name

_LINES = {LineType.FIXED: "landline", LineType.MOBILE: "mobile", LineType.FREEPHONE: "freephone"}
#: Codes of libphonenumber that are no country's in ISO 3166.
_MORE_REGIONS = {"001": "international", "AC": "Ascension Island", "TA": "Tristan da Cunha", "XK": "Kosovo"}


def tell_zone(region: str, line_type: int, place: str | None, home_region: str) -> str:
    """ "Newcastle upon Tyne", "mobile, France", "New York, NY, United States"; "" where nothing is known.

    `place`: None until it was asked for. A line at a place is a landline: only another kind is said.
    """
    line = "" if place and line_type == LineType.FIXED else _LINES.get(LineType(line_type), "")
    country = "" if region in ("", home_region) else name_region(region)
    return ", ".join(part for part in (line, place, country) if part)


def name_region(region: str) -> str:
    """The English name of a country by its code, ISO 3166 or libphonenumber's; the code where it has none."""
    return _MORE_REGIONS.get(region) or country_name(region) or region
