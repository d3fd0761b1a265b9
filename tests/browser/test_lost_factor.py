"""Locked out of every second factor: asked at the sign-in, confirmed by an owner, or started by staff and stopped."""

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from config import Settings
from tests.accounts.authenticator import mails, token_in
from tests.browser.conftest import Site
from tests.browser.test_every_page import look_at, problems_of
from tests.cast import PASSWORD, Cast
from tests.staff.conftest import SignIn, sign_in_staff
from webapp.accounts.models import UserAccount
from webapp.database.engine import Database
from webapp.tenancy.sessions import writing_session

__all__ = ["sign_in_staff"]


@pytest.fixture
def with_an_app(database: Database) -> Callable[[UserAccount], None]:
    """Gives the person a second factor that nobody has any more."""

    def give(person: UserAccount) -> None:
        with writing_session(database) as session:
            session.get_one(UserAccount, person.id).totp_secret = b"lost"
            session.commit()

    return give


def give_password(page: Page, name: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(f"{name}@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("link", name="I lost my phone and my codes").click()


def test_another_owner_confirms(
    open_browser: Callable[..., Page],
    signed_in: Callable[..., Page],
    with_an_app: Callable[[UserAccount], None],
    cast: Cast,
) -> None:
    with_an_app(cast.max)
    max_, olive = open_browser(), signed_in("olive")
    give_password(max_, "max")
    found = problems_of(max_, "lost factor")
    max_.get_by_role("button", name="Ask the owners").click()
    expect(max_.get_by_text("0 of 1 have so far")).to_be_visible()
    found += problems_of(max_, "waiting")

    found += look_at(olive, [("people, asked", "/o/harbour/people")])
    olive.get_by_role("link", name="See what it is about").or_(olive.locator("a[href*='lost-factor']")).first.click()
    expect(olive.get_by_text("Speak to max@example.com before you confirm")).to_be_visible()
    found += problems_of(olive, "to be confirmed")
    olive.get_by_role("button", name="I have spoken to them: confirm").click()
    expect(olive.get_by_text("signs in by the password alone now")).to_be_visible()
    found += problems_of(olive, "confirmed")

    max_.goto("/sign-in")
    max_.get_by_label("E-mail").fill("max@example.com")
    max_.get_by_label("Password").fill(PASSWORD)
    max_.get_by_role("button", name="Sign in", exact=True).click()
    expect(max_.get_by_role("heading", level=1)).to_have_text("Overview")
    assert found == []


def test_of_a_last_owner_staff_start_it_and_a_mail_stops_it(
    app: Flask,
    open_browser: Callable[..., Page],
    sign_in_staff: SignIn,
    with_an_app: Callable[[UserAccount], None],
    site: Site,
    cast: Cast,
    database: Database,
    settings: Settings,
) -> None:
    with_an_app(cast.olive)
    olive, stella = open_browser(), open_browser()
    give_password(olive, "olive")
    expect(olive.get_by_text("Call whoever runs Callbook.")).to_be_visible()
    found = problems_of(olive, "nobody can confirm")

    cookie = sign_in_staff(cast.stella).get_cookie("sid")
    assert cookie is not None
    stella.context.add_cookies(
        [{"name": "sid", "value": cookie.value, "url": site.address, "httpOnly": True, "sameSite": "Lax"}]
    )
    found += look_at(stella, [("start", "/staff/lost-factor")])
    stella.get_by_label("E-mail address of the person").fill("nobody@example.com")
    stella.get_by_label("Why, and how you made sure").fill("Called back")
    stella.get_by_role("button", name="Start it").click()
    expect(stella.get_by_role("alert").first).to_be_visible()
    found += problems_of(stella, "start, refused")
    stella.get_by_label("E-mail address of the person").fill("olive@example.com")
    stella.get_by_label("Why, and how you made sure").fill("Called back on the number of their contract")
    stella.get_by_role("button", name="Start it").click()
    expect(stella.get_by_text("It is started")).to_be_visible()
    found += problems_of(stella, "started")

    olive.reload()
    expect(olive.get_by_text("Support has started it.")).to_be_visible()
    found += problems_of(olive, "72 hours")
    token = token_in(mails(database, "lost_factor")[-1], settings)
    stranger = open_browser()
    found += look_at(stranger, [("not me", f"/not-me/{token}"), ("no such link", "/not-me/nonsense")])
    stranger.goto(f"/not-me/{token}")
    stranger.get_by_role("button", name="Stop it: this was not me").click()
    expect(stranger.get_by_role("heading", level=1)).to_have_text("It is stopped")
    found += problems_of(stranger, "stopped")
    assert found == []
