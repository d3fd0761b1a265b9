"""Lines of extensions: read into spans, spelt back, and told in a sentence."""

import pytest

from tests.make import NOON, Make
from webapp.destinations.models import Party
from webapp.errors import Refused
from webapp.invitations.extensions import Spelt, name_extensions, read_extensions, spell_extensions
from webapp.invitations.subjects import names_of
from webapp.organizations.offers import ALWAYS
from webapp.tenancy.narrowing import PartyDays

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
        assert spell_extensions(spans, names_of(session, spans), ZONE) == spelt
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


# --------------------------------------------------------------- lines that stand for some of several phone systems

MAY = "2026-05-03"


@pytest.fixture
def parties(make: Make) -> dict[str, Party]:
    """204 of three phone systems, 205 of two: what a line may stand for."""
    found = {}
    for name in "ABC":
        pbx = make.pbx(name)
        found[f"204 {name}"] = make.party("204", pbx)
        if name != "C":
            found[f"205 {name}"] = make.party("205", pbx)
    return found


def days(make: Make, party: Party, line: str) -> PartyDays:
    """The party in the days that a line names."""
    with make.session() as session:
        [span] = [each for each in read_extensions(session, line, ZONE).spans if each.party_id == party.id]
    return span


@pytest.mark.parametrize(
    ("held", "written", "then"),
    [
        # Unchanged, however it is written.
        (["204 A"], "204", ["204 A"]),
        (["204 A", "204 B"], "204\n 204 \n", ["204 A", "204 B"]),
        (["204 A", "205 B"], "205\n204", ["204 A", "205 B"]),
        (["204 A until 2026-05-03", "204 B from 2026-05-03"], None, None),
        (["204 A", "204 B from 2026-05-03"], None, None),
        # What is added is looked up, and what is taken away goes; the rest stays.
        (["204 A"], "204\n205", ["204 A", "205 A", "205 B"]),
        (["204 A", "205 B"], "204", ["204 A"]),
        (["204 A", "205 B"], "", []),
        (["204 A until 2026-05-03", "204 B from 2026-05-03"], "204 from 2026-05-03", ["204 B from 2026-05-03"]),
        # Other days are those of the same party.
        (["204 A", "205 B"], "204 from 2026-05-03\n205", ["204 A from 2026-05-03", "205 B"]),
        (
            ["204 A until 2026-05-03", "204 B from 2026-05-03"],
            "204 until 2026-04-01\n204 from 2026-05-03",
            ["204 A until 2026-04-01", "204 B from 2026-05-03"],
        ),
        (["204 A"], "204\n204 until 2026-05-03", ["204 A"]),
        (
            ["204 A until 2026-05-03"],
            "204 until 2026-05-03\n204 from 2026-06-01",
            ["204 A until 2026-05-03", "204 A from 2026-06-01"],
        ),
        # Nothing is held: every phone system's.
        ([], "205", ["205 A", "205 B"]),
    ],
)
def test_a_line_goes_on_to_stand_for_the_same_parties(
    make: Make, parties: dict[str, Party], held: list[str], written: str | None, then: list[str] | None
) -> None:
    """`written` None: as it is spelt."""

    def spans(words: list[str]) -> set[PartyDays]:
        return {days(make, parties[word[:5]], f"{word[:3]}{word[5:]}") for word in words}

    before = tuple(sorted(spans(held)))
    with make.session() as session:
        text = spell_extensions(before, names_of(session, before), ZONE) if written is None else written
        read = read_extensions(session, text, ZONE, Spelt(before, held=bool(before)))
    assert set(read.spans) == spans(held if then is None else then)
    assert read.narrowed == bool(read.spans)


def test_instants_within_a_day_stay_as_they_are(make: Make, parties: dict[str, Party]) -> None:
    span = PartyDays.between(parties["204 A"].id, NOON, NOON.replace(hour=13))
    with make.session() as session:
        text = spell_extensions([span], names_of(session, [span]), ZONE)
        assert read_extensions(session, text, ZONE, Spelt((span,), held=True)).spans == (span,)


def test_only_digits_that_are_looked_up_are_told_of(make: Make, parties: dict[str, Party]) -> None:
    held = Spelt((PartyDays(parties["204 A"].id),), held=True)
    with make.session() as session:
        assert read_extensions(session, "204", ZONE, held).notes == ()
        assert [note[:13] for note in read_extensions(session, "204\n205", ZONE, held).notes] == ["Extension 205"]


def test_what_the_reader_cannot_see_of_it_stays(make: Make, parties: dict[str, Party]) -> None:
    unseen = PartyDays(make.party("+442079460123").id + 1)
    seen = PartyDays(parties["204 A"].id)
    with make.session() as session:
        assert set(read_extensions(session, "204", ZONE, Spelt((unseen, seen), held=True)).spans) == {unseen, seen}
        assert read_extensions(session, "", ZONE, Spelt((unseen, seen), held=True)).spans == (unseen,)
        assert read_extensions(session, "204", ZONE, Spelt((unseen, seen))).spans == (seen,), "a suggestion only"


def test_who_sees_nothing_is_not_opened_everything(make: Make) -> None:
    """An empty field says "all calls"; of somebody of whose extensions none is left it says nothing."""
    with make.session() as session:
        assert read_extensions(session, "", ZONE, Spelt((), held=True)).narrowed
        assert not read_extensions(session, "", ZONE).narrowed
