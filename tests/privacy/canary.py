"""A row in every table that an organization or a person of it has, with a string of its own in each personal column.

planted = plant(make, "goldfinch")              # of make.organization and of one new member
planted.strings["party", "name"]                # "goldfinch-party-name"

Driven by the catalogue and schema.sql: a new table is planted by itself. What the takeout must have and what leaving
must leave nowhere is asked with it.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, SmallInteger

from tests.house.test_schema import WRITTEN
from tests.make import Make
from webapp.accounts.models import AccountState, UserAccount
from webapp.audit.actions import record
from webapp.clock import now
from webapp.database.base import Base
from webapp.database.ids import new_id
from webapp.database.types import Instant, SmallEnum
from webapp.jobs.models import JobState, StoredFile
from webapp.jobs.stored_files import store_stream
from webapp.outbox.models import MailState
from webapp.privacy.catalogue import TABLES
from webapp.privacy.entries import Exported, Kind, Table, Whose
from webapp.privacy.models import TakeoutState
from webapp.tenancy.models import Organization, Role

#: Made by what the app does, below.
_BY_HAND = {"organization", "user_account", "membership", "invitation", "audit_head", "audit_event", "audit_detail"}
_BY_HAND |= {"stored_file", "stored_chunk", "audit_checkpoint"}
#: Where the first value of a closed list or a 1 will not do, or would have work begin.
_VALUES: dict[str, dict[str, Any]] = {
    "import_file": dict.fromkeys(("duplicate_count", "skipped_count", "refused_count"), 0),
    "takeout": {"state": TakeoutState.GONE},
    "job": {"state": JobState.DONE, "ended_at": now()},
    "outbox_message": {"state": MailState.HANDED_OVER, "ended_at": now()},
    "web_session": {"payload": "{}"},
}
_MAILED = ("email", "to_address", "owners")


@dataclass(frozen=True)
class Planted:
    """`strings`: by table and column. `person`: the new member, who is in no other organization."""

    strings: Mapping[tuple[str, str], str]
    person: UserAccount

    def exported(self) -> dict[tuple[str, str], str]:
        """Those that stand in the tables of a takeout."""
        return {
            (table, column): text
            for (table, column), text in self.strings.items()
            if isinstance(TABLES[table].takeout, Exported)
        }


def plant(make: Make, word: str) -> Planted:
    """Store them all."""
    return _Planter(make, word).plant()


class _Planter:
    def __init__(self, make: Make, word: str) -> None:
        self._make, self._word = make, word
        self._strings: dict[tuple[str, str], str] = {}
        self._made: dict[str, Any] = {}

    def plant(self) -> Planted:
        self._plant_people()
        self._plant_organization()
        self._plant_file()
        parents = {name: table.refers_to for name, table in TABLES.items()}
        for name in TopologicalSorter(parents).static_order():
            table = TABLES[name]
            if table.whose is not Whose.SERVICE and name not in _BY_HAND:
                self._plant_row(table)
                if table.names_its_own:
                    self._plant_row(table, {table.names_its_own: self._made[name].id})
        return Planted(self._strings, self._made["user_account"])

    def _string(self, table: str, column: str) -> str:
        text = f"{self._word}-{table}-{column}".replace("_", "-")
        self._strings[table, column] = text = f"{text}@example.com" if column in _MAILED else text
        return text

    def _plant_people(self) -> None:
        """A member who came in by an invitation, as members do."""
        person = self._make.member(Role.VIEWER)
        with self._make.session() as session:
            kept = session.get_one(UserAccount, person.id)
            kept.email, kept.name = self._string("user_account", "email"), self._string("user_account", "name")
            assert kept.state == AccountState.ACTIVE
            session.commit()
        self._made["user_account"] = kept
        invitation = self._make.invitation(email="asked@example.com")
        with self._make.session() as session:
            waiting = session.merge(invitation)
            waiting.email, waiting.words = self._string("invitation", "email"), self._string("invitation", "words")
            session.commit()
        self._made["invitation"] = waiting
        self._made["membership"] = self._make.membership(person)

    def _plant_organization(self) -> None:
        with self._make.session() as session:
            organization = session.get_one(Organization, self._make.organization.id)
            organization.contact = self._string("organization", "contact")
            words = self._string("audit_detail", "words")
            event = record(session, "search.made", actor_id=self._made["user_account"].id, words=words)
            session.commit()
        self._made |= {"organization": organization, "audit_event": event}

    def _plant_file(self) -> None:
        content = self._string("stored_chunk", "content").encode()
        file_id = store_stream(self._make.database, self._make.organization.id, io.BytesIO(content))
        with self._make.session() as session:
            self._made["stored_file"] = session.get_one(StoredFile, (self._make.organization.id, file_id))

    def _plant_row(self, table: Table, also: Mapping[str, Any] = MappingProxyType({})) -> None:
        mapped: Any = next(each.class_ for each in Base.registry.mappers if each.class_.__tablename__ == table.name)
        values = {column.name: self._value(table, column) for column in mapped.__table__.columns}
        for here, other, there in WRITTEN[table.name].foreign_keys:
            parent = self._made.get(other)
            for column, named in zip(here, there, strict=True):
                values[column] = None if parent is None else getattr(parent, named)
            if parent is None or other == table.name:
                values |= {column: None for column in here if column != "organization_id"}
        if "organization_id" in values:
            values["organization_id"] = self._make.organization.id
        values |= {**_VALUES.get(table.name, {}), **also}
        with self._make.session() as session:
            self._made[table.name] = session.merge(mapped(**values))
            session.commit()

    def _value(self, table: Table, column: Any) -> Any:
        name, kind = column.name, table.columns[column.name]
        if kind is Kind.PERSONAL:
            text = self._string(table.name, name)
            text = json.dumps({"name": text}) if (table.name, name) == ("outbox_message", "words") else text
            return text.encode() if isinstance(column.type, LargeBinary) else text
        exported = table.takeout if isinstance(table.takeout, Exported) else Exported("")
        for columns, of in ((exported.parties, "party"), (exported.destinations, "destination")):
            if name in columns:
                return self._made[of].id if of in self._made else None
        if name in (*exported.people, "user_account_id"):
            return self._made["user_account"].id
        return new_id() if name == "id" else _plain(column.type)


def _plain(column_type: Any) -> Any:
    """Any value of the type."""
    if isinstance(column_type, Instant):
        return now()
    if isinstance(column_type, SmallEnum):
        return next(iter(column_type.words))
    if isinstance(column_type, Boolean):
        return False
    if isinstance(column_type, LargeBinary):
        return new_id().to_bytes(8, "big")
    if isinstance(column_type, BigInteger | Integer | SmallInteger):
        return 1
    return f"x{new_id()}"
