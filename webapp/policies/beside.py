"""What stands beside a section of a policy: each of its promises with state, figures and evidence. Only reads.

Made by the views once a page: `beside = Besides(asking)`; the templates call `beside(section)`, whose cards
templates/policies/_promise.html shows.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Request, current_app, url_for

from webapp import access
from webapp.clock import now
from webapp.database.engine import Database
from webapp.formatting import format_moment, format_time
from webapp.policies.evidence import Evidence, evidence_of, tell_together
from webapp.policies.promise import Asking, Cookie, Figure, Promise
from webapp.policies.promises import promise_of
from webapp.policies.said import Said
from webapp.policies.states import State, list_states
from webapp.policies.text import Section
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.reader import Reader

PUBLIC_ZONE = ZoneInfo("UTC")
#: Of the security policy: beside which promise of the other one they are shown too.
_ALSO = {"nothing-but-records": ("retention-runs",)}
#: The same where they are about an organization's own data, on its own page.
_ALSO_OF_ITS_OWN = {**_ALSO, "own-database": ("backups-young", "drill-young")}


@dataclass(frozen=True)
class Card:
    """One promise as the page shows it. `mark`: "kept", "broken" or "unknown"; `headline` says it in words."""

    promise: Promise
    state: State | None
    mark: str
    headline: str
    figures: list[Figure]
    evidence: list[Evidence]

    @property
    def proofs(self) -> list[str]:
        """What its tests came to, in words."""
        return tell_together(self.evidence)


def nothing_beside(_section: Section) -> list[Card]:
    """Of older versions: what they promised is not checked any more."""
    return []


class Besides:
    """All that one page shows beside its sections, for one reader. The states are read once."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.states = list_states(asking.session)

    def __call__(self, section: Section) -> list[Card]:
        """Of the promises that the section names."""
        also = _ALSO if self.asking.organization is None else _ALSO_OF_ITS_OWN
        keys = [key for named in section.promises for key in (named, *also.get(named, ()))]
        return [self._show(promise_of(key)) for key in keys]

    @property
    def all_count(self) -> int:
        """How many promises are in force. Drafts promise nothing."""
        return len(self.asking.said.promise_keys)

    @property
    def kept_count(self) -> int:
        """How many of them are kept, as of the last check."""
        keys = self.asking.said.promise_keys
        return sum(mark_of(self.states.get(key), self.asking.moment) == "kept" for key in keys)

    def _show(self, promise: Promise) -> Card:
        state = self.states.get(promise.key)
        mark = mark_of(state, self.asking.moment)
        headline = tell_state(state, mark, self.asking.moment, self.asking.zone)
        figures = promise.figures(self.asking) if promise.figures else []
        return Card(promise, state, mark, headline, figures, evidence_of(promise.tests))


def tell_state(state: State | None, mark: str, moment: datetime, zone: ZoneInfo) -> str:
    """ "Kept, as of 11:46"; the day stands there where it is not today, and the zone where no page names it."""
    if state is None:
        return "Not checked yet"
    if mark == "unknown":
        return f"Not checked since {_tell_when(state.checked_at, moment, zone)}"
    checked = _tell_when(state.checked_at, moment, zone)
    if mark == "kept":
        return f"Kept, as of {checked}"
    last = "" if state.is_fresh(moment) else f"; last checked {checked}"
    return f"Not kept since {_tell_when(state.since_at, moment, zone)}{last}"


def _tell_when(instant: datetime, moment: datetime, zone: ZoneInfo) -> str:
    today = moment.astimezone(zone).date()
    is_today = instant.astimezone(zone).date() == today
    words = format_time(instant, zone) if is_today else format_moment(instant, zone, today)
    return f"{words} UTC" if zone is PUBLIC_ZONE else words


def mark_of(state: State | None, moment: datetime) -> str:
    """That it is kept is known while it is checked; what was not kept stays so until a check finds it kept again."""
    if state is not None and not state.kept:
        return "broken"
    return "kept" if state is not None and state.is_fresh(moment) else "unknown"


def ask_publicly(session: LockedSession, database: Database, said: Said, request: Request) -> Asking:
    """For the pages that everybody may read: the service's own figures, in UTC."""
    return Asking(session, database, now(), PUBLIC_ZONE, said, read_cookie(request))


def ask_for(
    session: LockedSession,
    database: Database,
    said: Said,
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
    return Asking(session, database, now(), zone, said, read_cookie(request), may_open=may_open, **whose)


def read_cookie(request: Request) -> Cookie:
    """What the browser has sent."""
    name = current_app.config["SESSION_COOKIE_NAME"]
    return Cookie(name, request.cookies.get(name, ""), len(request.cookies))
