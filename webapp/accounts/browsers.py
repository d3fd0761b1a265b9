"""A browser and its place in plain words: "Firefox on Linux", "your own network". Nobody is looked up anywhere.

Called when a session begins or an event is noted; the words are stored, the user agent is not.
"""

import ipaddress
from dataclasses import dataclass

from flask import request

from webapp.rate_limits import network_of

#: In order: each browser names its ancestors as well.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Opera", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Vivaldi", "Vivaldi"),
    ("FxiOS", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "Chromebook"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


_LOOPBACK_6 = "::/64"  # what limits make of ::1


@dataclass(frozen=True)
class Where:
    """From where somebody asks: their network, as limits count it, and their browser in words."""

    network: str
    browser: str


def here() -> Where:
    """Of the present request."""
    return Where(network_of(request.remote_addr), describe_browser(request.user_agent.string))


def describe_browser(user_agent: str) -> str:
    """ "Firefox on Linux", "Safari on iPhone", "a browser on Windows", "an unknown browser"."""
    browser = next((word for mark, word in _BROWSERS if mark in user_agent), "")
    system = next((word for mark, word in _SYSTEMS if mark in user_agent), "")
    if not browser and not system:
        return "an unknown browser"
    return f"{browser or 'a browser'} on {system}" if system else browser


def describe_network(network: str) -> str:
    """What a network is, with its address: no map of the world is asked."""
    try:
        found = ipaddress.ip_network(network)
    except ValueError:
        return "An unknown network"
    first = found.network_address
    if first.is_loopback or network == _LOOPBACK_6:
        return "This computer itself"
    kind = f"IPv{found.version} network"
    if first.is_private and not _is_documentation(found):
        return f"Private network {network}"
    return f"{kind} {network}"


def _is_documentation(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Addresses of examples and tests, which `is_private` counts among the private ones."""
    examples = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
    return any(
        network.version == example.version and network.network_address in example
        for example in map(ipaddress.ip_network, examples)
    )
