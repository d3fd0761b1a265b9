"""schema.sql is the truth: the mappings say the same, and its own rules about tenants are read off it."""

import importlib
import pkgutil
import re
from dataclasses import dataclass, field

import pytest
from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, SmallInteger, Table, Text, inspect, text

import webapp
from webapp.database.base import Base
from webapp.database.engine import Database
from webapp.database.schema import SCHEMA_FILE
from webapp.database.types import Instant, SmallEnum
from webapp.tenancy.models import Membership, Tenant, TenantKey

#: rate_limits.py writes it in one statement of its own; nothing else reads it.
WITHOUT_A_MAPPING = {"throttle"}
#: Global, though a column names an organization.
GLOBAL_WITH_ORGANIZATION = {
    "job", "outbox_message", "organization_usage", "source_failure", "feature_use", "help_code",
    "announcement",
}  # fmt: skip

WORDS_OF_TYPES = (
    (Instant, "TIMESTAMPTZ", "timestamp with time zone"),
    (SmallEnum, "SMALLINT", "smallint"),
    (BigInteger, "BIGINT", "bigint"),
    (SmallInteger, "SMALLINT", "smallint"),
    (Integer, "INTEGER", "integer"),
    (Boolean, "BOOLEAN", "boolean"),
    (LargeBinary, "BYTEA", "bytea"),
    (Text, "TEXT", "text"),
)

for found in pkgutil.walk_packages(webapp.__path__, "webapp."):
    if found.name.endswith("models") or found.name == "webapp.database.installation":
        importlib.import_module(found.name)

MAPPED: dict[str, Table] = dict(Base.metadata.tables)


@dataclass
class Written:
    """A table as schema.sql has it."""

    name: str
    comment: str
    columns: list[str]
    primary_key: list[str] = field(default_factory=list)
    unique: list[list[str]] = field(default_factory=list)
    foreign_keys: list[tuple[list[str], str, list[str]]] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)


def names(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


def read_schema() -> dict[str, Written]:
    source = SCHEMA_FILE.read_text("utf-8")
    tables = {}
    for match in re.finditer(r"((?:^--[^\n]*\n)*)^CREATE TABLE (\w+) \(\n(.*?)^\)", source, re.MULTILINE | re.DOTALL):
        body = re.sub(r"--(?!sqlite:|postgresql:).*", "", match[3])
        table = Written(match[2], match[1], re.findall(r"^    (\w+) +[A-Z]+(?= |,|$)", body, re.MULTILINE))
        table.columns = [name for name in table.columns if name not in ("CONSTRAINT", "REFERENCES")]
        table.constraints = re.findall(r"CONSTRAINT (\w+)", body)
        for keys in re.findall(r"PRIMARY KEY \(([^)]*)\)", body):
            table.primary_key = names(keys)
        table.unique = [names(keys) for keys in re.findall(r"UNIQUE \(([^)]*)\)", body)]
        for here, other, there in re.findall(r"FOREIGN KEY \(([^)]*)\)\s*REFERENCES (\w+) \(([^)]*)\)", body):
            table.foreign_keys.append((names(here), other, names(there)))
        tables[table.name] = table
    return tables


WRITTEN = read_schema()
TENANT = {name for name, table in WRITTEN.items() if table.columns[0] == "organization_id"}


def test_the_reader_of_this_test_sees_every_table_and_column(database: Database) -> None:
    inspector = inspect(database.engine)

    assert {name: set(table.columns) for name, table in WRITTEN.items()} == {
        name: {column["name"] for column in inspector.get_columns(name)} for name in inspector.get_table_names()
    }


# ---------------------------------------------------------------------------------------------------------- mappings


def test_every_table_is_mapped() -> None:
    assert set(MAPPED) | WITHOUT_A_MAPPING == set(WRITTEN)


def columns_in(database: Database, table: str) -> list[tuple[str, str, bool]]:
    """Name, declared type and NOT NULL of each column, in the order of the table."""
    with database.reading.connect() as connection:
        if database.dialect == "sqlite":
            rows = connection.execute(text(f"PRAGMA table_info({table})")).all()
            return [(row.name, row.type, bool(row.notnull)) for row in rows]
        rows = connection.execute(
            text(
                "SELECT column_name, data_type, is_nullable = 'NO' FROM information_schema.columns"
                " WHERE table_schema = 'public' AND table_name = :name ORDER BY ordinal_position"
            ),
            {"name": table},
        ).all()
        return [(row[0], row[1], row[2]) for row in rows]


def word_of_type(column_type: object, dialect: str) -> str:
    for kind, sqlite_word, postgresql_word in WORDS_OF_TYPES:
        if isinstance(column_type, kind):
            return sqlite_word if dialect == "sqlite" else postgresql_word
    raise AssertionError(f"no word for {column_type!r}")


@pytest.mark.parametrize("name", sorted(MAPPED))
def test_a_mapping_says_what_the_table_says(name: str, database: Database) -> None:
    mapped = MAPPED[name]
    said = {
        (column.name, word_of_type(column.type, database.dialect), not column.nullable) for column in mapped.columns
    }

    assert said == set(columns_in(database, name))


@pytest.mark.parametrize("name", sorted(MAPPED))
def test_the_primary_key_has_the_same_columns_in_the_same_order(name: str, database: Database) -> None:
    """In another order get() asks for another row, and says nothing."""
    key = inspect(database.engine).get_pk_constraint(name)["constrained_columns"]

    assert [column.name for column in MAPPED[name].primary_key] == key == WRITTEN[name].primary_key


def test_the_mixin_is_on_every_tenant_table_and_on_no_other() -> None:
    with_mixin = {mapper.local_table.name for mapper in Base.registry.mappers if issubclass(mapper.class_, Tenant)}
    with_key = {mapper.local_table.name for mapper in Base.registry.mappers if issubclass(mapper.class_, TenantKey)}

    assert with_key == TENANT
    assert with_key - with_mixin == {Membership.__tablename__}


# ------------------------------------------------------------------------------------------------------ tenant rules


def test_only_tenant_tables_name_an_organization() -> None:
    assert {
        name for name, table in WRITTEN.items() if "organization_id" in table.columns
    } - TENANT == GLOBAL_WITH_ORGANIZATION


@pytest.mark.parametrize("name", sorted(TENANT))
def test_keys_of_a_tenant_table_begin_with_the_organization(name: str) -> None:
    table = WRITTEN[name]

    assert table.primary_key[0] == "organization_id"
    assert all(columns[0] == "organization_id" for columns in table.unique)
    for here, other, there in table.foreign_keys:
        if other in TENANT:
            assert (here[0], there[0]) == ("organization_id", "organization_id")


@pytest.mark.parametrize("name", sorted(TENANT))
def test_indexes_of_a_tenant_table_begin_with_the_organization(name: str) -> None:
    indexes = re.findall(rf"CREATE (?:UNIQUE )?INDEX \w+ ON {name} \(([^)]*)\)", SCHEMA_FILE.read_text("utf-8"))
    # Besides: the organizations of one person are found by the person.
    expected = {"user_account_id"} if name == "membership" else {"organization_id"}

    assert {names(columns)[0] for columns in indexes} <= expected


def test_the_list_of_the_second_lock_names_every_tenant_table() -> None:
    source = SCHEMA_FILE.read_text("utf-8")
    listed = re.search(r"FOREACH tenant_table IN ARRAY ARRAY\[(.*?)\]", source, re.DOTALL)
    assert listed

    assert set(re.findall(r"'(\w+)'", listed[1])) | {"membership"} == TENANT


def test_no_sequences() -> None:
    assert not re.search(r"\b(SERIAL|IDENTITY|AUTOINCREMENT|SEQUENCE)\b", SCHEMA_FILE.read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_every_table_says_what_a_row_is(name: str) -> None:
    assert len(WRITTEN[name].comment.replace("-", "").strip()) > 20


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_constraints_are_named_after_their_table(name: str) -> None:
    assert WRITTEN[name].constraints
    assert all(constraint.startswith(f"{name}_") for constraint in WRITTEN[name].constraints)


@pytest.mark.parametrize("name", sorted(WRITTEN))
def test_every_instant_is_checked_on_sqlite(name: str, database: Database) -> None:
    """SQLite would take text in such a column."""
    instants = [
        column for column, kind, _ in columns_in(database, name) if kind in ("TIMESTAMPTZ", "timestamp with time zone")
    ]
    block = re.search(rf"CREATE TABLE {name} \((.*?)^\)", SCHEMA_FILE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert block

    checked = re.findall(r"typeof\((\w+)\)", block[1])
    assert sorted(checked) == sorted(instants)
