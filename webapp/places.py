"""Countries and time zones to choose from, from the pinned tzdata package: the same list on every machine.

Used by the forms of phone systems and of an organization.
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import phonenumbers
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than the types

_AREAS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)


@cache
def _country_names() -> dict[str, str]:
    lines = resources.files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8").splitlines()
    pairs = (line.partition("\t") for line in lines if line and not line.startswith("#"))
    return {code: name for code, _, name in pairs}


def country_name(code: str) -> str:
    """The English name of a country, ISO 3166; "" if there is none."""
    return _country_names().get(code, "")


@cache
def country_choices() -> list[tuple[str, str]]:
    """(ISO 3166 code, English name with the dialling code) of every country that has telephone numbers, by name."""
    dialling = {code: phonenumbers.country_code_for_region(code) for code in _country_names()}
    names = [(code, f"{name} (+{dialling[code]})") for code, name in _country_names().items() if dialling[code]]
    return sorted(names, key=lambda choice: choice[1])


@cache
def time_zone_choices() -> list[tuple[str, str]]:
    """(IANA name, the same readable) of every place, and UTC."""
    places = sorted(name for name in available_timezones() if name.startswith(_AREAS))
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in places)]


def is_time_zone(name: str) -> bool:
    """Whether a zone of this name is known; also of older names that the list does not offer."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)


def to_choices(pairs: Iterable[tuple[str, str]]) -> list[SelectChoice]:
    """Choices of (value, label) pairs."""
    return [SelectChoice(value, label) for value, label in pairs]


def with_choice(pairs: list[tuple[str, str]], value: str | None) -> list[SelectChoice]:
    """The choices, with the present value among them: an older name of a zone stays what it is."""
    if not value or any(pair[0] == value for pair in pairs):
        return to_choices(pairs)
    return to_choices([(value, value), *pairs])


def country_of(digits: str) -> str:
    """The ISO 3166 code of the first country whose dialling code an E.164 begins with; "" where none does."""
    for length in (1, 2, 3):
        code = int(digits[:length])
        if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code][0]
    return ""
