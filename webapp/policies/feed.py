"""The versions of both policies as an Atom feed (RFC 4287), and security.txt (RFC 9116). Pure; called by views.py."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5
from xml.etree import ElementTree as ET  # nosec B405 - written with it, never parsed

from webapp.formatting import format_date
from webapp.policies.models import PolicyVersion

ATOM = "http://www.w3.org/2005/Atom"
_OURS = UUID("5d1c7f0e-2b0a-4c7e-9a55-6f1f6c5d1f0b")
_LIVES = timedelta(days=180)  #: of a security.txt: looked at anew at each request


def make_feed(base_url: str, versions: Sequence[PolicyVersion], operator: str, moment: datetime) -> bytes:
    """The newest first. `moment`: its date while nothing is published."""
    ET.register_namespace("", ATOM)
    feed = ET.Element(f"{{{ATOM}}}feed")
    _add(feed, "title", "Privacy and security policies")
    _add(feed, "id", _identify("feed", *versions[-1:]))
    _add(feed, "updated", _spell(max((version.published_at for version in versions), default=moment)))
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{base_url}/policies.atom")
    _add(feed, "link", rel="alternate", type="text/html", href=f"{base_url}/privacy")
    _add(_add(feed, "author"), "name", operator or "Callbook")
    for version in versions:
        _add_entry(feed, base_url, version)
    written: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _add_entry(feed: ET.Element, base_url: str, version: PolicyVersion) -> None:
    page = f"{base_url}/{version.policy.word}/{version.version}"
    weight = "Significant: " if version.significant else ""
    entry = _add(feed, "entry")
    _add(entry, "title", f"{version.policy.word.capitalize()} policy, version {version.version}")
    _add(entry, "id", _identify(f"{version.policy.word}/{version.version}", version))
    _add(entry, "link", rel="alternate", type="text/html", href=page)
    _add(entry, "published", _spell(version.published_at))
    _add(entry, "updated", _spell(version.published_at))
    words = f"In force from {format_date(version.effective_at.date())}. {weight}{version.summary}"
    _add(entry, "summary", words, type="text")


def _identify(what: str, *of: PolicyVersion) -> str:
    """The same for ever, also when the service moves to another address (RFC 4287, 4.2.6): by what was frozen."""
    return uuid5(_OURS, "/".join([what, *(version.digest.hex() for version in of)])).urn


def _add(parent: ET.Element, name: str, words: str = "", **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    element.text = words or None
    return element


def _spell(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def make_security_txt(base_url: str, contact: str, moment: datetime) -> str:
    """`contact`: an address or a page."""
    lines = {
        "Contact": contact if contact.startswith("https://") else f"mailto:{contact}",
        "Expires": _spell(moment + _LIVES),
        "Preferred-Languages": "en",
        "Canonical": f"{base_url}/.well-known/security.txt",
        "Policy": f"{base_url}/security#how-to-report-a-hole",
    }
    return "".join(f"{name}: {value}\n" for name, value in lines.items())
