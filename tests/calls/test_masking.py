"""Masked numbers: the last four digits are dots wherever a number can stand, and nothing one may ask tells them."""

import csv
import io
import re

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import Make
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.calls import browse
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations.masking import mask_name, mask_number, mask_text
from webapp.destinations.models import Party, PartyKind
from webapp.tenancy.models import Numbers
from webapp.tenancy.sessions import reading_session

LOG = "/o/harbour/calls"
ALL = f"{LOG}?period=all"
NUMBER, HIDDEN = "+442079460182", "0182"


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000.0)


@pytest.fixture
def vera(client: PageCheckingClient, cast: Cast, make: Make) -> PageCheckingClient:
    """Sees every call, with masked numbers."""
    make.membership(cast.vera, numbers=Numbers.MASKED)
    client.sign_in(cast.vera)
    return client


def rows(text: str) -> int:
    return text.count("data-row-link")


def search(client: PageCheckingClient, **words: str) -> str:
    answer = client.send(f"{LOG}/search", {"period": "all", **words})
    return client.get(answer.location).text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("+442079460182", "+44207946••••"),
        ("020 7946 0182", "020 7946 ••••"),
        ("(020) 7946-01 82", "(020) 7946-••••"),
        ("0182", "••••"),
        ("82", "••••"),
        ("٠٢٠٧٩٤٦٠١٨٢", "٠٢٠٧٩٤٦••••"),
        ("020 7946 0182 ext", "020 7946 •••• ext"),
        ("Reception", "Reception"),
        ("", ""),
    ],
)
def test_the_last_four_digits_are_dots_in_any_spelling(written: str, shown: str) -> None:
    assert mask_number(written) == shown


def test_numbers_inside_words_are_masked() -> None:
    assert mask_text("call 020 7946 0182 or +44 20 7946 0999, room 12") == "call 020•••• or +44 2••••, room 12"
    assert mask_name("Smith 02079460182", "442079460182") == "Smith 020••••"
    assert mask_name("Smith 0182", "442079460182") == "Smith ••••"
    assert mask_name("020 7946 0182", "442079460182") == "020••••"
    assert mask_name("02079460182 201", "442079460182") == "020••••"


@pytest.fixture
def call(make: Make) -> Call:
    """With records whose every field tells the number, and a caller name that is the number."""
    call = make.call(caller=NUMBER, callee="201", did="+441214960999", names={NUMBER: "02079460182"})
    fields = dict.fromkeys(("caller", "caller_name", "did", "queue_name", "context", "line"), "02079460182")
    make.record(call, **fields, raw=b'"02079460182","201"')
    out = make.call(caller="201", callee=NUMBER, direction=Direction.OUTBOUND)
    make.record(out, caller="201", dialed="902079460182", reached="SIP/02079460182")
    return call


def test_no_page_shows_a_hidden_digit(vera: PageCheckingClient, make: Make, call: Call) -> None:
    party, did = make.party(NUMBER), make.party("+441214960999")
    paths = ["/o/harbour/", ALL, f"{LOG}/{spell_id(call.call_key)}", f"{ALL}&party={spell_id(party.id)}"]
    paths += [f"{ALL}&party={spell_id(did.id)}", f"{LOG}/export?period=all"]
    for path in paths:
        for headers in ({}, PART):
            text = vera.get(path, headers=headers).get_data(as_text=True)
            assert shown_digits(text, HIDDEN, "0999") == [], path
    assert "020 7946 ••••" in vera.get(ALL).text
    detail = vera.get(f"{LOG}/{spell_id(call.call_key)}").text
    assert "are not shown to you: the last digits of outside numbers are dots for you" in detail
    assert "as it stands in the file" not in detail


@pytest.mark.parametrize("dialled", ["#31#02079460182", "*6702079460182", "w02079460182"])
def test_a_number_behind_a_code_is_masked(vera: PageCheckingClient, make: Make, dialled: str) -> None:
    """A dialled code is a service; the number that follows it is somebody's all the same."""
    make.call(caller="201", callee="701", direction=Direction.OUTBOUND)
    party = make.party("701")
    with make.session() as session:
        stored = session.get_one(Party, (make.organization.id, party.id))
        stored.kind, stored.digits = PartyKind.SERVICE, dialled
        session.commit()
    for path in (ALL, f"{LOG}/export?period=all", f"{ALL}&party={spell_id(party.id)}"):
        assert shown_digits(vera.get(path).get_data(as_text=True), HIDDEN) == [], path
    answer = vera.send(f"{LOG}/search", {"words": "9460182", "period": "all"})
    assert "data-row-link" not in vera.get(answer.location).text


def shown_digits(text: str, *hidden: str) -> list[str]:
    """The hidden digits that stand in a text, whatever is written between them; addresses and instants left out."""
    text = re.sub(r'(?:href|action|src|datetime|content|value)="[^"]*"|<script[^>]*>', "", text)
    return [each for each in hidden if re.search(r"[\s().\-/]{0,2}".join(each), text)]


def test_the_export_masks_too(vera: PageCheckingClient, call: Call) -> None:
    text = vera.get(f"{LOG}/export?period=all").data.decode("utf-8-sig")
    [out, into] = sorted(csv.DictReader(io.StringIO(text)), key=lambda row: row["Caller"])[::-1][:2]
    cells = {into["Caller"], into["Caller name"], out["Reached"], into["Reached"], out["Caller"]}
    assert any("••••" in cell for cell in cells)
    assert "201" in cells
    assert HIDDEN not in text


@pytest.mark.parametrize("field", ["words", "caller", "callee"])
def test_ten_searches_a_digit_reveal_nothing(vera: PageCheckingClient, make: Make, call: Call, field: str) -> None:
    """Whatever is asked about a hidden digit, the right guess answers like the nine wrong ones."""
    visible = "442079460182"[:-4]
    for known in range(4):
        stem = visible + HIDDEN[:known]
        for spelt in (f"+{stem}", f"0{stem[2:]}", stem[-6:], f"020 7946 {HIDDEN[:known]}"):
            answers = {rows(search(vera, **{field: f"{spelt}{digit}"})) for digit in "0123456789"}
            assert len(answers) == 1, (field, spelt, answers)


def test_names_that_are_numbers_tell_nothing_either(vera: PageCheckingClient, call: Call) -> None:
    for words in ("02079460182", "0182", "182", "82", "2079460182"):
        assert rows(search(vera, words=words)) == 0, words


def test_what_is_visible_can_be_searched(vera: PageCheckingClient, make: Make, call: Call) -> None:
    make.call(caller="+442079460999", callee="202", names={"+442079460999": "Bright & Sons"})
    assert rows(search(vera, words="020 7946")) == 3
    assert rows(search(vera, words="020 7946 ••••")) == 3
    assert rows(search(vera, words="Bright")) == 1
    assert rows(search(vera, words="202")) == 1


def test_who_sees_numbers_in_full_finds_them(client: PageCheckingClient, cast: Cast, call: Call) -> None:
    client.sign_in(cast.olive)
    assert rows(search(client, words=HIDDEN)) == 2
    assert HIDDEN in client.get(ALL).text


def show_address(make: Make, call: Call, digits: str = NUMBER) -> str:
    return f"{LOG}/{spell_id(call.call_key)}/show-number/{spell_id(make.party(digits).id)}"


def test_show_opens_one_number_and_is_noted(
    client: PageCheckingClient, cast: Cast, make: Make, call: Call, database: Database
) -> None:
    make.membership(cast.vera, numbers=Numbers.SHOWN_ONE_BY_ONE)
    client.sign_in(cast.vera)
    detail = client.get(f"{LOG}/{spell_id(call.call_key)}").text
    assert show_address(make, call) in detail
    assert HIDDEN not in client.get(ALL).text
    part = client.send(show_address(make, call), part=True)
    assert part.status_code == 200
    assert "020 7946 0182" in part.text
    assert "<html" not in part.text
    assert "020 7946 0182" in client.send(show_address(make, call)).text
    with reading_session(database, cast.harbour.id) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.kind == "number.shown")).all()
        words = session.scalars(select(AuditDetail.words)).all()
    assert [(event.actor_id, event.object_id) for event in events] == [(cast.vera.id, call.call_key)] * 2
    assert any("020 7946 ••••" in (each or "") for each in words)
    assert not any(HIDDEN in (each or "") for each in words)


def test_show_is_for_those_it_was_given_to(vera: PageCheckingClient, make: Make, call: Call) -> None:
    detail = vera.get(f"{LOG}/{spell_id(call.call_key)}").text
    assert "show-number" not in detail
    refused = vera.send(show_address(make, call))
    assert refused.status_code == 403
    assert HIDDEN not in refused.text
    assert vera.get(show_address(make, call)).status_code == 405


def test_security_22_show_knows_the_parties_of_the_call_only(
    client: PageCheckingClient, cast: Cast, make: Make, call: Call
) -> None:
    make.membership(cast.vera, numbers=Numbers.SHOWN_ONE_BY_ONE)
    client.sign_in(cast.vera)
    make.call(caller="+442079460333", callee="205")
    theirs = make.at(cast.quayside).call(caller="+442079460334")
    assert client.send(show_address(make, call, "+442079460333")).status_code == 404
    assert client.send(show_address(make, theirs)).status_code == 404


def test_refused_lines_are_not_shown(vera: PageCheckingClient, make: Make) -> None:
    imported = make.import_file(read_count=1, refused_count=1)
    make.refused_line(imported, raw=b"x,02079460182")
    for path in ("refused", "refused-lines"):
        answer = vera.get(f"/o/harbour/imports/{spell_id(imported.id)}/{path}")
        assert answer.status_code == 403
        assert HIDDEN not in answer.text
        assert "dots for you" in answer.text
