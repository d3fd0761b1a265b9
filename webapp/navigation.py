"""The pages in the bar on top. Each feature adds its own when its views are loaded; webapp/__init__.py shows them."""

from dataclasses import dataclass
from enum import IntEnum

from flask import current_app, request

from webapp import access
from webapp.tenancy.models import Membership
from webapp.tenancy.request import current_opening, may_open


@dataclass(frozen=True)
class Entry:
    label: str
    endpoint: str
    order: int
    role: IntEnum
    narrowed: str  #: its label for somebody who sees the calls of some extensions only, "" for the same
    beneath: tuple[str, ...]  #: blueprints of which it is the current one, besides its own


@dataclass(frozen=True)
class Link:
    """One entry as the layout shows it."""

    label: str
    endpoint: str
    current: bool


_entries: dict[str, Entry] = {}


def add(
    label: str, endpoint: str, order: int, role: IntEnum, narrowed: str = "", beneath: tuple[str, ...] = ()
) -> None:
    """Show this page to members from this role up."""
    _entries[endpoint] = Entry(label, endpoint, order, role, narrowed, beneath)


def links(membership: Membership) -> list[Link]:
    """The entries that a member of the organization of this request can open, in order; staff: what is open to them."""
    of_staff = current_opening() is not None
    return [
        Link(
            (membership.narrowed and entry.narrowed) or entry.label,
            entry.endpoint,
            request.blueprint in (entry.endpoint.partition(".")[0], *entry.beneath),
        )
        for entry in sorted(_entries.values(), key=lambda entry: entry.order)
        if (may_open(entry.endpoint) if of_staff else _may_see(entry, membership))
    ]


def _may_see(entry: Entry, membership: Membership) -> bool:
    return membership.role >= entry.role and not (membership.narrowed and _sees_every_call(entry))


def _sees_every_call(entry: Entry) -> bool:
    return access.of(current_app.view_functions[entry.endpoint]).sees_every_call
