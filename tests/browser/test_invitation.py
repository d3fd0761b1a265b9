"""Inviting and joining in a browser, on a phone too: from the form to the overview, and in place on the People page."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from tests.browser.conftest import PHONE, WIDE
from tests.browser.test_every_page import problems_of
from tests.cast import PASSWORD, Cast
from tests.make import Make
from webapp.database.engine import Database
from webapp.organizations.models import Invitation
from webapp.tenancy.sessions import reading_session

CHOSEN = "seven large ships in fog"


def invitation_of(database: Database, cast: Cast, email: str) -> Invitation:
    with reading_session(database, cast.harbour.id) as session:
        return session.scalars(
            select(Invitation).where(Invitation.email == email).order_by(Invitation.id.desc())
        ).first() or pytest.fail(f"{email} was not invited")


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
def test_an_owner_invites_and_the_invited_lands_on_the_overview(
    signed_in: Callable[..., Page],
    open_browser: Callable[..., Page],
    cast: Cast,
    make: Make,
    database: Database,
    viewport: dict[str, int],
) -> None:
    owner = signed_in("olive", viewport=viewport)
    owner.goto("/o/harbour/people")
    owner.get_by_role("link", name="Invite people").click()
    owner.get_by_label("E-mail addresses").fill("ada@example.com\nvera@example.com")
    owner.get_by_label("A line of yours").fill("See you on Monday")
    owner.get_by_role("button", name="Invite").click()
    expect(owner.get_by_role("heading", level=1)).to_have_text("People")
    expect(owner.get_by_text("Invited: ada@example.com.")).to_be_visible()
    expect(owner.get_by_text("vera@example.com is a member already.")).to_be_visible()

    token = make.token_of(invitation_of(database, cast, "ada@example.com"))
    ada = open_browser(viewport=viewport)
    ada.goto(f"/invitations/{token}")
    found = problems_of(ada, "link")
    ada.set_viewport_size(viewport)
    ada.get_by_role("button", name="Show the invitation").click()
    expect(ada.get_by_role("heading", level=1)).to_have_text("Join Harbour Boats")
    assert ada.url.endswith("/invitation")
    expect(ada.get_by_text("See you on Monday")).to_be_visible()
    found += problems_of(ada, "invitation")
    ada.set_viewport_size(viewport)
    ada.get_by_label("Your name").fill("Ada")
    ada.get_by_label("Choose a password").fill("short")
    ada.get_by_role("button", name="Join").click()
    expect(ada.get_by_text("Use at least 12 characters")).to_be_visible()
    expect(ada.get_by_label("Your name")).to_have_value("Ada")
    ada.get_by_label("Choose a password").fill(CHOSEN)
    ada.get_by_role("button", name="Join").click()
    expect(ada.get_by_role("heading", level=1)).to_have_text("Overview")
    expect(ada.get_by_text("Welcome to Harbour Boats.")).to_be_visible()
    [cookie] = ada.context.cookies()
    assert (cookie["name"], cookie["httpOnly"]) == ("sid", True)
    ada.goto(f"/invitations/{token}")
    expect(ada.get_by_role("heading", level=1)).to_have_text("This link opens nothing")
    assert found == []


def test_who_has_an_account_signs_in_on_the_way(open_browser: Callable[..., Page], make: Make, cast: Cast) -> None:
    page = open_browser()
    page.goto(f"/invitations/{make.token_of(make.invitation(cast.nora.email))}")
    page.get_by_role("button", name="Show the invitation").click()
    page.get_by_role("link", name="Sign in to join").click()
    page.get_by_label("E-mail").fill(cast.nora.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Join as nora@example.com").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")


def test_invitations_are_handled_in_place(
    signed_in: Callable[..., Page], make: Make, cast: Cast, database: Database
) -> None:
    make.invitation("ada@example.com")
    make.invitation("babbage@example.com")
    page = signed_in("olive")
    page.goto("/o/harbour/people")
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Send again: ada@example.com").click()
    expect(page.get_by_text("A new link goes to ada@example.com")).to_be_visible()
    assert invitation_of(database, cast, "ada@example.com").mail_count == 2
    page.get_by_role("button", name="Revoke: babbage@example.com").click()
    expect(page.get_by_text("The invitation of babbage@example.com is revoked")).to_be_visible()
    page.get_by_role("link", name="Change the invitation of ada@example.com").click()
    form = page.get_by_role("form", name="Change ada@example.com")
    form.get_by_label("Only the calls of").fill("999")
    form.get_by_role("button", name="Store").click()
    expect(form.get_by_text("No phone system here has had a call of extension 999").first).to_be_visible()
    assert page.evaluate("window.same") is True
    form.get_by_label("Only the calls of").fill("")
    form.get_by_label("Role").select_option("manager")
    form.get_by_role("button", name="Store").click()
    expect(page.get_by_text("The invitation of ada@example.com is changed.")).to_be_visible()
    assert problems_of(page, "people") == []


def test_without_script_it_works_as_well(signed_in: Callable[..., Page], make: Make) -> None:
    make.invitation("ada@example.com")
    page = signed_in("olive", java_script_enabled=False)
    page.goto("/o/harbour/people")
    page.get_by_role("link", name="Change the invitation of ada@example.com").click()
    page.get_by_label("Role").select_option("manager")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_text("The invitation of ada@example.com is changed.")).to_be_visible()
    page.get_by_role("button", name="Revoke: ada@example.com").click()
    expect(page.get_by_text("No invitation is open.")).to_be_visible()
