"""The page by which a phone system sends its calls by itself, and the pages of what it sent."""

from datetime import timedelta
from html import unescape
from itertools import count
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import update

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.conftest import NUMBER_KEY
from tests.make import NOON
from tests.sources.delivering import Delivering, freeswitch_call, own_call
from webapp import clock
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.ids import spell_id
from webapp.ingest import deliveries
from webapp.ingest.deliveries import store_delivered
from webapp.jobs.worker import Worker
from webapp.sources import storing
from webapp.sources.queries import find_delivered
from webapp.tenancy.sessions import reading_session, writing_session

HARBOUR = "/o/harbour"
POLLS = 'data-hx-trigger="every 2s"'


@pytest.fixture
def sending(delivering: Delivering, client: PageCheckingClient, cast: Cast) -> str:
    client.sign_in(cast.max)
    return f"{HARBOUR}/phone-systems/{spell_id(delivering.pbx.id)}/sending"


def test_the_lines_to_paste_name_the_real_address(
    delivering: Delivering,
    client: PageCheckingClient,
    sending: str,
) -> None:
    text = client.get(sending).text
    assert f"http://localhost:8080{delivering.address}" in text
    assert "YOUR-TOKEN" in text and "plain http" in text
    assert sending in client.get(f"{HARBOUR}/phone-systems").text


def test_asterisk_goes_its_own_way_for_whatever_it_cannot_weigh(client: PageCheckingClient, sending: str) -> None:
    """A quote in a proxy's error page breaks the expression, which is false then: so false must be the safe way."""
    [line] = [each for each in unescape(client.get(sending).text).splitlines() if "from-trunk," in each]
    assert line == ' same => n,GotoIf($["${CUT(WHERE,:,1)}" = "route"]?:from-trunk,${EXTEN},1)'


def test_lines_of_a_new_token_hold_it(delivering: Delivering, client: PageCheckingClient, sending: str) -> None:
    text = client.send(sending.replace("/sending", "/tokens")).text
    assert "YOUR-TOKEN" not in text
    assert "callbook:cb_" in text and "Bearer cb_" in text


@time_machine.travel(NOON)
def test_waiting_turns_into_the_first_record_and_ends_itself(
    delivering: Delivering,
    client: PageCheckingClient,
    sending: str,
) -> None:
    waiting = client.get(f"{sending}/arrived", headers=PART).text
    assert "Waiting for the first record" in waiting and POLLS in waiting
    delivering.send_json(own_call(1))
    delivering.store()
    there = client.get(f"{sending}/arrived", headers=PART).text
    at = delivering.the_import().created_at.astimezone(ZoneInfo("Europe/London"))
    assert f"The first record came at {at:%H:%M:%S}." in there and POLLS not in there
    assert "The first record came" in client.get(sending).text


def test_the_newest_is_what_came_last_in_whatever_format(delivering: Delivering) -> None:
    with time_machine.travel(NOON, tick=False) as moment:
        for what in (own_call(1), freeswitch_call(2), own_call(3)):
            delivering.send_json(what)
            delivering.store()
            moment.shift(60)
    with reading_session(delivering.database, delivering.organization_id) as session:
        found = find_delivered(session, delivering.pbx.id)
    assert found is not None
    assert (found.newest.format, found.newest.call_count) == ("callbook_json", 2)
    assert (found.first_at, found.newest.ended_at) == (NOON, NOON + timedelta(minutes=2))


def test_a_viewer_does_not_see_it(client: PageCheckingClient, sending: str, cast: Cast, app) -> None:  # type: ignore[no-untyped-def]
    other = app.test_client()
    other.sign_in(cast.vera)
    assert other.get(sending).status_code == 403


def test_a_closed_one_gives_no_token(delivering: Delivering, client: PageCheckingClient, sending: str) -> None:
    with writing_session(delivering.database, delivering.organization_id) as session:
        session.execute(update(Pbx).values(closed_at=clock.now()))
        session.commit()
    assert "Make a token" not in client.get(sending).text
    answer = client.send(sending.replace("/sending", "/tokens"))
    assert answer.status_code == 422 and "is closed" in answer.text


# ----------------------------------------------------------------------------------------------- what it sent, on pages


def test_the_day_has_a_page_without_an_undo(delivering: Delivering, client: PageCheckingClient, sending: str) -> None:
    delivering.send_json([own_call(1), {"id": "broken"}])
    delivering.store()
    file = delivering.the_import()
    address = f"{HARBOUR}/imports/{spell_id(file.id)}"
    text = client.get(address).text
    assert "sent these records by itself" in text and "cannot be undone" in text
    assert "Undo this import" not in text
    assert client.get(f"{address}/undo").status_code == 303
    answer = client.send(f"{address}/undo")
    assert answer.status_code == 422 and "there is no file from which" in answer.text
    assert delivering.the_import().state == ImportState.DONE
    assert len(delivering.calls()) == 1
    assert file.file_name in client.get(f"{HARBOUR}/imports").text
    assert "Sent by itself" in client.get(f"{HARBOUR}/imports").text
    assert "the newest" in client.get(f"{HARBOUR}/phone-systems").text
    refused = client.get(f"{address}/refused").text
    assert "does not say when it began" in refused and "will not send them again" in refused


def test_the_overview_counts_it(delivering: Delivering, client: PageCheckingClient, sending: str) -> None:
    delivering.send_json(own_call(1))
    delivering.store()
    assert "1 call" in client.get(f"{HARBOUR}/").text


def test_records_are_read_again_after_a_change_of_the_answers(
    delivering: Delivering,
    client: PageCheckingClient,
    sending: str,
) -> None:
    """What was an extension of three digits is none when they have four."""
    delivering.send_json([own_call(1, direction=""), own_call(2, direction="", line="sip/provider")])
    delivering.store()
    before = [call.direction.word for call in delivering.calls()]
    form = {
        "other_lines": "sip/provider",
        "extension_digits": "3",
        "outside_prefix": "",
        "region": "GB",
        "area_code": "020",
        "time_zone": "Europe/London",
    }
    assert client.send(sending.replace("/sending", "/set-up/apply"), form).status_code == 303
    Worker(delivering.database, delivering.app.extensions["callbook"].settings).run_due()
    assert before == ["internal", "internal"]
    assert [call.direction.word for call in delivering.calls()] == ["internal", "inbound"]


def test_the_set_up_guesses_from_what_was_sent(
    delivering: Delivering,
    client: PageCheckingClient,
    sending: str,
) -> None:
    with writing_session(delivering.database, delivering.organization_id) as session:
        session.execute(update(Pbx).values(answered_at=None, extension_digits=""))
        session.commit()
    today = int(clock.now().timestamp())
    delivering.send_json(
        [own_call(number, started_at=today - number, answered_at=None, line="sip/provider") for number in range(30)]
    )
    delivering.store()
    text = client.get(sending.replace("/sending", "/set-up")).text
    assert "sip/provider" in text and "guesses from its newest records" in text


# --------------------------------------------------------------------------------------------------------- the errand


def test_the_errand_stores_what_this_process_took_in(delivering: Delivering) -> None:
    settings = delivering.app.extensions["callbook"].settings
    storing.store_due(delivering.database, settings, lambda: False)
    delivering.send_json(own_call(1))
    storing.store_due(delivering.database, settings, lambda: False)
    assert len(delivering.calls()) == 1


def test_and_what_another_one_left(delivering: Delivering, monkeypatch: pytest.MonkeyPatch) -> None:
    delivering.send_json(own_call(1))
    monkeypatch.setattr(storing, "_watches", {})
    storing.store_due(delivering.database, delivering.app.extensions["callbook"].settings, lambda: False)
    assert len(delivering.calls()) == 1


def test_one_that_never_stops_pushing_lets_others_have_their_turn(
    delivering: Delivering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = delivering.app.extensions["callbook"].settings
    ticks = count()
    done: list[bool] = []
    noticed: list[int] = []

    def have_a_thousand_rounds(*words: Any) -> bool:
        *_database_and_key, _organization_id, keep_going = words
        done.append(all(keep_going() for _ in range(1000)))
        return done[-1]

    monkeypatch.setattr(storing, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 10))
    monkeypatch.setattr(storing, "_due", lambda _database: {1, 2})
    monkeypatch.setattr(storing, "store_delivered", have_a_thousand_rounds)
    monkeypatch.setattr(storing, "notice", lambda _database, organization_id: noticed.append(organization_id))
    storing.store_due(delivering.database, settings, lambda: False)
    assert done == [False, False], "each had a turn that ended"
    assert noticed == [1, 2], "and has another one soon"


def test_storing_tells_whether_more_may_wait(delivering: Delivering) -> None:
    delivering.send_json(own_call(1))
    where = (delivering.database, NUMBER_KEY, delivering.organization_id)
    assert not store_delivered(*where, lambda: False) and delivering.spooled()
    assert store_delivered(*where) and not delivering.spooled()


def test_what_comes_while_others_are_stored_waits_for_the_next_time(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored at once, each round would be of the few that came during the one before, for as long as any come."""
    store, rounds = deliveries._store, count(2)

    def store_and_send(*words: Any, **more: Any) -> float:
        delivering.send_json(own_call(next(rounds)))
        return store(*words, **more)

    monkeypatch.setattr(deliveries, "_store", store_and_send)
    delivering.send_json(own_call(1))
    for stored in (1, 2):
        assert store_delivered(delivering.database, NUMBER_KEY, delivering.organization_id)
        assert (len(delivering.calls()), len(delivering.spooled())) == (stored, 1)


def test_one_that_cannot_be_stored_is_tried_again(delivering: Delivering, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = delivering.app.extensions["callbook"].settings
    delivering.send_json(own_call(1))
    with monkeypatch.context() as broken:
        broken.setattr(storing, "store_delivered", lambda *_words: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            storing.store_due(delivering.database, settings, lambda: False)
    storing.store_due(delivering.database, settings, lambda: False)
    assert len(delivering.calls()) == 1
    assert delivering.all(ImportFile)[0].read_count == 1
