"""The server as a whole: slow clients, proxies, an end that loses nothing; and the process around it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask, jsonify, request

from config import Settings
from tests.cast import Cast
from tests.serving.wire import PATIENCE_SECONDS, Running, read_answer, request_head, serving
from webapp import access
from webapp.database.installation import initialize
from webapp.serving import Server

ROOT = Path(__file__).resolve().parents[2]
SECRET_KEY = "for this test alone: 0123456789 abcdefghij"


@pytest.fixture
def running(app: Flask, settings: Settings) -> Iterator[Running]:
    with serving(app, settings) as running:
        yield running


@access.public
def who_asks() -> object:
    return jsonify(address=request.remote_addr, scheme=request.scheme, host=request.host)


def test_security_46_half_open_connections_do_not_stop_service(running: Running) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            connection = stack.enter_context(running.connect())
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
        answers = [running.ask("GET /healthz HTTP/1.1").status for _ in range(5)]

    assert answers == [200] * 5


def test_security_46_a_half_open_connection_is_closed_in_the_end(app: Flask, settings: Settings) -> None:
    server = Server(app, settings, port=0)
    try:
        limits = {each.adj.connection_limit for each in server._listeners}
        assert limits == {1000}
        assert {(each.adj.channel_timeout, each.adj.cleanup_interval) for each in server._listeners} == {(15, 5)}
        assert all(each.adj.asyncore_use_poll for each in server._listeners)
    finally:
        server.close()


def test_security_37_nothing_says_what_serves(running: Running) -> None:
    answer = running.ask("GET /healthz HTTP/1.1")

    assert not {"server", "via", "x-powered-by"} & answer.headers.keys()


def test_security_47_trace_is_refused(running: Running) -> None:
    assert running.ask("TRACE / HTTP/1.1").status == 405


def test_long_headers_are_refused(running: Running) -> None:
    assert running.ask("GET /healthz HTTP/1.1", "X-Long: " + "x" * 40_000).status == 431


@pytest.mark.parametrize(
    ("trusted", "address", "scheme"), [(None, "127.0.0.1", "http"), ("127.0.0.1", "9.9.9.9", "https")]
)
def test_security_41_only_the_trusted_proxy_says_who_asks(
    trusted: str | None, address: str, scheme: str, app: Flask, settings: Settings
) -> None:
    """Of several addresses the last counts: the proxy wrote it, whoever calls wrote the others."""
    app.add_url_rule("/who", view_func=who_asks)  # type: ignore[type-var]
    with serving(app, replace(settings, trusted_proxy=trusted)) as running:
        answer = running.ask(
            "GET /who HTTP/1.1",
            "X-Forwarded-For: 6.6.6.6, 9.9.9.9",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: evil.example.com",
        )

    assert f'"address":"{address}"' in answer.body
    assert f'"scheme":"{scheme}"' in answer.body
    assert "evil" not in answer.body


def test_a_service_reached_by_tls_knows_it(app: Flask, settings: Settings) -> None:
    app.add_url_rule("/who", view_func=who_asks)  # type: ignore[type-var]
    with serving(app, replace(settings, base_url="https://localhost")) as running:
        assert '"scheme":"https"' in running.ask("GET /who HTTP/1.1").body


def test_a_request_under_way_is_answered_before_the_end(app: Flask, settings: Settings) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @access.public
    def wait() -> str:
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        return "whole"

    app.add_url_rule("/wait", view_func=wait)
    with serving(app, settings) as running, running.connect() as connection:
        connection.sendall(request_head("GET /wait HTTP/1.1"))
        assert begun.wait(PATIENCE_SECONDS)
        running.server.stop()
        until = time.monotonic() + PATIENCE_SECONDS
        while listens(running.port) and time.monotonic() < until:
            time.sleep(0.01)
        go_on.set()
        answer = read_answer(connection)

        assert (answer.status, answer.body) == (200, "whole")
        running.thread.join(PATIENCE_SECONDS)
        assert not running.thread.is_alive()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


# ------------------------------------------------------------------------------------------------------ the process


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """Of a real installation in this directory, whatever the tests' own environment is."""
    ours = {name: text for name, text in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {**ours, "DATA_DIR": str(data_dir), "SECRET_KEY": SECRET_KEY, **settings}


def start_real(data_dir: Path, *, holds_demo: bool = False) -> Settings:
    settings = Settings(
        database_url=f"sqlite:///{data_dir / 'callbook.sqlite'}",
        database_owner_url=None,
        database_staff_url=None,
        number_key=None,
        secret_key=SECRET_KEY,
        data_dir=data_dir,
        host="127.0.0.1",
        port=8080,
        base_url="http://127.0.0.1:8080",
        trusted_hosts=("127.0.0.1",),
        trusted_proxy=None,
        smtp_url=None,
        mail_from=None,
    )
    initialize(settings, holds_demo=holds_demo)
    return settings


def serve(environ: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "webapp.serving"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def refusal(environ: dict[str, str]) -> str:
    """What a server that does not start says."""
    done = subprocess.run(
        [sys.executable, "-m", "webapp.serving"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_make_serve_serves_until_sigterm(tmp_path: Path) -> None:
    start_real(tmp_path / "data")
    port = free_port()
    process = serve(environment(tmp_path / "data", PORT=str(port)))
    try:
        assert process.stdout
        assert f"http://127.0.0.1:{port}" in process.stdout.readline()
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert read_answer(connection).status == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == 0
    assert "Traceback" not in errors
    assert [path.name for path in (tmp_path / "data" / "tmp").iterdir()] == []


def test_make_serve_refuses_a_missing_secret_key_and_says_how_to_make_one(tmp_path: Path) -> None:
    start_real(tmp_path)
    words = refusal(environment(tmp_path, SECRET_KEY=""))

    assert "SECRET_KEY" in words
    assert "secrets.token_hex" in words


def test_make_serve_refuses_http_for_others(tmp_path: Path) -> None:
    start_real(tmp_path)

    assert "TLS" in refusal(environment(tmp_path, BASE_URL="http://calls.example.com"))


def test_make_serve_refuses_a_demo(tmp_path: Path) -> None:
    start_real(tmp_path, holds_demo=True)

    assert "holds the demo" in refusal(environment(tmp_path))


def test_make_serve_refuses_a_database_that_is_not_there(tmp_path: Path) -> None:
    assert "flask init-db" in refusal(environment(tmp_path / "nothing"))


def test_make_serve_names_an_address_that_is_taken(tmp_path: Path) -> None:
    start_real(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        words = refusal(environment(tmp_path, PORT=str(taken.getsockname()[1])))

    assert re.search(r"cannot listen on 127\.0\.0\.1:\d+", words)
    assert "PORT=" in words


@pytest.mark.parametrize("is_command", [False, True])
def test_any_wsgi_server_finds_the_app(is_command: bool, tmp_path: Path) -> None:
    """Asked by a server, a missing database is refused; asked by `flask`, whose commands make one, it is not."""
    environ = environment(tmp_path / "nothing") | ({"FLASK_RUN_FROM_CLI": "true"} if is_command else {})
    done = subprocess.run(
        [sys.executable, "-c", "import wsgi; print(wsgi.app.name)"],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert (done.returncode, "flask init-db" in done.stderr) == ((0, False) if is_command else (1, True))


def test_the_cast_is_served(running: Running, cast: Cast) -> None:
    assert running.ask("GET /sign-in HTTP/1.1").status == 200
