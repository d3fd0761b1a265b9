"""Which format a file is taken for."""

import json

import pytest

from tests.ingest.test_readers import SAMPLES, freeswitch_row
from webapp.ingest.readers import READERS
from webapp.ingest.recognise import recognise
from webapp.ingest.records import Head
from webapp.ingest.source import head_of


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_samples_are_recognised(path) -> None:  # type: ignore[no-untyped-def]
    guesses = recognise(head_of(path.read_bytes()))
    assert guesses[0].reader == path.parent.name
    assert 0 < guesses[0].confidence <= 1
    assert all(guess.reason.endswith(".") for guess in guesses)
    if path.parent.name != "generic_csv":
        assert guesses[0].confidence >= 0.9
        assert all(guess.confidence < 0.5 for guess in guesses[1:])


def test_cdr_custom_is_named() -> None:
    path = next(path for path in SAMPLES if "clid_first" in path.name)
    assert "cdr_custom" in recognise(head_of(path.read_bytes()))[0].reason


def test_freeswitch_names_with_quotes_do_not_hide_it() -> None:
    text = "\n".join(freeswitch_row('5" pipe') for _ in range(5))
    assert recognise(head_of(text.encode()))[0].reader == "freeswitch_cdr_csv"


@pytest.mark.parametrize(
    "text",
    [
        "Dear Sir,\nplease find our offer, as discussed,\nbelow.\n",
        "name,age,town\nAnn,41,Leeds\nBob,12,York\n",
        json.dumps({"cdr": [1, 2, 3]}),
        "x\n",
    ],
)
def test_what_is_no_call_log_is_not_recognised(text: str) -> None:
    assert recognise(head_of(text.encode())) == []


def test_empty_head() -> None:
    assert recognise(Head(())) == []


def test_readers_say_who_they_are() -> None:
    for name, reader in READERS.items():
        assert reader.name == name
        assert reader.title
        assert reader.where.endswith(".")
        assert reader.sign.endswith(".")
