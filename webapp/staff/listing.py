"""Lists organizations for the console: a page at a time in the order that was chosen, each with its counts.

A page begins after an organization, which the address names by its id. Every order has an index (schema.sql), so that
ten thousand of them are never sorted, and never counted. Called by console_views.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal, or_, select, tuple_

from webapp.organizations.models import OrganizationUsage
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, OrganizationState

ON_A_PAGE = 50
FOUND_AT_MOST = 50  #: by words: who looks for more writes more of them
_Statement = Select[Organization, OrganizationUsage]
_NEVER = literal(0, literal_execute=True)  # spelt out, as the index has it


class Sort(StrEnum):
    NAME = "name"
    NEWEST = "newest"
    CALLS = "calls"
    BYTES = "bytes"
    FAILING = "failing"
    SIGN_IN = "sign-in"


@dataclass(frozen=True)
class Asked:
    """Which organizations. `after_id`: the last one of the page before."""

    state: OrganizationState | None = None
    sort: Sort = Sort.NAME
    after_id: int | None = None

    def to_query(self, **changes: Any) -> dict[str, str]:
        """As it stands in an address, without what goes without saying and without the place."""
        asked = replace(self, **changes)
        pairs = {
            "state": asked.state.name.lower() if asked.state else "",
            "sort": "" if asked.sort == Sort.NAME else asked.sort.value,
        }
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True)
class Listed:
    """An organization with its counts."""

    organization: Organization
    usage: OrganizationUsage

    @property
    def counted_at(self) -> datetime | None:
        """None: it was not counted yet."""
        return self.usage.counted_at if self.usage.counted_at > self.organization.created_at else None


_ORDERS: Mapping[Sort, tuple[Any, ...]] = {
    Sort.NAME: (func.lower(Organization.name), Organization.id),
    Sort.NEWEST: (Organization.id,),
    Sort.CALLS: (OrganizationUsage.calls, OrganizationUsage.organization_id),
    Sort.BYTES: (OrganizationUsage.file_bytes, OrganizationUsage.organization_id),
    Sort.FAILING: (OrganizationUsage.failing_sources, OrganizationUsage.organization_id),
    Sort.SIGN_IN: (func.coalesce(OrganizationUsage.last_sign_in_day, _NEVER), OrganizationUsage.organization_id),
}
_SMALLEST_FIRST = frozenset({Sort.NAME})


def list_organizations(session: LockedSession, asked: Asked) -> tuple[list[Listed], bool]:
    """A page of them, and whether more follow."""
    found = _read(session, page_of(session, asked))
    return found[:ON_A_PAGE], len(found) > ON_A_PAGE


def page_of(session: LockedSession, asked: Asked) -> _Statement:
    """The statement of a page and one more."""
    order, smallest_first = _ORDERS[asked.sort], asked.sort in _SMALLEST_FIRST
    wanted: _Statement = _with_usage(select(Organization, OrganizationUsage)).where(*_of_state(asked.state))
    if asked.after_id is not None:
        place = session.execute(_with_usage(select(*order)).where(Organization.id == asked.after_id)).one_or_none()
        if place is not None:
            here, there = tuple_(*order), tuple_(*place, types=[column.type for column in order])
            wanted = wanted.where(here > there if smallest_first else here < there)
    return wanted.order_by(*(order if smallest_first else [column.desc() for column in order])).limit(ON_A_PAGE + 1)


def find_organizations(
    session: LockedSession, words: str, state: OrganizationState | None
) -> tuple[list[Listed], bool]:
    """Those with each of the words in their name, their address here or an owner's; and whether more have them."""
    wanted = _with_usage(select(Organization, OrganizationUsage)).where(
        *_of_state(state), *(_holds(word) for word in words.split())
    )
    found = _read(session, wanted.order_by(*_ORDERS[Sort.NAME]).limit(FOUND_AT_MOST + 1))
    return found[:FOUND_AT_MOST], len(found) > FOUND_AT_MOST


def get_listed(session: LockedSession, organization_id: int) -> Listed | None:
    """One organization with its counts."""
    found = _read(
        session, _with_usage(select(Organization, OrganizationUsage)).where(Organization.id == organization_id)
    )
    return found[0] if found else None


def _read(session: LockedSession, statement: _Statement) -> list[Listed]:
    return [Listed(organization, usage) for organization, usage in session.execute(statement)]


def _with_usage(statement: Any) -> Any:
    return statement.join_from(Organization, OrganizationUsage, OrganizationUsage.organization_id == Organization.id)


def _of_state(state: OrganizationState | None) -> list[ColumnElement[bool]]:
    return [] if state is None else [Organization.state == state]


def _holds(word: str) -> ColumnElement[bool]:
    # SQLite folds the case of ASCII letters only; three spellings of the others meet nearly every name.
    spellings = {word} if word.isascii() else {word.lower(), word.upper(), word.title()}
    columns = (Organization.name, Organization.slug, OrganizationUsage.owners)
    return or_(*(column.icontains(each, autoescape=True) for each in sorted(spellings) for column in columns))
