"""The pages in the bar on top. Each feature adds its own when its views are loaded; webapp/__init__.py shows them."""

from dataclasses import dataclass
from enum import IntEnum

from flask import request, url_for


@dataclass(frozen=True)
class Entry:
    label: str
    endpoint: str
    order: int
    role: IntEnum


@dataclass(frozen=True)
class Link:
    """One entry as the layout shows it."""

    label: str
    href: str
    current: bool


_entries: dict[str, Entry] = {}


def add(label: str, endpoint: str, order: int, role: IntEnum) -> None:
    """Show this page to members from this role up."""
    _entries[endpoint] = Entry(label, endpoint, order, role)


def links(role: IntEnum) -> list[Link]:
    """The entries for a member of the organization of this request, in order."""
    return [
        Link(entry.label, url_for(entry.endpoint), request.blueprint == entry.endpoint.partition(".")[0])
        for entry in sorted(_entries.values(), key=lambda entry: entry.order)
        if role >= entry.role
    ]
