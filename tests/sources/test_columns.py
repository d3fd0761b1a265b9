"""The mapping page of a generic CSV: guessed, corrected, remembered."""

import json
from collections.abc import Callable

import pytest

from tests.cast import Cast
from tests.make import Make
from tests.sources.conftest import HandsIn, asterisk_file
from webapp.calls.models import Pbx

SignIn = Callable[[object], HandsIn]
FILE = (
    b"Begin;From;To;Length;Note\n"
    b"03/04/2026 09:00:00;02079460001;201;30;first\n"
    b"03/04/2026 10:00:00;02079460002;202;45;second\n"
)
FORM = {
    "delimiter": ";",
    "has_header": "y",
    "date_order": "dmy",
    "columns-0": "started",
    "columns-1": "caller",
    "columns-2": "dialed",
    "columns-3": "duration",
    "columns-4": "",
}


@pytest.fixture
def hands(hands_in: SignIn, cast: Cast) -> HandsIn:
    return hands_in(cast.max)


def test_columns_are_shown_with_samples(hands: HandsIn, make: Make) -> None:
    address = hands.receive(make.pbx(format=None), FILE, "calls.csv")
    assert hands.files()[0].format == "generic_csv"
    page = hands.client.get(f"{address}/columns").text
    for words in ("Begin", "02079460001", "second", "Dialled number", "What the fields mean"):
        assert words in page


def test_a_chosen_map_is_used_and_remembered(hands: HandsIn, make: Make) -> None:
    pbx = make.pbx(format=None)
    address = hands.receive(pbx, FILE, "calls.csv")
    assert hands.client.send(f"{address}/columns", FORM).location == address
    page = hands.client.get(address).text
    assert "3 April" in page
    hands.client.send(f"{address}/columns", FORM | {"date_order": "mdy"})
    assert "4 March" in hands.client.get(address).text
    hands.client.send(f"{address}/start")
    hands.work()
    assert hands.files()[0].stored_count == 2
    with make.session() as session:
        stored = session.get_one(Pbx, (pbx.organization_id, pbx.id))
        assert stored.column_map
        assert json.loads(stored.column_map)["date_order"] == "mdy"
    later = FILE.replace(b"03/04", b"05/04")
    hands.receive(pbx, later, "later.csv")
    assert json.loads(hands.files()[1].column_map or "")["date_order"] == "mdy", "remembered for the next file"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"columns-0": ""}, "start of the call"),
        ({"columns-1": "", "columns-2": ""}, "the caller or the number dialled"),
        ({"columns-4": "caller"}, "Two columns cannot hold the same: Caller"),
        ({"date_order": "nonsense"}, "Not a valid choice"),
        ({"columns-4": "nonsense"}, "Choose again."),
    ],
)
def test_a_map_by_which_no_call_can_be_read_is_refused(
    hands: HandsIn, make: Make, wrong: dict[str, str], words: str
) -> None:
    address = hands.receive(make.pbx(format=None), FILE, "calls.csv")
    before = hands.files()[0].column_map
    answer = hands.client.send(f"{address}/columns", FORM | wrong)
    assert answer.status_code == 422
    assert words in answer.text
    assert hands.files()[0].column_map == before


def test_another_delimiter_cuts_the_file_anew(hands: HandsIn, make: Make) -> None:
    address = hands.receive(make.pbx(format=None), FILE, "calls.csv")
    before = hands.files()[0].column_map
    answer = hands.client.send(f"{address}/columns", FORM | {"delimiter": ","})
    assert answer.status_code == 200
    assert answer.text.count('<select id="columns-') == 1
    assert hands.files()[0].column_map == before, "nothing is stored before the columns were chosen"


def test_an_imported_file_keeps_its_columns(hands: HandsIn, make: Make) -> None:
    address = hands.take_in(make.pbx(), asterisk_file(2))
    assert hands.client.get(f"{address}/columns").location == address
    assert hands.client.send(f"{address}/columns", FORM).location == address
    assert hands.files()[0].format == "asterisk_cdr_csv"
