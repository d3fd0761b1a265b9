"""SECURITY 32 and 33, over whole visits: the log holds nothing that a person types or has, and no broken line."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.conftest import HARBOUR
from webapp import logs
from webapp.calls import detail_views
from webapp.database.ids import spell_id

NUMBER, DIGITS = "+442079460199", "2079460199"
TYPED_PASSWORD = "canary password 81724"
UNKNOWN = "canary-81724@example.net"
NASTY = 'x\r\n{"level": "forged"}\x1b[31m\x00\u2028'


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that the server would write to standard error."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    """Each line as the object it is. Fails on one that is none."""
    text = written.getvalue()
    assert text.isascii() and "\x1b" not in text
    found = [json.loads(line) for line in text.split("\n")[:-1]]
    assert all(set(line) >= {"at", "level", "logger", "message"} for line in found)
    return found


def visit(client: PageCheckingClient, cast: Cast, make: Make) -> set[str]:
    """A visit with everything in it that must not be told; gives the secrets that the browser got."""
    pbx = make.pbx("Canary office")
    call = make.call(pbx=pbx, caller=NUMBER, names={NUMBER: "Canary Customer"})
    client.get("/sign-in")
    secrets = {client.token()}
    client.send("/sign-in", {"email": UNKNOWN, "password": TYPED_PASSWORD})
    client.send("/sign-in", {"email": cast.max.email, "password": TYPED_PASSWORD})
    client.sign_in(cast.max)
    cookie = client.get_cookie("sid")
    assert cookie is not None
    secrets |= {cookie.value, cookie.value.split(".")[0], client.token()}
    client.get(f"{HARBOUR}/calls/{spell_id(call.call_key)}")
    found = client.send(f"{HARBOUR}/calls/search", {"words": NUMBER})
    client.get(found.location)
    client.get(found.location.replace("/calls?", "/calls/export?"))
    client.get(f"{HARBOUR}/calls?next={NUMBER}&q={UNKNOWN}")
    client.get(f"{HARBOUR}/who-looked?who={UNKNOWN}")
    client.get(f"/o/quayside/calls?search={DIGITS}")
    line = f'"","{DIGITS}","201","from-trunk","""Canary"" <{DIGITS}>","","","","","2026","","",1,1,"x","y","z",""\n'
    upload = f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/imports"
    content = (io.BytesIO(line.encode() * 3), f"{DIGITS}.csv")
    client.send(upload, {"file": content}, content_type="multipart/form-data")
    client.post(f"{HARBOUR}/calls/search", data={"words": NUMBER, "csrf_token": "canary-token-81724"})
    client.send("/sign-out")
    return secrets


def test_security_32_nothing_of_a_visit_is_in_the_log(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, written: io.StringIO
) -> None:
    secrets = visit(client, cast, make)
    found = lines(written)
    text = written.getvalue()
    for canary in (PASSWORD, TYPED_PASSWORD, UNKNOWN, cast.max.email, DIGITS, "7946", "Canary", "canary", *secrets):
        assert len(canary) > 3 and canary.lower() not in text.lower(), canary
    told = {line["message"] for line in found if line["logger"] == "callbook.event"}
    assert told >= {"sign_in.refused", "sign_in.done", "sign_out.done", "access.no_member", "access.role_too_small"}
    events = [line for line in found if line["message"] in ("sign_in.done", "access.no_member")]
    assert all(line["user_account_id"] == cast.max.id and line["at"].endswith("+00:00") for line in events)


def test_security_32_nor_when_something_breaks(
    app: Flask,
    client: PageCheckingClient,
    cast: Cast,
    make: Make,
    written: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_arguments: object, **_words: object) -> None:
        raise ValueError(f"{NUMBER} {UNKNOWN} {TYPED_PASSWORD}")

    client.sign_in(cast.max)
    monkeypatch.setattr(detail_views, "get_call_detail", fail)
    app.testing = False
    assert client.get(f"{HARBOUR}/calls/{spell_id(make.call().call_key)}").status_code == 500
    [broken] = [line for line in lines(written) if line["level"] == "error"]
    assert broken["error"] == "ValueError"
    assert not re.search(rf"{DIGITS}|{UNKNOWN}|{TYPED_PASSWORD}", written.getvalue())


def test_security_33_line_ends_and_colours_stay_on_one_line(
    client: PageCheckingClient, cast: Cast, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.client.check_html", lambda _text: None)  # a form shows again what was typed into it
    before = len(lines(written))
    dirty = {"HTTP_USER_AGENT": NASTY, "HTTP_REFERER": NASTY, "HTTP_X_FORWARDED_FOR": NASTY}
    client.get("/sign-in", environ_overrides=dirty)
    client.send("/sign-in", {"email": NASTY, "password": NASTY, "next": NASTY}, environ_overrides=dirty)
    client.send("/sign-in", {"email": f"olive@example.com{NASTY}", "password": PASSWORD})
    client.sign_in(cast.olive)
    for path in ("/x%0d%0a%1b[31m", f"{HARBOUR}/calls/%0a%7b", f"{HARBOUR}/calls?direction=%0d%0a%1b[31m&after=%00"):
        client.get(path, environ_overrides=dirty)
    client.open("/sign-in", method="DELETE", environ_overrides={**dirty, "PATH_INFO": f"/sign-in{NASTY[:2]}"})
    found = lines(written)[before:]
    answered = [line for line in found if line["logger"] == "callbook.request"]
    assert len(answered) >= 9
    assert "forged" not in {line["level"] for line in found}
    assert "[31m" not in written.getvalue()
