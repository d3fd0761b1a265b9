"""Signing in and out."""

from tests.cast import Cast
from tests.client import PageCheckingClient


def test_signing_in_leads_to_the_only_organization(client: PageCheckingClient, cast: Cast) -> None:
    answer = client.sign_in(cast.olive)
    assert answer.status_code == 303
    assert answer.location == "/"
    assert client.get("/").location == "/o/harbour/"
