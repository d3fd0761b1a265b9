"""From the first release to this one: the upgrade files of webapp/, on a database as the first release made it.

first_release.sql is schema.sql as it was first released, and never changes.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text

from config import Settings
from webapp import clock
from webapp.calls.models import CallParty, CallToReturn
from webapp.database import installation, schema
from webapp.database.engine import Database
from webapp.database.installation import initialize, list_problems, open_as_owner, open_database
from webapp.database.upgrade_files import newest_version
from webapp.database.upgrades import upgrade
from webapp.organizations.models import Invitation, OrganizationUsage
from webapp.tenancy.models import Organization
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import reading_session

FIRST_RELEASE = Path(__file__).with_name("first_release.sql")
#: The number of the last upgrade file.
NEWEST = 7
ORGANIZATION = """INSERT INTO organization
    (id, slug, name, time_zone, region, state, contact, idle_minutes, second_factor_required, created_at)
    VALUES (:id, :slug, 'Some Firm', 'Europe/London', 'GB', 1, '', 30, FALSE, :now)"""
INVITATION = """INSERT INTO invitation
    (organization_id, id, email, role, numbers, may_export, narrowed, words, token_digest, state, mail_count,
     created_at, expires_at)
    VALUES (:organization_id, :id, :email, 1, 1, TRUE, FALSE, '', :digest, :state, 1, :now, :now)"""
#: organization, id, address, state before, state after
DOUBLES = [
    (1, 11, "ada@example.com", 1, 3),
    (1, 12, "ada@example.com", 4, 3),
    (1, 13, "ada@example.com", 1, 1),  # the newest that is open
    (1, 14, "ada@example.com", 2, 2),
    (1, 15, "ada@example.com", 3, 3),
    (1, 16, "babbage@example.com", 1, 1),
    (1, 18, "curie@example.com", 1, 1),
    (1, 19, "curie@example.com", 4, 3),  # newer, but its link opens nothing yet
    (2, 17, "ada@example.com", 1, 1),  # in another organization
]

PBX = """INSERT INTO pbx
    (organization_id, id, name, time_zone, region, area_code, outside_prefix, extension_digits, outside_lines,
     settings_version, created_at)
    VALUES (:organization_id, 1, 'Office', 'Europe/London', 'GB', '', '', '3', '[]', 1, :now)"""
PARTY = """INSERT INTO party (organization_id, id, identity, kind, digits, region, line_type, name)
    VALUES (:organization_id, :id, :digits, 2, :digits, '', 0, '')"""
CALL = """INSERT INTO call
    (organization_id, started_at, call_key, pbx_id, direction, outcome, caller_id, caller_reason, answered_by_id,
     ring_seconds, wait_seconds, talk_seconds, ended_at, record_count, flags, party_ids)
    VALUES (:organization_id, :now, :call_key, 1, 1, 1, :caller, 0, :answered_by, 8, 0, :talk, :now, 1, 0, :none)"""
CALL_PARTY = """INSERT INTO call_party (organization_id, party_id, started_at, call_key, roles)
    VALUES (:organization_id, :party_id, :now, :call_key, :roles)"""
#: call, its talk, who answered first, roles by party, talk by party after the upgrade
TALKS = [
    (1, 60, 21, {20: 1, 21: 12, 22: 4, 23: 18}, {20: 60, 21: 60, 22: 0, 23: 0}),
    (2, 0, None, {20: 1, 21: 6}, {20: 0, 21: 0}),
    (3, 90, 21, {20: 1, 21: 14, 22: 12}, {20: 90, 21: 90, 22: 90}),  # passed on: who for how long, nobody knows
    (4, 30, 23, {20: 1, 23: 22}, {20: 30, 23: 30}),  # nobody knows who answered behind the own number
]

# NOT VALID is what tests that tamper with the audit leave of a constraint.
# The words of a table are those of its CREATE, the order of its columns included; ALTER TABLE edits them.
DESCRIBE_SQLITE = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
DESCRIBE_POSTGRESQL = """
SELECT 'column', table_name, column_name, data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '')
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, replace(pg_get_constraintdef(oid), ' NOT VALID', '')
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'public'
UNION ALL
SELECT 'policy', tablename, policyname, concat(cmd, roles, qual, with_check)
  FROM pg_policies WHERE schemaname = 'public'
UNION ALL
SELECT 'row security', relname, relrowsecurity::text, relforcerowsecurity::text
  FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""


@pytest.fixture
def first(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a database as the first release made it."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "SCHEMA_FILE", FIRST_RELEASE)
        patch.setattr(installation, "newest_version", lambda _dialect: 0)
        initialize(fresh)
    return fresh


@pytest.fixture
def old(first: Settings) -> Iterator[Database]:
    """That database, as the web role sees it."""
    database = open_database(first)
    yield database
    database.dispose()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_the_files_of_this_release_are_complete(dialect: str) -> None:
    assert newest_version(dialect) == NEWEST


def store_doubles(database: Database) -> None:
    """As a race could leave them before the database forbade it; in SQL, for mappings are of the newest schema."""
    moment = 1_780_000_000_000 if database.dialect == "sqlite" else clock.from_ms(1_780_000_000_000)
    for organization_id in (1, 2):
        with database.writing.begin() as connection:
            set_local(connection, organization_id, None)
            connection.execute(
                text(ORGANIZATION), {"id": organization_id, "slug": f"firm-{organization_id}", "now": moment}
            )
            for owner, invitation_id, email, state, _after in DOUBLES:
                if owner == organization_id:
                    values = {"id": invitation_id, "email": email, "state": state, "digest": b"d" * 32, "now": moment}
                    connection.execute(text(INVITATION), {"organization_id": owner, **values})


def store_calls(database: Database) -> None:
    """In two organizations, with the same ids."""
    moment = 1_780_000_000_000 if database.dialect == "sqlite" else clock.from_ms(1_780_000_000_000)
    for organization_id in (1, 2):
        with database.writing.begin() as connection:
            set_local(connection, organization_id, None)
            common = {"organization_id": organization_id, "now": moment}
            connection.execute(text(PBX), common)
            for party_id in (20, 21, 22, 23):
                connection.execute(text(PARTY), {**common, "id": party_id, "digits": f"2{party_id}"})
            for call_key, talk, answered_by, roles, _talks in TALKS:
                key = {**common, "call_key": call_key}
                values = {"caller": 20, "answered_by": answered_by, "talk": talk + organization_id - 1, "none": b""}
                connection.execute(text(CALL), {**key, **values})
                for party_id, bits in roles.items():
                    connection.execute(text(CALL_PARTY), {**key, "party_id": party_id, "roles": bits})


def test_who_talked_for_how_long_is_told_as_far_as_calls_know(first: Settings, old: Database) -> None:
    store_doubles(old)
    store_calls(old)
    assert "0004_own_talk" in upgrade(first)

    for organization_id in (1, 2):
        longer = organization_id - 1
        with reading_session(old, organization_id) as session:
            found = {(row.call_key, row.party_id): row.talk_seconds for row in session.scalars(select(CallParty))}
        assert found == {
            (call_key, party_id): talked + longer if talked or (party_id == 20 and longer) else 0
            for call_key, _talk, _first, _roles, talks in TALKS
            for party_id, talked in talks.items()
        }


def test_the_console_lists_each_organization_before_it_is_counted(first: Settings, old: Database) -> None:
    store_doubles(old)
    assert "0006_staff" in upgrade(first)

    with reading_session(old) as session:
        rows = session.scalars(select(OrganizationUsage).order_by(OrganizationUsage.organization_id)).all()
        assert [(row.organization_id, row.calls, row.people, row.owners) for row in rows] == [
            (1, 0, 0, ""),
            (2, 0, 0, ""),
        ]
        for row in rows:
            assert row.counted_at == session.get_one(Organization, row.organization_id).created_at


#: party, hours ago, direction, outcome, roles of the party, seconds of ringing
TRIES = [
    (30, 1, 1, 3, 1, 11),  # missed
    (30, 2, 1, 2, 1, 31),  # left a message
    (30, 3, 1, 1, 1, 5),  # got through
    (30, 4, 1, 3, 1, 90),
    (31, 5, 1, 3, 1, 12),
    (31, 4, 2, 1, 2, 6),  # was called back
    (32, 24 * 31, 1, 3, 1, 12),  # too long ago
    (33, 1, 2, 3, 2, 12),  # somebody called them in vain
]


def test_whoever_did_not_get_through_lately_is_to_be_called(first: Settings, old: Database) -> None:
    store_doubles(old)
    store_calls(old)
    present = clock.now_ms()
    times = {hours: present - hours * 3_600_000 for hours in range(24 * 32)}
    for organization_id in (1, 2):
        with old.writing.begin() as connection:
            set_local(connection, organization_id, None)
            for party_id in (30, 31, 32, 33):
                named = PARTY.replace(":digits, 2,", ":digits, 1,")
                connection.execute(
                    text(named), {"organization_id": organization_id, "id": party_id, "digits": f"44207946{party_id}"}
                )
            for call_key, (party_id, hours, direction, outcome, roles, ring) in enumerate(TRIES, start=900):
                at = times[hours] if old.dialect == "sqlite" else clock.from_ms(times[hours])
                told = CALL.replace("1, 1, 1, :caller", f"1, {direction}, {outcome}, :caller").replace(
                    " 8, 0,", f" {ring}, 0,"
                )
                key = {"organization_id": organization_id, "call_key": call_key, "now": at}
                values = {"caller": party_id if roles == 1 else None, "answered_by": None, "talk": 0, "none": b""}
                connection.execute(text(told), {**key, **values})
                connection.execute(text(CALL_PARTY), {**key, "party_id": party_id, "roles": roles})
    upgrade(first)
    for organization_id in (1, 2):
        with reading_session(old, organization_id) as session:
            [row] = session.scalars(select(CallToReturn)).all()
        assert (row.party_id, row.last_call_key, row.pbx_id, row.did_id) == (30, 900, 1, None)
        assert (row.first_at, row.last_at) == (clock.from_ms(times[2]), clock.from_ms(times[1]))
        assert (row.tries, row.wait_seconds, row.voicemail, row.note, row.done_at) == (2, 31, True, "", None)


def test_of_invitations_to_one_address_the_newest_stays(first: Settings, old: Database) -> None:
    store_doubles(old)
    assert upgrade(first)[0] == "0001_one_waiting_invitation"

    found = []
    for organization_id in (1, 2):
        with reading_session(old, organization_id) as session:
            found += session.scalars(select(Invitation).order_by(Invitation.id)).all()
    assert [each.state for each in found] == [after for *_before, after in DOUBLES]
    for invitation, (*_key, before, after) in zip(found, DOUBLES, strict=True):
        revoked = before != after
        assert (invitation.token_digest == b"", invitation.ended_at is not None) == (revoked, revoked)
    assert all(each.ended_at is None or clock.now() - each.ended_at < timedelta(minutes=1) for each in found)


def test_the_first_release_and_its_upgrades_make_schema_sql(first: Settings, old: Database, settings: Settings) -> None:
    """With rows in the tables: a NOT NULL or a unique index that only an empty table takes would fail here."""
    store_doubles(old)
    store_calls(old)
    upgrade(first)

    assert list_problems(old, first) == []
    assert describe(first) == describe(settings)


def describe(settings: Settings) -> set[tuple[str, ...]]:
    """Every table, column, constraint, index, trigger, view and policy, by the words of the database itself."""
    owner = open_as_owner(settings)
    query = DESCRIBE_SQLITE if owner.dialect == "sqlite" else DESCRIBE_POSTGRESQL
    with owner.reading.connect() as connection:
        found = {tuple(_without_comments(str(word)) for word in row) for row in connection.execute(text(query))}
    owner.dispose()
    return found


def _without_comments(words: str) -> str:
    return " ".join(re.sub("--.*", "", words).split())
