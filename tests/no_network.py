"""SECURITY 53: no test reaches another machine. A pytest plugin; tests/conftest.py names it in pytest_plugins.

Python's sockets may connect within this machine only, and ask no name server. Chromium has its own watch in the
browser tests; PostgreSQL's driver is given 127.0.0.1.
"""

import ipaddress
import socket
from typing import Any

import pytest


class OutboundConnection(AssertionError):
    """A test, or what it tested, wanted to reach another machine."""


_real_connect, _real_connect_ex, _real_sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
_real_getaddrinfo = socket.getaddrinfo


def is_here(host: object) -> bool:
    """Whether a host is this machine: by its loopback addresses and names, without asking anybody."""
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).split("%", 1)[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _check(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not is_here(address[0]):
        raise OutboundConnection(f"a connection to {address[0]}:{address[1]} was about to leave this machine")


def _connect(self: socket.socket, address: Any) -> None:
    _check(self.family, address)
    _real_connect(self, address)


def _connect_ex(self: socket.socket, address: Any) -> int:
    _check(self.family, address)
    return _real_connect_ex(self, address)


def _sendto(self: socket.socket, data: Any, *rest: Any) -> int:
    _check(self.family, rest[-1])
    return _real_sendto(self, data, *rest)


def _getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
    if not is_here(host):
        raise OutboundConnection(f"the name {host!r} was about to be asked for")
    return _real_getaddrinfo(host, *rest, **named)


def pytest_configure(config: pytest.Config) -> None:
    """For the whole run, so that fixtures of every scope are under it."""
    socket.socket.connect = _connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign]
    socket.socket.sendto = _sendto  # type: ignore[method-assign, assignment]
    socket.getaddrinfo = _getaddrinfo


def pytest_unconfigure(config: pytest.Config) -> None:
    socket.socket.connect = _real_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _real_connect_ex  # type: ignore[method-assign]
    socket.socket.sendto = _real_sendto  # type: ignore[method-assign]
    socket.getaddrinfo = _real_getaddrinfo
