"""What stands beside a section of a policy: each of its promises with state, figures and evidence.

Made by the views: `Besides(session, asking)` once a page, then `beside(section.promises)` for each section, whose items
templates/policies/_promise.html shows. Only reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Request, current_app, url_for

from webapp import access
from webapp.clock import now
from webapp.database.engine import Database
from webapp.policies.evidence import Evidence, evidence_of
from webapp.policies.promise import Asking, Cookie, Figure, Promise
from webapp.policies.promises import BY_KEY, PROMISES
from webapp.policies.states import State, list_states
from webapp.policies.values import Values
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.reader import Reader

PUBLIC_ZONE = ZoneInfo("UTC")


@dataclass(frozen=True)
class Shown:
    """One promise as the page shows it. `mark`: "kept", "broken" or "unknown", each with words of its own."""

    promise: Promise
    state: State | None
    mark: str
    figures: list[Figure]
    evidence: list[Evidence]


class Besides:
    """All that one page shows beside its sections, for one reader. The states are read once."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.states = list_states(asking.session)

    def __call__(self, promises: Iterable[str]) -> list[Shown]:
        """Of the promises that a section names; one that this release does not know is passed over."""
        return [self._show(BY_KEY[key]) for key in promises if key in BY_KEY]

    @property
    def kept_count(self) -> int:
        """How many are kept, as of the last check."""
        return sum(mark_of(self.states.get(promise.key), self.asking.moment) == "kept" for promise in PROMISES)

    @property
    def all_count(self) -> int:
        return len(PROMISES)

    def _show(self, promise: Promise) -> Shown:
        state = self.states.get(promise.key)
        figures = promise.figures(self.asking) if promise.figures else []
        return Shown(promise, state, mark_of(state, self.asking.moment), figures, evidence_of(promise.tests))


def mark_of(state: State | None, moment: datetime) -> str:
    """What was not checked lately is not known, whatever it was."""
    if state is None or not state.is_fresh(moment):
        return "unknown"
    return "kept" if state.kept else "broken"


def ask_publicly(session: LockedSession, database: Database, values: Values, request: Request) -> Asking:
    """For the pages that everybody may read: the service's own figures, in UTC."""
    return Asking(session, database, now(), PUBLIC_ZONE, values, read_cookie(request))


def ask_for(
    session: LockedSession,
    database: Database,
    values: Values,
    request: Request,
    organization: Organization,
    membership: Membership,
    reader: Reader,
) -> Asking:
    """For the same page of an organization, as one of its people reads it."""

    def may_open(endpoint: str) -> str:
        mark = access.of(current_app.view_functions[endpoint])
        narrowed_out = mark.sees_every_call and reader.narrowing is not None
        too_small = mark.role is not None and membership.role < mark.role
        return "" if narrowed_out or too_small else url_for(endpoint)

    zone = ZoneInfo(organization.time_zone)
    whose: dict[str, Any] = {"organization": organization, "membership": membership, "reader": reader}
    return Asking(session, database, now(), zone, values, read_cookie(request), may_open=may_open, **whose)


def read_cookie(request: Request) -> Cookie:
    """The one that the browser has sent."""
    name = current_app.config["SESSION_COOKIE_NAME"]
    return Cookie(name, request.cookies.get(name, ""))
