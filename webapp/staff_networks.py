"""From where the console answers at all: outside of STAFF_NETWORKS there is nothing under /staff/.

Registered by create_app() before the guard, so that nobody elsewhere is even asked to sign in. The gates ask it about
sessions of staff on every other page.
"""

import ipaddress

from flask import Flask, request

from webapp import logs
from webapp.errors import NotFound
from webapp.services import services

_CONSOLE = "/staff"


def register(app: Flask) -> None:
    app.before_request(_check_network)


def is_of_the_console(path: str) -> bool:
    """Whether an address belongs to the console, its sign-in page included."""
    return path == _CONSOLE or path.startswith(f"{_CONSOLE}/")


def is_inside() -> bool:
    """Whether the present request comes from a network that the console answers."""
    networks = services().settings.staff_networks
    if not networks:
        return True
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in network for network in networks if network.version == mapped.version)


def _check_network() -> None:
    if is_of_the_console(request.path) and not is_inside():
        logs.event("staff.outside_network")
        raise NotFound
