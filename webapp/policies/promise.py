"""What a promise is, and what its check and its figures are given. The promises themselves: promises.py.

A check looks at the running service and returns "" while the promise is kept, else why it is not, for everybody to
read: no name, no number and no address stands in it. None: it cannot be said here, and what another process has found
stays. What it raises counts as not kept.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import select

from config import Settings
from webapp.database.engine import Database
from webapp.policies.models import Policy
from webapp.policies.said import Said
from webapp.policies.states import State
from webapp.policies.values import Values
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.reader import Reader
from webapp.tenancy.sessions import reading_session


@dataclass(frozen=True)
class CheckContext:
    """The running service, as a check sees it. `said`: what it promises. `before`: what the checks found the last time.

    `rest` is called between the parts of long checks: the same process answers people meanwhile.
    """

    app: Flask
    database: Database
    staff_database: Database | None
    settings: Settings
    moment: datetime
    said: Said
    before: Mapping[str, State] = field(default_factory=dict)
    rest: Callable[[], None] = field(default=lambda: None)

    @property
    def values(self) -> Values:
        """Those in force, which are not those of the file."""
        return self.said.values

    @contextmanager
    def reading(self, organization_id: int | None = None) -> Iterator[LockedSession]:
        with reading_session(self.database, organization_id) as session:
            yield session

    def list_organization_ids(self) -> list[int]:
        """Of every organization, whatever its state."""
        with self.reading() as session:
            return list(session.scalars(select(Organization.id).order_by(Organization.id)))

    def each_organization(self) -> Iterator[LockedSession]:
        """A short reading session for each, one after the other."""
        for organization_id in self.list_organization_ids():
            with self.reading(organization_id) as session:
                yield session


@dataclass(frozen=True)
class Figure:
    """One line beside a promise. `href`: where what it counts lies, "" if the reader may not go there."""

    label: str
    value: str
    href: str = ""


@dataclass(frozen=True)
class Cookie:
    """Ours in the browser that asks: its name and the text in it; "" where there is none. `count`: of all it sends."""

    name: str
    text: str
    count: int


@dataclass(frozen=True)
class Asking:
    """Who reads the page, and of which organization it tells. `organization` None: of the service, to everybody."""

    session: LockedSession
    database: Database
    moment: datetime
    zone: ZoneInfo
    said: Said
    cookie: Cookie
    organization: Organization | None = None
    membership: Membership | None = None
    reader: Reader | None = None
    may_open: Callable[[str], str] = lambda _endpoint: ""  #: the address of a page, "" where the reader may not see it

    @property
    def is_narrowed(self) -> bool:
        """Whether the organization as a whole is none of the reader's business."""
        return self.reader is not None and self.reader.narrowing is not None

    @property
    def values(self) -> Values:
        """Those in force."""
        return self.said.values


Check = Callable[[CheckContext], str | None]
Figures = Callable[[Asking], list[Figure]]


@dataclass(frozen=True)
class Promise:
    """One promise of the policies.

    `name`: in a few words. `mechanism`: how it is kept, in plain words. `remedy`: what we do when it is not.
    `test`: the node id of the test that proves it; `also`: more of them.
    """

    key: str
    policies: tuple[Policy, ...]
    name: str
    mechanism: str
    remedy: str
    test: str
    check: Check
    also: tuple[str, ...] = ()
    figures: Figures | None = None

    @property
    def tests(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.test, *self.also)))


def first_of(problems: list[str]) -> str:
    """A list of problems as one sentence; "" for none."""
    if not problems:
        return ""
    more = f", and {len(problems) - 1} more like it" if len(problems) > 1 else ""
    return f"{problems[0][0].upper()}{problems[0][1:]}{more}."
