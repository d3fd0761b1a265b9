"""Where a number is from, in words."""

import phonenumbers
import pytest

from webapp.destinations.models import LineType
from webapp.destinations.zones import name_region, tell_zone


@pytest.mark.parametrize(
    ("region", "line", "place", "words"),
    [
        ("GB", LineType.FIXED, "Newcastle upon Tyne", "Newcastle upon Tyne"),
        ("GB", LineType.FIXED, None, "landline"),
        ("GB", LineType.FIXED, "", "landline"),
        ("GB", LineType.MOBILE, "", "mobile"),
        ("FR", LineType.MOBILE, "", "mobile, France"),
        ("US", LineType.FIXED, "New York, NY", "New York, NY, United States"),
        ("CN", LineType.MOBILE, "Shenzhen, Guangdong", "mobile, Shenzhen, Guangdong, China"),
        ("DE", LineType.FREEPHONE, "", "freephone, Germany"),
        ("GB", LineType.UNKNOWN, "", ""),
        ("", LineType.UNKNOWN, None, ""),
        ("001", LineType.OTHER, "", "international"),
        ("XK", LineType.OTHER, "", "Kosovo"),
    ],
)
def test_in_words(region: str, line: LineType, place: str | None, words: str) -> None:
    assert tell_zone(region, line, place, "GB") == words
    assert tell_zone(region, int(line), place, "GB") == words


def test_every_region_of_libphonenumber_has_a_name() -> None:
    unnamed = {region for region in phonenumbers.SUPPORTED_REGIONS if name_region(region) == region}
    assert unnamed == set()
