"""What phone systems may leave here that is not calls is bounded: over it they are told so, and nothing is lost."""

from typing import Any

import pytest

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.conftest import NUMBER_KEY
from tests.make import Make
from tests.sources.delivering import Delivering, freeswitch_call, own_call, token_of
from webapp.audit.models import AuditEvent
from webapp.database.ids import new_id, spell_id
from webapp.ingest import room
from webapp.ingest.deliveries import store_delivered
from webapp.ingest.room import measure_left
from webapp.tenancy.models import Numbers
from webapp.tenancy.sessions import reading_session

FULL = "Callbook takes nothing more from your phone systems at the moment"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Room for three of each, measured anew whenever it is asked about."""
    for name, value in (("MOST_WAITING_ROWS", 3), ("MOST_REFUSED_ROWS", 3)):
        monkeypatch.setattr(room, name, value)
    for name in ("_MEASURED_SECONDS", "_BEFORE_REFUSING_SECONDS", "_PARTS_OF_TIME"):
        monkeypatch.setattr(room, name, 0)
    return monkeypatch


def sending_page(delivering: Delivering) -> str:
    return f"/o/harbour/phone-systems/{spell_id(delivering.pbx.id)}/sending"


def thrown_away(delivering: Delivering) -> int:
    """Lines of the audit that tell of it."""
    return sum(event.kind == "refused_lines.thrown_away" for event in delivering.all(AuditEvent))


def test_too_much_that_waits_is_refused_and_what_was_acknowledged_is_stored(
    delivering: Delivering, client: PageCheckingClient, cast: Cast, small: pytest.MonkeyPatch
) -> None:
    assert [delivering.send_json(own_call(number)).status_code for number in range(3)] == [200] * 3
    for what in (own_call(3), freeswitch_call(3)):
        answer = delivering.send_json(what)
        assert answer.status_code == 507
        assert answer.mimetype == "text/plain"
        assert "wait here to be read than there is room for. Nothing of this request was stored" in answer.text
    client.sign_in(cast.max)
    page = client.get(sending_page(delivering)).text
    assert FULL in page and "records are not being read" in page
    delivering.store()
    assert len(delivering.calls()) == 3
    assert delivering.send_json(own_call(3)).status_code == 200
    delivering.store()
    assert len(delivering.calls()) == 4, "what was refused came again, whole"
    assert FULL not in client.get(sending_page(delivering)).text


def test_bytes_that_wait_are_bounded_too(delivering: Delivering, small: pytest.MonkeyPatch) -> None:
    small.setattr(room, "MOST_WAITING_BYTES", 500)
    assert delivering.send_json([own_call(1, account_code="x" * 600)]).status_code == 200
    assert delivering.send_json(own_call(2)).status_code == 507
    delivering.store()
    assert delivering.send_json(own_call(2)).status_code == 200


@pytest.mark.parametrize("bound", [("MOST_REFUSED_ROWS", 3), ("MOST_REFUSED_BYTES", 20)])
def test_too_much_that_could_not_be_read_is_refused_until_it_is_thrown_away(
    delivering: Delivering, client: PageCheckingClient, cast: Cast, small: pytest.MonkeyPatch, bound: tuple[str, int]
) -> None:
    small.setattr(room, "MOST_REFUSED_ROWS", 1000)
    small.setattr(room, *bound)
    assert delivering.send(b"rubbish\nrubbish\nrubbish").status_code == 200
    delivering.store()
    answer = delivering.send_json(own_call(1))
    assert answer.status_code == 507
    assert "that could not be read are kept here than there is room for" in answer.text
    client.sign_in(cast.max)
    page = client.get(sending_page(delivering)).text
    assert FULL in page and "thrown such lines away" in page
    file = delivering.the_import()
    address = f"/o/harbour/imports/{spell_id(file.id)}/refused"
    assert "Throw away these 3 lines" in client.get(address).text
    assert client.send(f"{address}/throw-away").status_code == 303
    assert not delivering.refused()
    assert delivering.the_import().refused_count == 3
    assert "They were thrown away" in client.get(address).text
    assert thrown_away(delivering) == 1
    assert delivering.send_json(own_call(1)).status_code == 200
    assert client.send(f"{address}/throw-away").status_code == 303, "there is nothing left: no line in the audit"
    assert thrown_away(delivering) == 1
    delivering.send(b"more rubbish")
    delivering.store()
    assert [line.line_number for line in delivering.refused()] == [5], "later lines get numbers of their own"


def test_who_may_throw_lines_away(client: PageCheckingClient, cast: Cast, make: Make, delivering: Delivering) -> None:
    delivering.send(b"rubbish")
    delivering.store()
    address = f"/o/harbour/imports/{spell_id(delivering.the_import().id)}/refused/throw-away"
    client.sign_in(cast.vera)
    assert "Throw away" not in client.get(address.removesuffix("/throw-away")).text
    assert client.send(address).status_code == 403
    make.membership(cast.max, numbers=Numbers.MASKED)
    client.sign_in(cast.max)
    assert client.send(address).status_code == 403
    client.sign_in(cast.olive)
    assert client.send(f"/o/harbour/imports/{spell_id(new_id())}/refused/throw-away").status_code == 404
    assert client.get(address).status_code == 405
    client.sign_in(cast.quentin)
    assert client.send(address).status_code == 404
    assert len(delivering.refused()) == 1


def test_lines_of_a_file_go_with_its_undo_alone(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    file = make.import_file(refused_count=1, read_count=1)
    make.refused_line(file)
    address = f"/o/harbour/imports/{spell_id(file.id)}/refused"
    client.sign_in(cast.max)
    assert "Throw away" not in client.get(address).text
    assert client.send(f"{address}/throw-away").status_code == 400


def test_lines_of_files_and_other_organizations_take_none_of_it(
    delivering: Delivering, make: Make, cast: Cast, small: pytest.MonkeyPatch
) -> None:
    file = make.import_file(delivering.pbx, refused_count=5, read_count=5)
    for number in range(1, 6):
        make.refused_line(file, line_number=number)
    pbx = make.at(cast.quayside).pbx()
    theirs = Delivering(delivering.app, delivering.database, pbx, token_of(delivering.database, pbx))
    for number in range(3):
        assert theirs.send_json(own_call(number)).status_code == 200
    assert theirs.send_json(own_call(3)).status_code == 507
    assert delivering.send_json(own_call(1)).status_code == 200
    store_delivered(delivering.database, NUMBER_KEY, theirs.organization_id)
    assert theirs.send_json(own_call(3)).status_code == 200


def test_what_is_put_there_counts_before_it_is_measured_again_and_what_is_stored_frees_room(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Any] = []

    def count(session: Any) -> Any:
        measured.append(measure_left(session))
        return measured[-1]

    monkeypatch.setattr(room, "measure_left", count)
    monkeypatch.setattr(room, "MOST_WAITING_ROWS", 50)
    monkeypatch.setattr(room, "_MEASURED_SECONDS", 60)
    monkeypatch.setattr(room, "_BEFORE_REFUSING_SECONDS", 0)
    monkeypatch.setattr(room, "_PARTS_OF_TIME", 0)
    for number in range(50):
        assert delivering.send_json(own_call(number)).status_code == 200
    assert len(measured) == 1, "not at each request"
    assert delivering.send_json(own_call(50)).status_code == 507
    assert measured[-1].waiting.rows == 50
    for number in range(50, 200):  # as far as it is stored meanwhile, more than the bound may come
        if number % 25 == 0:
            delivering.store()
        assert delivering.send_json(own_call(number)).status_code == 200
    with reading_session(delivering.database, delivering.organization_id) as session:
        assert measure_left(session).waiting.rows < 50
