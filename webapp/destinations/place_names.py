"""Places of numbers, asked of libphonenumber's geocoder: E.164s in on standard input, one place a line out.

A program of its own, run by jobs.py: the geocoder's tables take 98 MB, which no serving process is to carry for ever.
It knows no database and no Flask, and stands alone: nothing of webapp is loaded with it.
"""

import sys

import phonenumbers
from phonenumbers import geocoder

LANGUAGE = "en"


def name_place(e164: str) -> str:
    """As people name it: "Newcastle upon Tyne"; "" where no more than the country is known."""
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return ""
    place: str = geocoder.description_for_number(number, LANGUAGE)
    if place == geocoder.country_name_for_number(number, LANGUAGE):
        return ""
    return " ".join(place.split())


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(f"{name_place(line.strip())}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
