"""What an entry of the catalogue is made of: kinds of columns, purposes, how a table is taken out and how it is erased.

The entries themselves stand by area in the catalogue_*.py files beside it; catalogue.py brings them together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum


class Kind(StrEnum):
    """What a column holds."""

    IDENTIFIER = "identifier"  # a number that we made, or a key, that names a row
    INSTANT = "instant"  # when, or on which day
    SETTING = "setting"  # what somebody chose
    COUNT = "count"
    FACT = "fact"  # where something stands, or what it was: no person is told from it
    SECRET = "secret"  # noqa: S105 - a secret or a digest: of no use outside, and never handed out
    PERSONAL = "personal"  # about a person, or may be


class Purpose(StrEnum):
    """Why it is held. There is no fourth."""

    RUN = "to run the service for you"
    IMPROVE = "to improve the service"
    LAW = "required by law"


class Group(StrEnum):
    """Under which heading a reader looks for a table."""

    CALLS = "Calls and numbers"
    SYSTEMS = "Phone systems and files"
    DESTINATIONS = "Destinations, own numbers and routes"
    ORGANIZATION = "Your organization and the people in it"
    ACCOUNTS = "A person’s account and sign-in"
    RECORDED = "What is recorded"
    ACCESS = "What our staff and the law may see"
    SERVICE = "The service itself"


class Whose(Enum):
    """Whose the rows are: what an owner takes out, and what goes when the organization leaves, follows from it."""

    ORGANIZATION = 1
    PERSON = 2
    SERVICE = 3


class How(Enum):
    """How rows go when their organization leaves."""

    BY_ORGANIZATION = 1  # all that name it in organization_id
    ITSELF = 2  # the organization's own row, last of all
    WITH_PERSON = 3  # those of people who are left without any organization
    WITH_ANNOUNCEMENT = 4  # those of announcements that go, and those of such people
    OF_THEMSELVES = 5  # they end before the days of grace do, whoever leaves
    STAYS = 6


class Rows(Enum):
    """Which rows of a table a takeout has."""

    BY_ORGANIZATION = 1
    ITSELF = 2
    MEMBERS = 3  # people who are in the organization
    TOLD = 4  # that its owners were told of
    MAILS = 5  # about it, but to our staff


@dataclass(frozen=True)
class Erased:
    """How leaving erases a table, or why it stays, in a sentence."""

    how: How
    words: str


@dataclass(frozen=True)
class Exported:
    """A table that a takeout has: the name of its two files, and what in them reads better than the bare column."""

    file: str
    rows: Rows = Rows.BY_ORGANIZATION
    key: str = ""  # a unique column that never changes, where the primary key may while it is read
    days: tuple[str, ...] = ()  # columns that count days since 1970-01-01
    months: tuple[str, ...] = ()  # that count months since January 1970
    quarters: tuple[str, ...] = ()  # that count quarter hours since 1970, UTC
    parties: tuple[str, ...] = ()  # that name a party: its number stands beside them
    people: tuple[str, ...] = ()  # that name a person: their address stands beside them
    destinations: tuple[str, ...] = ()  # that name a destination: its name stands beside them
    left_out: Mapping[str, str] = field(default_factory=dict)  # further columns, with the reason


@dataclass(frozen=True)
class LeftOut:
    """A table that a takeout does not have, with the reason as the manifest gives it."""

    reason: str


@dataclass(frozen=True, eq=False)
class Table:
    """One table of schema.sql, as somebody asks who wants to know what is held about them."""

    name: str
    group: Group
    whose: Whose
    what: str
    columns: Mapping[str, Kind]
    personal: Mapping[str, str]  # column: what it holds, in words
    purpose: Purpose
    kept: str
    seen_by: str
    takeout: Exported | LeftOut
    erased: Erased
    refers_to: tuple[str, ...]  # other tables that it names in a foreign key
    names_its_own: str  # the column in which a row names another of the same table; "" if there is none

    @property
    def is_tenant(self) -> bool:
        return next(iter(self.columns)) == "organization_id"

    def exported_columns(self) -> list[str]:
        """Those that a takeout writes; [] for a table that it leaves out."""
        if isinstance(self.takeout, LeftOut):
            return []
        kept = self.takeout.left_out
        return [name for name, kind in self.columns.items() if kind is not Kind.SECRET and name not in kept]


DIGESTS_STAY = "a secret or a digest: of no use outside, and dangerous there"

GOES = Erased(How.BY_ORGANIZATION, "With the organization.")
GOES_WITH_PERSON = Erased(How.WITH_PERSON, "With the person, who goes when they are left without any organization.")

STAYS_IN = "As long as the organization stays."
AS_CALLS = "As long as its calls: you set how many days."
FOR_EVER = "For ever."
WITH_ACCOUNT = "As long as the person's account."

EVERYBODY = "Everybody you let in, as far as you let them; our staff only while you allow it."
MANAGERS = "Owners and managers; our staff only while you allow it."
OWNERS = "Owners."
THE_PERSON = "The person alone."
NOBODY = "Nobody: the service reads it to do its work."
STAFF_COUNTS = "Our staff."
IN_TAKEOUT = "Owners, in a takeout; else nobody: the service reads it to do its work."
STAFF_AND_TAKEOUT = "Our staff; owners, in a takeout."
PUBLIC = "Everybody: it is published."

SERVICE_OWN = LeftOut("the service's own: it holds nothing of an organization")
PERSONS_OWN = LeftOut("belongs to the person, who may be in other organizations too")
STAYS_SERVICE = Erased(How.STAYS, "It holds nothing of an organization.")


def entry(
    name: str,
    group: Group,
    what: str,
    *,
    columns: str,
    takeout: Exported | LeftOut,
    seen_by: str,
    personal: Mapping[str, str] | None = None,
    purpose: Purpose = Purpose.RUN,
    kept: str = STAYS_IN,
    erased: Erased = GOES,
    whose: Whose = Whose.ORGANIZATION,
    refers_to: str = "",
    names_its_own: str = "",
) -> Table:
    """An entry, written short. `columns` lists them in the order of schema.sql, grouped by words that end in a colon
    and name their kind: "identifier: organization_id id personal: email"."""
    kinds: dict[str, Kind] = {}
    kind: Kind | None = None
    for word in columns.split():
        if word.endswith(":"):
            kind = Kind(word[:-1])
        else:
            assert kind and word not in kinds, f"{name}.{word}"
            kinds[word] = kind
    return Table(
        name, group, whose, what, kinds, personal or {}, purpose, kept, seen_by, takeout, erased,
        tuple(refers_to.split()), names_its_own,
    )  # fmt: skip
