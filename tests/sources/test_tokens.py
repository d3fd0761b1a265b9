"""The tokens of phone systems: made, shown once, replaced with an overlap, revoked; every wrong one answered alike."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.delivering import Delivering, own_call
from webapp import clock
from webapp.database.ids import spell_id
from webapp.sources import collect_views, pbx_access, tokens
from webapp.sources.models import PbxToken
from webapp.sources.tokens import MOST_LIVE_TOKENS, digest_token, organization_in
from webapp.tenancy.models import Numbers

HARBOUR = "/o/harbour"
TOKEN = re.compile(r"cb_[0-9a-z]{1,13}_[A-Za-z0-9_-]{43}")


def page_of(delivering: Delivering) -> str:
    return f"{HARBOUR}/phone-systems/{spell_id(delivering.pbx.id)}"


def the_token(delivering: Delivering) -> PbxToken:
    return sorted(delivering.all(PbxToken), key=lambda token: token.id)[0]


def status(delivering: Delivering, token: str) -> int:
    return int(delivering.send_json(own_call(1), token=token).status_code)


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def move(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    return move


def test_the_database_knows_only_its_digest_and_first_letters(delivering: Delivering) -> None:
    token = the_token(delivering)
    assert TOKEN.fullmatch(delivering.token)
    assert organization_in(delivering.token) == delivering.organization_id
    assert token.token_digest == digest_token(delivering.token)
    assert delivering.token.startswith(token.prefix) and len(token.prefix) < len(delivering.token) - 30


def test_it_is_shown_once(delivering: Delivering, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.max)
    answer = client.send(f"{page_of(delivering)}/tokens")
    shown = set(TOKEN.findall(answer.text))
    assert answer.status_code == 200 and len(shown) == 1
    assert status(delivering, shown.pop()) == 200
    assert not TOKEN.findall(client.get(f"{page_of(delivering)}/sending").text)


@pytest.mark.parametrize(
    ("overlap", "works_on"),
    [
        ("none", timedelta(0)),
        ("hour", timedelta(hours=1)),
        ("day", timedelta(hours=24)),
        ("week", timedelta(days=7)),
    ],
)
def test_a_replaced_one_works_on_for_as_long_as_was_chosen(
    delivering: Delivering,
    client: PageCheckingClient,
    cast: Cast,
    clock_at,  # type: ignore[no-untyped-def]
    overlap: str,
    works_on: timedelta,
) -> None:
    client.sign_in(cast.max)
    address = f"{page_of(delivering)}/tokens/{spell_id(the_token(delivering).id)}/rotate"
    answer = client.send(address, {"overlap": overlap})
    new = TOKEN.findall(answer.text)[0]
    ends_at = the_token(delivering).ends_at
    assert ends_at is not None
    assert abs(ends_at - clock.now() - works_on) < timedelta(seconds=30)
    if works_on:
        clock_at(ends_at - timedelta(milliseconds=1))
        assert status(delivering, delivering.token) == 200
    clock_at(ends_at)
    assert status(delivering, delivering.token) == 401
    assert status(delivering, new) == 200


def test_an_overlap_that_there_is_not(delivering: Delivering, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.max)
    address = f"{page_of(delivering)}/tokens/{spell_id(the_token(delivering).id)}/rotate"
    assert client.send(address, {"overlap": "for ever"}).status_code == 422
    assert the_token(delivering).ends_at is None


def test_a_stolen_one_is_revoked_at_once(delivering: Delivering, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.max)
    assert status(delivering, delivering.token) == 200
    address = f"{page_of(delivering)}/tokens/{spell_id(the_token(delivering).id)}"
    assert client.send(f"{address}/revoke").status_code == 303
    assert status(delivering, delivering.token) == 401
    assert client.send(f"{address}/rotate", {"overlap": "day"}).status_code == 422, "and gives no new one any more"


def test_every_wrong_one_is_answered_alike(delivering: Delivering, cast: Cast) -> None:
    token = the_token(delivering)
    other = f"cb_{spell_id(cast.quayside.id)}_{delivering.token[-43:]}"
    unknown = delivering.token[:-1] + ("A" if delivering.token[-1] != "A" else "B")
    wrong = [unknown, other, "", "x", "cb__", f"cb_{spell_id(token.id)}_{'a' * 43}", "é" * 50, "a" * 5000]
    answers = [delivering.send(b"{}", token=text) for text in wrong]
    answers += [delivering.send(b"{}", Authorization=header) for header in ("Basic !", "Basic eA==", "Digest x=y", "")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({re.sub(r"Reference \w+", "", answer.text) for answer in answers}) == 1
    assert all("Basic realm" in answer.headers["WWW-Authenticate"] for answer in answers)
    assert not delivering.spooled()


def test_wrong_ones_ask_the_database_as_often_as_right_ones(
    delivering: Delivering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    find = tokens.find_token
    monkeypatch.setattr(pbx_access, "find_token", lambda *words: asked.append(words[-1]) or find(*words))
    for text in (delivering.token, delivering.token[:-1] + "~", "x"):
        status(delivering, text)
    assert len(asked) == 3


def test_many_wrong_ones_of_a_network_are_slowed_down_and_right_ones_are_not(delivering: Delivering) -> None:
    burst = pbx_access.WRONG_TOKENS.burst
    with time_machine.travel(clock.now(), tick=False):  # on a slow machine more were free by the end
        answers = [delivering.send(b"{}", token="x") for _ in range(burst + 3)]
    assert [answer.status_code for answer in answers] == [401] * burst + [429] * 3
    assert int(answers[-1].headers["Retry-After"]) >= 1
    assert status(delivering, delivering.token) == 200


def test_a_token_stands_in_no_log(delivering: Delivering, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(0):
        status(delivering, delivering.token)
        status(delivering, delivering.token[:-1] + "~")
        delivering.send_basic(b"{")
    told = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    assert delivering.token[-20:-1] not in told and "pbx.wrong_token" in told


def test_its_last_use_is_written_once_a_minute(delivering: Delivering, clock_at) -> None:  # type: ignore[no-untyped-def]
    begin = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    used = []
    for seconds in (0, 30, 59, 60, 61):
        clock_at(begin + timedelta(seconds=seconds))
        status(delivering, delivering.token)
        used.append(the_token(delivering).last_used_at)
    assert used == [begin] * 3 + [begin + timedelta(seconds=60)] * 2


def test_calls_are_kept_where_the_use_cannot_be_written(
    delivering: Delivering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collect_views, "note_use", lambda *_words: 1 / 0)
    assert status(delivering, delivering.token) == 200
    assert len(delivering.spooled()) == 1 and the_token(delivering).last_used_at is None


def test_no_more_than_a_few_work_at_a_time(delivering: Delivering, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.max)
    answers = [client.send(f"{page_of(delivering)}/tokens") for _ in range(MOST_LIVE_TOKENS)]
    assert [answer.status_code for answer in answers] == [200] * (MOST_LIVE_TOKENS - 1) + [422]


def test_replacing_is_no_way_past_that(delivering: Delivering, client: PageCheckingClient, cast: Cast) -> None:
    """The one that is replaced is not counted, so that all that may be can be replaced with an overlap."""
    client.sign_in(cast.max)
    for _ in range(MOST_LIVE_TOKENS - 1):
        client.send(f"{page_of(delivering)}/tokens")
    address = f"{page_of(delivering)}/tokens/{spell_id(the_token(delivering).id)}/rotate"
    answers = [client.send(address, {"overlap": "week"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 422, 422]


def test_whoever_sees_masked_numbers_gets_none(
    delivering: Delivering,
    client: PageCheckingClient,
    cast: Cast,
    make: Make,
) -> None:
    """By a token and a route, they could have Callbook tell them a number in full."""
    make.membership(cast.max, numbers=Numbers.MASKED)
    client.sign_in(cast.max)
    address = f"{page_of(delivering)}/tokens"
    for sent in (address, f"{address}/{spell_id(the_token(delivering).id)}/rotate"):
        answer = client.send(sent, {"overlap": "day"})
        assert answer.status_code == 403 and "a token opens them in full" in answer.text
    assert len(delivering.all(PbxToken)) == 1 and the_token(delivering).ends_at is None
    page = client.get(f"{page_of(delivering)}/sending").text
    assert f'{address}"' not in page and "/rotate" not in page and "a token opens them in full" in page
    assert client.send(f"{address}/{spell_id(the_token(delivering).id)}/revoke").status_code == 303


def test_another_phone_systems_token_is_not_there(
    delivering: Delivering,
    client: PageCheckingClient,
    cast: Cast,
    make: Make,
) -> None:
    client.sign_in(cast.max)
    other = make.token(make.pbx(name="Branch"))
    for verb in ("rotate", "revoke"):
        address = f"{page_of(delivering)}/tokens/{spell_id(other.id)}/{verb}"
        assert client.send(address, {"overlap": "day"}).status_code == 404


def test_changes_are_in_the_audit(delivering: Delivering, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    address = f"{page_of(delivering)}/tokens/{spell_id(the_token(delivering).id)}"
    client.send(f"{page_of(delivering)}/tokens")
    client.send(f"{address}/rotate", {"overlap": "day"})
    client.send(f"{address}/revoke")
    told = client.get(f"{HARBOUR}/who-looked").text
    for words in ("Made a token for", "Replaced the token", "Revoked the token"):
        assert words in told
