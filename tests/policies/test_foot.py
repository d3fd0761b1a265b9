"""The line at the foot of every page of an organization: who can see these calls, at no cost to the page."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask

from tests.calls.test_browse import statements
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from tests.policies.sound_service import store_browser
from webapp.clock import now
from webapp.database.engine import Database
from webapp.policies import who_can_see

PAGE = "/o/harbour/calls"


def test_it_stands_on_every_page_and_leads_to_the_policy(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    for path in (PAGE, "/o/harbour/", "/o/harbour/phone-systems"):
        page = client.get(path).text
        assert "4 people can see these calls, our staff none" in page
        assert 'href="/o/harbour/privacy"' in page
    assert "can see these calls" not in client.get("/account").text


@time_machine.travel(NOON)
def test_while_support_looks_it_says_until_when(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    browser = store_browser(make.database, cast.stella)
    until = (now() + timedelta(minutes=40)).astimezone(ZoneInfo(cast.harbour.time_zone))
    make.opening(make.grant(cast.olive), cast.stella, until_at=until, web_session_id=browser)
    client.sign_in(cast.vera)
    page = client.get(PAGE).text
    assert f"our staff can: support is looking until {until:%H:%M}" in page


def test_who_is_out_counts_no_more(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(who_can_see, "EVERY_SECONDS", 0.0)
    client.sign_in(cast.olive)
    assert "4 people can see" in client.get(PAGE).text
    make.membership(cast.vera, ends_at=now())
    assert "3 people can see" in client.get(PAGE).text


def test_it_asks_once_a_minute_and_not_for_each_page(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.sign_in(cast.vera)
    client.get(PAGE)
    with statements(database) as kept:
        client.get(PAGE)
    monkeypatch.setattr(who_can_see, "EVERY_SECONDS", 0.0)
    with statements(database) as asked:
        client.get(PAGE)

    def are_members(seen: list[tuple[str, object]]) -> int:
        return sum("FROM membership JOIN user_account" in statement for statement, _values in seen)

    assert are_members(kept) == 0
    assert are_members(asked) == 1


def test_it_puts_that_of_a_narrowed_person_right_too(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.narrow(cast.nina, "201")
    client.sign_in(cast.nina)
    assert "4 people can see" in client.get(PAGE).text
    make.member()
    assert "5 people can see these calls" in client.get("/o/harbour/privacy").text
    assert "5 people can see" in client.get(PAGE).text


def test_the_policy_page_puts_the_line_right(sound: Flask, client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.olive)
    assert "4 people can see" in client.get(PAGE).text
    make.member()
    page = client.get("/o/harbour/privacy").text
    assert "5 people can see these calls" in page
    assert "5 people can see" in client.get(PAGE).text
