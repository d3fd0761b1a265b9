"""SECURITY 53: the watch over outbound connections watches, and the code asks no name server."""

import ast
import smtplib
import socket
import urllib.request
from pathlib import Path

import pytest

from tests.no_network import OutboundConnection, is_here

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "10.0.0.1"])
def test_security_53_a_connection_to_another_machine_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as wanting, pytest.raises(OutboundConnection):
        wanting.connect((host, 80))
    with socket.socket(family) as wanting, pytest.raises(OutboundConnection):
        wanting.connect_ex((host, 80))
    with socket.socket(family, socket.SOCK_DGRAM) as wanting, pytest.raises(OutboundConnection):
        wanting.sendto(b"x", (host, 53))


def test_security_53_a_name_is_not_asked_for() -> None:
    with pytest.raises(OutboundConnection):
        smtplib.SMTP("mail.example.com", 25, timeout=1)
    with pytest.raises(OutboundConnection):
        urllib.request.urlopen("http://calls.example.com/", timeout=1)


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with socket.create_connection(listening.getsockname()[:2], timeout=5):
            pass
    assert is_here("localhost")
    assert is_here("::1")
    assert not is_here("localhost.example.com")


def test_security_53_only_the_mail_relay_is_connected_to() -> None:
    """No module of ours imports what reaches out, but for the relay that the operator configured."""
    reaching = {
        "smtplib",
        "urllib.request",
        "http.client",
        "requests",
        "httpx",
        "ftplib",
        "telnetlib",
        "xmlrpc.client",
        "dns",
    }
    found = set()
    for path in (ROOT / "webapp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found |= {(path.name, name) for name in names if name in reaching}

    assert found == {("relay.py", "smtplib")}


def test_security_53_addresses_are_checked_without_a_name_server() -> None:
    calls = [
        node
        for path in (ROOT / "webapp").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "validate_email"
    ]

    assert calls
    for call in calls:
        named = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
        assert named["check_deliverability"] is False
