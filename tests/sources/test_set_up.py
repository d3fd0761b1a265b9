"""The three questions: guessed from the file, compared before and after, read again in the background."""

import json
import re
from collections.abc import Callable

import pytest

from tests.cast import Cast
from tests.make import Make
from tests.sources.conftest import HARBOUR, HandsIn, asterisk_file
from webapp.calls.models import Pbx
from webapp.calls.outcomes import Direction
from webapp.database.ids import spell_id
from webapp.tenancy.models import Numbers

SignIn = Callable[[object], HandsIn]
ANSWERS = {
    "outside_lines": ["PJSIP/provider", "from-trunk"],
    "other_lines": "",
    "extension_digits": "3",
    "outside_prefix": "",
    "region": "GB",
    "area_code": "020",
    "time_zone": "Europe/London",
}


@pytest.fixture
def hands(hands_in: SignIn, cast: Cast) -> HandsIn:
    return hands_in(cast.max)


def new_pbx(make: Make) -> Pbx:
    return make.pbx("Head office", format=None, answered_at=None, extension_digits="")


def page_of(pbx: Pbx) -> str:
    return f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/set-up"


def read(make: Make, pbx: Pbx) -> Pbx:
    with make.session() as session:
        return session.get_one(Pbx, (pbx.organization_id, pbx.id))


def test_the_questions_come_with_guesses_from_the_file(hands: HandsIn, make: Make) -> None:
    pbx = new_pbx(make)
    address = hands.take_in(pbx, asterisk_file(20))
    assert "Three questions are left." in hands.client.get(address).text
    assert {call.direction for call in hands.calls()} == {Direction.UNKNOWN}
    page = hands.client.get(page_of(pbx)).text
    assert "guesses from its newest records" in page
    assert "PJSIP/provider (line, in 20 rows" in page
    assert "checked class" in page or "checked" in page
    assert 'name="extension_digits" type="text" value="3"' in page


def test_answers_before_any_file_are_stored_at_once(hands: HandsIn, make: Make) -> None:
    pbx = new_pbx(make)
    assert "guesses" not in hands.client.get(page_of(pbx)).text
    answer = hands.client.send(page_of(pbx), ANSWERS | {"outside_lines": [], "other_lines": "PJSIP/provider, DAHDI/1"})
    assert answer.location == f"{HARBOUR}/phone-systems"
    stored = read(make, pbx)
    assert stored.answered_at is not None
    assert json.loads(stored.outside_lines) == ["DAHDI/1", "PJSIP/provider"]
    assert hands.work() == 0
    hands.take_in(pbx, asterisk_file(3))
    assert {call.direction for call in hands.calls()} == {Direction.INBOUND}


def test_answers_show_calls_before_and_after_and_store_nothing_yet(hands: HandsIn, make: Make) -> None:
    pbx = new_pbx(make)
    hands.take_in(pbx, asterisk_file(30))
    answer = hands.client.send(page_of(pbx), ANSWERS)
    assert answer.status_code == 200
    assert "20 of its 20 newest calls would read differently" in answer.text
    assert "direction unknown → inbound" in answer.text
    assert "Read 30 records again" in answer.text
    assert answer.text.count('<td class="when">') == 40
    assert read(make, pbx).answered_at is None
    assert hands.work() == 0


def test_reading_again_gives_calls_their_direction(hands: HandsIn, make: Make) -> None:
    pbx = new_pbx(make)
    hands.take_in(pbx, asterisk_file(30))
    answer = hands.client.send(f"{page_of(pbx)}/apply", ANSWERS)
    assert answer.status_code == 303
    stored = read(make, pbx)
    assert stored.answered_at is not None
    assert stored.settings_version == 2
    assert "being read again" in hands.client.get(f"{HARBOUR}/phone-systems").text
    assert "Records are being read again" in hands.client.get(page_of(pbx)).text
    assert hands.work() == 1
    assert {call.direction for call in hands.calls()} == {Direction.INBOUND}
    assert len(hands.calls()) == 30
    assert "are being read again after" not in hands.client.get(f"{HARBOUR}/phone-systems").text


def test_another_zone_moves_calls(hands: HandsIn, make: Make) -> None:
    pbx = new_pbx(make)
    hands.take_in(pbx, asterisk_file(3))
    before = [call.started_at for call in hands.calls()]
    assert before[0].hour == 9
    new_york = ANSWERS | {"time_zone": "America/New_York"}
    assert "09:02 → 14:02" in hands.client.send(page_of(pbx), new_york).text
    hands.client.send(f"{page_of(pbx)}/apply", new_york)
    hands.work()
    assert [call.started_at.hour for call in hands.calls()] == [14, 14, 14]
    assert hands.files()[0].time_zone == "America/New_York"


def test_the_same_answers_again_change_nothing(hands: HandsIn, make: Make) -> None:
    pbx = new_pbx(make)
    hands.take_in(pbx, asterisk_file(3))
    hands.client.send(f"{page_of(pbx)}/apply", ANSWERS)
    hands.work()
    answer = hands.client.send(page_of(pbx), ANSWERS)
    assert answer.location == f"{HARBOUR}/phone-systems"
    assert "Nothing was changed" in hands.client.get(answer.location).text
    assert hands.work() == 0


@pytest.mark.parametrize("path", ["", "/apply"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"extension_digits": "three"},
        {"extension_digits": "0"},
        {"extension_digits": "3;DROP"},
        {"outside_prefix": "nine"},
        {"area_code": "020 7946 0000"},
        {"region": "ZZ"},
        {"time_zone": "Mars/Olympus"},
        {"other_lines": "x" * 2000},
    ],
)
def test_nonsense_is_told_beside_its_field(hands: HandsIn, make: Make, wrong: dict[str, str], path: str) -> None:
    pbx = new_pbx(make)
    hands.take_in(pbx, asterisk_file(3))
    answer = hands.client.send(f"{page_of(pbx)}{path}", ANSWERS | wrong)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert read(make, pbx).answered_at is None
    assert hands.work() == 0


# ------------------------------------------------------------------------------------------ numbers in names of lines

TRUNK = "SIP/+442079460123"
BOX = re.compile(r'<input[^>]*name="outside_lines"[^>]*value="([^"]*)"[^>]*>')


def mask(make: Make, cast: Cast) -> None:
    make.membership(cast.max, numbers=Numbers.MASKED)


def trunk_file(count: int) -> bytes:
    return asterisk_file(count).replace(b"PJSIP/provider", TRUNK.encode())


def test_a_number_in_the_name_of_a_line_is_masked(hands: HandsIn, make: Make, cast: Cast) -> None:
    """In what is read and in what the form sends; other names stand as they are."""
    pbx = new_pbx(make)
    hands.take_in(pbx, trunk_file(5))
    known = ["from-trunk", "IAX2/020 7946 0999", TRUNK]
    stored = make.pbx("Branch", outside_lines=json.dumps(known))
    for page in (page_of(pbx), page_of(stored)):
        assert "9460123" in hands.client.get(page).text
    mask(make, cast)
    for page, lines in ((page_of(pbx), 2), (page_of(stored), 3)):
        text = hands.client.get(page).text
        assert "0123" not in text and "0999" not in text
        assert "SIP/+442••••" in text
        values = BOX.findall(text)
        assert len(values) == lines
        assert "from-trunk" in values and sum(value.startswith("hidden:") for value in values) == lines - 1


def test_a_masked_manager_keeps_and_takes_away_lines_that_they_cannot_read(
    hands: HandsIn, make: Make, cast: Cast
) -> None:
    mask(make, cast)
    pbx = new_pbx(make)
    hands.take_in(pbx, trunk_file(3))
    values = BOX.findall(hands.client.get(page_of(pbx)).text)
    compared = hands.client.send(page_of(pbx), ANSWERS | {"outside_lines": values})
    assert compared.status_code == 200 and "0123" not in compared.text
    assert BOX.findall(compared.text) == values
    assert hands.client.send(f"{page_of(pbx)}/apply", ANSWERS | {"outside_lines": values}).status_code == 303
    assert json.loads(read(make, pbx).outside_lines) == [TRUNK, "from-trunk"]
    hands.work()
    again = hands.client.get(page_of(pbx)).text
    assert again.count("checked") == 2
    hidden = [value for value in values if value.startswith("hidden:")]
    without = [value for value in values if value not in hidden]
    assert hands.client.send(f"{page_of(pbx)}/apply", ANSWERS | {"outside_lines": without}).status_code == 303
    assert json.loads(read(make, pbx).outside_lines) == ["from-trunk"]


def test_a_line_that_is_not_there_any_more_is_not_stored(hands: HandsIn, make: Make, cast: Cast) -> None:
    mask(make, cast)
    pbx = new_pbx(make)
    answer = hands.client.send(page_of(pbx), ANSWERS | {"outside_lines": ["from-trunk", "hidden:" + "0" * 64]})
    assert (answer.status_code, "is not there any more" in answer.text) == (422, True)
    assert read(make, pbx).answered_at is None
