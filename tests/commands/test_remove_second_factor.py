"""flask remove-second-factor: for somebody who has lost phone and codes."""

from click.testing import Result
from flask import Flask

from tests.accounts.authenticator import events, mails, set_up_app, stored
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.staff.chains import SERVICE, sentences
from webapp.database.engine import Database


def run(app: Flask, email: str) -> Result:
    return app.test_cli_runner().invoke(args=["remove-second-factor", email])


def test_the_password_alone_signs_in_again(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    set_up_app(client)
    done = run(app, cast.olive.email)
    assert done.exit_code == 0, done.output
    assert "signs in by password alone now" in done.output
    assert client.get("/account").status_code == 303
    assert stored(database, cast.olive).totp_secret is None
    assert events(database, cast.olive)[-1] == "factor.taken_away"
    assert len(mails(database, "lost_factor")) == 1
    for chain in (cast.harbour.id, SERVICE):
        [told] = sentences(database, chain, "lost_factor")
        assert "olive@example.com was taken away" in told and "the person who runs Callbook" in told
    client.sign_in(cast.olive)
    assert "By a command of the person who runs Callbook" in client.get("/security-settings").text


def test_who_has_none_is_told(app: Flask, cast: Cast) -> None:
    for email, said in (
        (cast.max.email, "has neither an authenticator app nor a passkey"),
        ("nobody@example.com", "Nobody here has"),
    ):
        done = run(app, email)
        assert done.exit_code == 1
        assert said in done.output
