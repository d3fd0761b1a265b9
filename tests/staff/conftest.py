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
SignIn = Callable[[UserAccount], PageCheckingClient]


@pytest.fixture
def sign_in_staff(app: Flask, database: Database) -> SignIn:
    """`sign_in_staff(cast.steven)`: a browser of theirs."""

    def sign_in(person: UserAccount) -> PageCheckingClient:
        client = app.test_client()
        assert isinstance(client, PageCheckingClient)
        sign_in_as_staff(app, client, database, person)
        return client

    return sign_in


@pytest.fixture
def staff_client(sign_in_staff: SignIn, cast: Cast) -> PageCheckingClient:
    """Stella's."""
    return sign_in_staff(cast.stella)


@pytest.fixture
def steven_client(sign_in_staff: SignIn, cast: Cast) -> PageCheckingClient:
    """Another one, of Steven."""
    return sign_in_staff(cast.steven)


@pytest.fixture
def enter(sign_in_staff: SignIn) -> SignIn:
    """A new browser of a member of staff, for tests that move the clock: sessions run out."""
    return sign_in_staff
