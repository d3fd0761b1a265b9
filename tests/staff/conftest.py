"""Browsers in which staff are signed in, with a second factor shown just now."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.accounts.authenticator import clock
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.staff.signed_in import sign_in_as_staff
from webapp.accounts.models import UserAccount
from webapp.database.engine import Database

__all__ = ["clock"]


class StaffClient(PageCheckingClient):
    """`web_session_id`: the row of its session, to which an opening is bound."""

    web_session_id = 0


SignIn = Callable[[UserAccount], StaffClient]
StaffSignIn = SignIn


@pytest.fixture
def sign_in_staff(app: Flask, database: Database) -> SignIn:
    """`sign_in_staff(cast.steven)`: a browser of theirs."""

    def sign_in(person: UserAccount) -> StaffClient:
        client = StaffClient(app, app.response_class)
        client.web_session_id = sign_in_as_staff(app, client, database, person)
        return client

    return sign_in


@pytest.fixture
def staff_client(sign_in_staff: SignIn, cast: Cast) -> StaffClient:
    """Stella's."""
    return sign_in_staff(cast.stella)


@pytest.fixture
def steven_client(sign_in_staff: SignIn, cast: Cast) -> StaffClient:
    """Another one, of Steven."""
    return sign_in_staff(cast.steven)


@pytest.fixture
def enter(sign_in_staff: SignIn) -> SignIn:
    """A new browser of a member of staff, for tests that move the clock: sessions run out."""
    return sign_in_staff
