"""A body that is too large, or that the disk has no room for, is refused before it is read."""

import shutil
import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from flask import Flask

from config import Settings
from tests.cast import Cast
from tests.serving.wire import Running, read_answer, request_head, serving
from webapp.body_limits import KEPT_FREE_BYTES, MIB, SPACE_FACTOR

GIB = 1024 * MIB
UPLOAD = "/o/harbour/phone-systems/1/imports"


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def running(app: Flask, settings: Settings) -> Iterator[Running]:
    with serving(app, settings) as running:
        yield running


def leave_free(monkeypatch: pytest.MonkeyPatch, free: float) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: Usage(GIB, 0, int(free)))


@pytest.mark.parametrize("expects", [(), ("Expect: 100-continue",)])
def test_security_42_an_upload_that_is_too_large_is_refused_from_its_announcement(
    expects: tuple[str, ...], running: Running
) -> None:
    """Nothing of the body is sent here: the answer comes before it."""
    answer = running.ask(f"POST {UPLOAD} HTTP/1.1", f"Content-Length: {3 * GIB}", *expects)

    assert answer.status == 413
    assert "2 GB, one of contacts 20 MB: split a larger one" in answer.body
    assert "nothing of it was kept" in answer.body
    assert answer.headers["connection"] == "close"
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(("address", "size"), [("/collect/1", "2 MiB"), ("/where/1/asterisk", "1 MiB")])
def test_a_phone_system_is_told_in_a_line_what_fits(running: Running, address: str, size: str) -> None:
    answer = running.ask(f"POST {address} HTTP/1.1", f"Content-Length: {3 * MIB}")

    assert answer.status == 413
    assert answer.body.startswith(f"A request to this address may have up to {size}. Nothing was stored")
    assert "GB" not in answer.body


def test_pages_take_a_megabyte(running: Running) -> None:
    assert running.ask("POST /sign-in HTTP/1.1", f"Content-Length: {2 * MIB}").status == 413
    assert running.ask("POST /nowhere HTTP/1.1", f"Content-Length: {2 * MIB}").status == 413
    assert running.ask("GET / HTTP/1.1", f"Content-Length: {2 * MIB}").status == 413


def test_an_upload_within_the_limit_is_read(running: Running, cast: Cast) -> None:
    body = b"x" * (3 * MIB)

    answer = running.ask(f"POST {UPLOAD} HTTP/1.1", f"Content-Length: {len(body)}", body=body)

    assert answer.status not in (413, 507)


def test_a_part_is_refused_as_a_part(running: Running) -> None:
    answer = running.ask(
        f"POST {UPLOAD} HTTP/1.1", f"Content-Length: {3 * GIB}", "HX-Request: true", "HX-Request-Type: partial"
    )

    assert answer.status == 413
    assert "<html" not in answer.body


def test_no_room_on_the_disk(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, KEPT_FREE_BYTES + 100 * MIB * SPACE_FACTOR - 1)

    answer = running.ask(f"POST {UPLOAD} HTTP/1.1", f"Content-Length: {100 * MIB}")

    assert answer.status == 507
    assert "everything stored before is safe" in answer.body


def test_room_that_an_upload_under_way_needs_is_counted(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, KEPT_FREE_BYTES + 150 * MIB * SPACE_FACTOR)
    announced = (f"POST {UPLOAD} HTTP/1.1", f"Content-Length: {100 * MIB}")
    with running.connect() as first:
        first.sendall(request_head(*announced) + b"the beginning")
        first.sendall(b" and more")
        refused = [running.ask(*announced).status for _ in range(1)]
    assert refused == [507]


def test_a_chunked_body_is_refused_when_it_has_grown_too_large(running: Running) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with running.connect() as connection:
        connection.sendall(request_head("POST /sign-in HTTP/1.1", "Transfer-Encoding: chunked"))
        connection.sendall(chunk * 24)
        assert read_answer(connection).status == 413


def test_a_chunked_upload_stops_where_the_disk_is_full(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, KEPT_FREE_BYTES - 1)
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    with running.connect() as connection:
        connection.sendall(request_head(f"POST {UPLOAD} HTTP/1.1", "Transfer-Encoding: chunked"))
        connection.sendall(chunk * 24)
        assert read_answer(connection).status == 507


def test_a_browser_that_goes_on_sending_gets_the_page(running: Running) -> None:
    """Closing at once would reset the connection, and the browser would show that."""
    body = b"x" * (24 * MIB)
    with running.connect() as connection:
        connection.sendall(request_head("POST /sign-in HTTP/1.1", f"Content-Length: {len(body)}") + body)
        answer = read_answer(connection)

    assert answer.status == 413
    assert answer.body.rstrip().endswith("</html>")


def test_what_follows_a_refusal_is_no_request(running: Running) -> None:
    hidden = request_head("GET /healthz HTTP/1.1")
    with running.connect() as connection:
        connection.sendall(request_head("POST /sign-in HTTP/1.1", f"Content-Length: {2 * MIB}") + hidden)
        stream = connection.makefile("rb")
        connection.shutdown(1)
        everything = stream.read()

    assert everything.count(b"HTTP/1.1 ") == 1
    assert b'"ok"' not in everything


def test_nobody_else_can_set_the_mark(running: Running) -> None:
    assert running.ask("GET /healthz HTTP/1.1", "X-Callbook-Refused: too-large").status == 200


def test_uploads_under_way_lie_in_the_data_directory(running: Running, settings: Settings) -> None:
    assert tempfile.gettempdir() == str(settings.data_dir / "tmp")
