"""The catalogue says of every table and column of schema.sql what it is: nothing new comes in unclassified."""

import re

import pytest

from webapp.database.schema import SCHEMA_FILE
from webapp.privacy.catalogue import TABLES, list_erasable, list_exported
from webapp.privacy.entries import Exported, How, Kind, Table, Whose

SOURCE = SCHEMA_FILE.read_text("utf-8")
BLOCKS = {match[1]: match[2] for match in re.finditer(r"^CREATE TABLE (\w+) \(\n(.*?)^\)", SOURCE, re.M | re.S)}
#: Of each column what its comment says.
WRITTEN = {
    name: dict(re.findall(r"^    ([a-z_0-9]+) +[A-Z][A-Z ()0-9]*(?:DEFAULT \w+)?,? *(?:-- (.*))?$", body, re.M))
    for name, body in BLOCKS.items()
}
ENTRIES = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


def test_every_table_has_its_entry() -> None:
    assert set(TABLES) == set(BLOCKS)


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_column_has_its_kind(name: str) -> None:
    assert list(TABLES[name].columns) == list(WRITTEN[name])


@ENTRIES
def test_what_schema_sql_calls_personal_is_personal_here_and_nothing_else_is(table: Table) -> None:
    said = {column for column, comment in WRITTEN[table.name].items() if re.match(r"personal\b", comment)}

    assert {column for column, kind in table.columns.items() if kind is Kind.PERSONAL} == said
    assert set(table.personal) == said  # each in words


@ENTRIES
def test_digests_and_secrets_are_told_as_such(table: Table) -> None:
    """What schema.sql calls sealed or a keyed digest of a secret is never handed out."""
    marked = re.compile(r"sealed \(|keyed (digest|hash)|of (the|a) token|argon2id|SHA-256 of the (id|token)")
    said = {column for column, comment in WRITTEN[table.name].items() if marked.search(comment)}

    assert said <= {column for column, kind in table.columns.items() if kind is Kind.SECRET}


@ENTRIES
def test_an_entry_is_written_out(table: Table) -> None:
    assert all(words.endswith(".") for words in (table.what, table.kept, table.seen_by, table.erased.words))


@ENTRIES
def test_what_owners_take_out_is_not_told_to_be_seen_by_others_alone(table: Table) -> None:
    if isinstance(table.takeout, Exported):
        assert re.search(r"\bowners\b|Everybody|members", table.seen_by, re.IGNORECASE)


@ENTRIES
def test_it_refers_to_what_schema_sql_says(table: Table) -> None:
    named = re.findall(r"FOREIGN KEY \((?:organization_id, )?(\w+)\)\s+REFERENCES (\w+) \(", BLOCKS[table.name])
    own = "".join(column for column, other in named if other == table.name)

    assert set(table.refers_to) == set(re.findall(r"REFERENCES (\w+) \(", BLOCKS[table.name])) - {table.name}
    assert table.names_its_own == own


def test_children_are_erased_before_what_they_refer_to() -> None:
    place = {table.name: position for position, table in enumerate(list_erasable())}

    assert place["call_record"] < place["import_file"] < place["stored_file"] < place["organization"]
    for table in list_erasable():
        assert all(place[table.name] < place[parent] for parent in table.refers_to if parent in place)


@ENTRIES
def test_what_names_an_organization_goes_with_it_or_says_why_not(table: Table) -> None:
    if "organization_id" in table.columns and table.erased.how is not How.BY_ORGANIZATION:
        assert (table.name, table.erased.how) == ("audit_checkpoint", How.STAYS)
    if table.erased.how is How.BY_ORGANIZATION:
        assert "organization_id" in table.columns


@ENTRIES
def test_what_is_an_organizations_is_in_a_takeout_or_says_why_not(table: Table) -> None:
    if table.whose is Whose.SERVICE:
        assert not isinstance(table.takeout, Exported)
    elif isinstance(table.takeout, Exported):
        assert set(table.takeout.left_out) <= set(table.columns)
        named = (*table.takeout.days, *table.takeout.months, *table.takeout.quarters)
        assert {table.columns[column] for column in named} <= {Kind.INSTANT}
        pointing = (*table.takeout.parties, *table.takeout.people, *table.takeout.destinations)
        assert {table.columns[column] for column in pointing} <= {Kind.IDENTIFIER}
        assert not set(table.personal) - set(table.exported_columns())
    else:
        assert len(table.takeout.reason) > 10


def test_no_two_tables_are_written_to_one_file() -> None:
    files = [exported.file for _table, exported in list_exported()]

    assert len(files) == len(set(files))
    assert all(re.fullmatch(r"[a-z-]+/[a-z-]+", name) for name in files)
