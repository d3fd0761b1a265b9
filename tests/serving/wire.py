"""HTTP by hand, for what no client library would send."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask

from config import Settings
from webapp.serving import Server

PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


@dataclass(frozen=True)
class Running:
    """A server that answers in a thread of this process."""

    server: Server
    thread: threading.Thread

    @property
    def port(self) -> int:
        return self.server.port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def ask(self, *lines: str, body: bytes = b"") -> Answer:
        """Send one request and read its answer; a Host line is added."""
        with self.connect() as connection:
            connection.sendall(request_head(*lines) + body)
            return read_answer(connection)


def request_head(*lines: str) -> bytes:
    return "\r\n".join((*lines[:1], "Host: localhost", *lines[1:], "", "")).encode("latin-1")


@contextmanager
def serving(app: Flask, settings: Settings) -> Iterator[Running]:
    server = Server(app, settings, port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Running(server, thread)
    finally:
        server.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def read_answer(connection: socket.socket) -> Answer:
    """One answer with its body, by Content-Length."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if status == 100:
        return read_answer(connection)
    return Answer(status, headers, stream.read(int(headers.get("content-length", "0"))).decode("utf-8"))
