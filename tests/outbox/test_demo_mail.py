"""/demo/mail: every mail of the demo, its link to be followed; and nothing at all anywhere else."""

from dataclasses import replace

import pytest
from flask import Flask

from config import Settings
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.outbox.conftest import TOKEN, Queue
from webapp import create_app
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id


@pytest.fixture
def demo(settings: Settings, database: Database) -> PageCheckingClient:
    app = create_app(replace(settings, demo=True), database)
    app.testing = True
    app.test_client_class = PageCheckingClient
    client = app.test_client()
    assert isinstance(client, PageCheckingClient)
    return client


def test_the_list_and_one_mail(demo: PageCheckingClient, queue: Queue) -> None:
    mail_id = queue(words={"name": "Olive <b>"})
    page = demo.get("/demo/mail")

    assert page.status_code == 200
    assert "A link for Olive &lt;b&gt;" in page.text
    assert "olive@example.com" in page.text
    assert f"/demo/mail/{spell_id(mail_id)}" in page.text

    page = demo.get(f"/demo/mail/{spell_id(mail_id)}")
    assert f'<a href="/open/{TOKEN}">' in page.text
    assert "Hello Olive &lt;b&gt;," in page.text
    assert "&lt;!doctype html&gt;" in page.text, "the HTML is shown as its source"


def test_without_any_mail(demo: PageCheckingClient) -> None:
    assert "No mail yet" in demo.get("/demo/mail").text


def test_the_link_of_an_earlier_run_is_said_to_be_lost(demo: PageCheckingClient, queue: Queue) -> None:
    mail_id = queue(secret=b"sealed at an earlier start")

    assert "test_link" in demo.get("/demo/mail").text
    assert "the link in an earlier mail is lost" in demo.get(f"/demo/mail/{spell_id(mail_id)}").text


def test_a_mail_that_is_not_there(demo: PageCheckingClient) -> None:
    assert demo.get(f"/demo/mail/{spell_id(new_id())}").status_code == 404
    assert demo.post("/demo/mail").status_code == 405


def test_security_21_a_real_installation_has_no_such_page(
    app: Flask, client: PageCheckingClient, cast: Cast, queue: Queue
) -> None:
    mail_id = queue()
    paths = ("/demo/mail", f"/demo/mail/{spell_id(mail_id)}")
    nowhere = client.get("/demo/nothing-here").text
    for path in paths:
        page = client.get(path)
        assert page.status_code == 404
        assert "Olive" not in page.text
        assert len(page.text) == len(nowhere)
    client.sign_in(cast.olive)
    assert {client.get(path).status_code for path in paths} == {404}


def test_security_21_another_machine_does_not_see_the_demos_mail(demo: PageCheckingClient, queue: Queue) -> None:
    mail_id = queue()
    for path in ("/demo/mail", f"/demo/mail/{spell_id(mail_id)}"):
        assert demo.get(path, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 404
        assert demo.get(path, environ_overrides={"REMOTE_ADDR": "::1"}).status_code == 200


def test_security_41_a_host_header_changes_no_link(demo: PageCheckingClient, queue: Queue) -> None:
    mail_id = queue()
    page = demo.get(
        f"/demo/mail/{spell_id(mail_id)}", headers={"Host": "127.0.0.1", "X-Forwarded-Host": "evil.example"}
    )

    assert page.status_code == 200
    assert f"http://localhost:8080/open/{TOKEN}" in page.text
    assert "evil" not in page.text
    assert demo.get("/demo/mail", headers={"Host": "evil.example"}).status_code == 400
