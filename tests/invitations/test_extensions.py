"""Lines of extensions: read into spans, spelt back, and told in a sentence."""

import pytest

from tests.make import Make
from webapp.errors import Refused
from webapp.invitations.extensions import digits_of, name_extensions, read_extensions, spell_extensions
from webapp.organizations.offers import ALWAYS

ZONE = "Europe/London"


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("204", "204"),
        (" 205 \n\n204\n", "204\n205"),
        ("204\n204", "204"),
        ("204 from 2026-05-03", "204 from 2026-05-03"),
        ("204 UNTIL 2026-05-02", "204 until 2026-05-02"),
        ("204 until 2026-05-02\n204", "204"),
        ("204\n204 until 2026-05-02", "204"),
        ("204 until 2026-05-02\n204 from 2026-06-01", "204 until 2026-05-02\n204 from 2026-06-01"),
    ],
)
def test_what_is_written_comes_back(make: Make, written: str, spelt: str) -> None:
    for digits in ("204", "205"):
        make.party(digits)
    with make.session() as session:
        spans = read_extensions(session, written, ZONE).spans
        assert spell_extensions(spans, digits_of(session, spans), ZONE) == spelt
        again = read_extensions(session, spelt, ZONE).spans
    assert set(again) == set(spans)


def test_days_are_of_the_zone_and_the_last_one_is_included(make: Make) -> None:
    make.party("204")
    with make.session() as session:
        [span] = read_extensions(session, "204 from 2026-03-29 until 2026-03-29", ZONE).spans
        [always] = read_extensions(session, "204", ZONE).spans
    assert span.until_at is not None
    assert (span.until_at - span.from_at).total_seconds() == 23 * 3600  # the day on which the clocks go forward
    assert (always.from_at, always.until_at) == (ALWAYS, None)


def test_what_the_reader_cannot_see_is_counted(make: Make) -> None:
    party = make.party("204")
    make.party("205")
    with make.session() as session:
        spans = read_extensions(session, "204\n205", ZONE).spans
    assert name_extensions(spans, {party.id: "204"}, ZONE) == "extensions 204 and 1 more"
    assert name_extensions((), {}, ZONE) == "no extension"


@pytest.mark.parametrize("digits", ["+442079460123", "02079460123"])
def test_a_number_outside_is_no_extension(make: Make, digits: str) -> None:
    make.party("+442079460123")
    with make.session() as session, pytest.raises(Refused) as refusal:
        read_extensions(session, digits, ZONE)
    assert refusal.value.field == "extensions"
