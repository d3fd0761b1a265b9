"""What stands in a takeout: every table or its reason, words that people understand, originals, proof."""

import hashlib
import io
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config import Settings
from tests.cast import Cast
from tests.client import check_html
from tests.make import Make
from tests.privacy.taking import Taken, take_out
from webapp.calls.outcomes import Outcome
from webapp.database.base import Base
from webapp.database.engine import Database
from webapp.destinations.models import DestinationKind
from webapp.jobs.stored_files import store_stream
from webapp.organizations.actions import add_member
from webapp.privacy import takeout_tables
from webapp.privacy.catalogue import TABLES, list_exported
from webapp.privacy.entries import Exported, Kind
from webapp.tenancy.models import Role, TenantKey


@pytest.fixture
def taken(make: Make, cast: Cast, database: Database, settings: Settings) -> Taken:
    """Of Harbour with two calls."""
    party = make.party("+441632960123")
    ann = make.destination("Tyne Valley", DestinationKind.CUSTOMER)
    make.holder(party, ann)
    summer = datetime(2026, 7, 15, 12, 0, 0, 250_000, tzinfo=UTC)
    make.call(caller="+441632960123", callee="204", outcome=Outcome.ANSWERED, talk=75, started_at=summer)
    make.call(caller="+33612345678", callee="=1+1", outcome=Outcome.NO_ANSWER, names={"=1+1": "=cmd()"})
    return take_out(database, settings, make.organization.id, cast.olive.id)


def test_security_49_every_tenant_table_is_there_or_says_why_not(taken: Taken) -> None:
    """The golden list: read off the mappings, not off the catalogue."""
    tenant = {each.class_.__tablename__ for each in Base.registry.mappers if issubclass(each.class_, TenantKey)}
    left_out = {each["table"]: each["why"] for each in taken.manifest["left_out"] if "column" not in each}
    assert len(tenant) > 45
    for name in tenant:
        takeout = TABLES[name].takeout
        if isinstance(takeout, Exported):
            assert {f"{takeout.file}.csv", f"{takeout.file}.jsonl"} <= set(taken.files), name
        else:
            assert left_out[name] == takeout.reason
    assert {name for name in tenant if name in left_out} == {
        *("call_link", "stored_chunk", "takeout_entry", "takeout_chunk", "disclosure_chunk")
    }


def test_every_column_is_there_or_says_why_not(taken: Taken) -> None:
    left_out = {(each["table"], each.get("column")) for each in taken.manifest["left_out"]}
    for table, exported in list_exported():
        heads = taken.files[f"{exported.file}.csv"].decode("utf-8-sig").splitlines()[0].split(",")
        for column, kind in table.columns.items():
            if column != "organization_id":
                assert (column in heads) != ((table.name, column) in left_out), (table.name, column)
            if kind is Kind.SECRET:
                assert (table.name, column) in left_out


def test_calls_stand_in_words_and_local_time(taken: Taken) -> None:
    call, other = sorted(taken.csv("calls/calls"), key=lambda row: row["talk_seconds"], reverse=True)
    assert call["started_at"] == "2026-07-15T13:00:00.250+01:00"
    assert (call["direction"], call["outcome"]) == ("inbound", "answered")
    assert (call["caller_number"], call["callee_number"], call["talk_seconds"]) == ("+441632960123", "204", "75")
    assert other["callee_number"] == "'=1+1"  # no formula
    roles = {row["party_number"]: row["roles"] for row in taken.csv("calls/who-took-part")}
    assert roles["+441632960123"] == "caller" and "answered" in roles["204"]
    [day] = {row["day"] for row in taken.csv("calls/totals-by-day")}
    assert day == "2026-07-15"
    [holder] = taken.csv("destinations/holders")
    assert (holder["party_number"], holder["destination_name"]) == ("+441632960123", "Tyne Valley")


def test_json_lines_have_the_same_rows_exactly(taken: Taken) -> None:
    calls = taken.json("calls/calls")
    assert "2026-07-15T12:00:00.250Z" in {call["started_at"] for call in calls}
    assert {party["name"] for party in taken.json("calls/numbers-seen")} >= {"=cmd()"}
    for table, exported in list_exported():
        assert len(taken.json(exported.file)) == len(taken.csv(exported.file)), table.name


def test_people_stand_by_address_and_nothing_secret_does(taken: Taken, cast: Cast) -> None:
    members = {row["user_account_person"]: row["role"] for row in taken.csv("people/members")}
    assert members[cast.olive.email] == "owner" and members[cast.vera.email] == "viewer"
    accounts = taken.json("people/accounts")
    assert {row["email"] for row in accounts} == {each.email for each in (cast.olive, cast.max, cast.vera, cast.nina)}
    assert all(set(row) == {"id", "email", "name", "state", "created_at"} for row in accounts)
    assert taken.names_with("argon2") == []


def test_a_long_table_is_whole_and_in_order(
    make: Make, cast: Cast, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the ends of pages, by keys of one and of several columns."""
    for number in range(11):
        make.call(caller=f"+4416329601{number:02}", callee="204")
    for size in (1, 4, 11):
        monkeypatch.setattr(takeout_tables, "_ROWS_AT_ONCE", size)
        monkeypatch.setattr(takeout_tables, "_CALLS_AT_ONCE", size)
        taken = take_out(database, settings, make.organization.id, cast.olive.id)
        keys = [row["call_key"] for row in taken.json("calls/calls")]
        assert len(keys) == len(set(keys)) == 11
        assert len(taken.json("calls/who-took-part")) == 22
        assert len(taken.csv("calls/numbers-seen")) == 12


def test_files_are_there_as_they_were_received(make: Make, cast: Cast, database: Database, settings: Settings) -> None:
    original = bytes(range(256)) * 9000  # more than a chunk
    file_id = store_stream(database, make.organization.id, io.BytesIO(original))
    make.import_file(stored_file_id=file_id, file_name="../../Master (July)\n.csv")
    taken = take_out(database, settings, make.organization.id, cast.olive.id)
    [name] = [name for name in taken.files if name.startswith("files/")]
    assert name == f"files/{file_id}-_.._Master (July)_.csv"
    [imported] = taken.json("phone-systems/imports")
    assert imported["stored_file_id"] == file_id, "which import it was"
    assert taken.files[name] == original
    assert name in taken.files["index.html"].decode() or "Master%20" in taken.files["index.html"].decode()


def test_the_manifest_counts_and_proves_every_file(taken: Taken, make: Make) -> None:
    manifest = taken.manifest
    assert manifest["organization"] == make.organization.name
    told = {each["name"]: each for each in manifest["files"]}
    assert set(told) == set(taken.files) - {"manifest.json"}
    for name, each in told.items():
        assert each["sha256"] == hashlib.sha256(taken.files[name]).hexdigest(), name
        assert each["bytes"] == len(taken.files[name])
    assert told["calls/calls.csv"]["rows"] == told["calls/calls.jsonl"]["rows"] == 2


def test_the_chain_is_there_with_its_checker(taken: Taken, tmp_path: Path) -> None:
    for name in ("audit/chain.jsonl", "audit/check_audit.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(taken.files[name])
    chain = tmp_path / "audit/chain.jsonl"

    def checked() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, tmp_path / "audit/check_audit.py", chain], capture_output=True, text=True
        )

    assert checked().stdout.startswith("WHOLE"), checked().stderr
    chain.write_text(chain.read_text("utf-8").replace("olive", "olivia", 1), "utf-8")
    assert "WRONG" in checked().stderr


def test_the_page_in_it_needs_nothing_else(taken: Taken) -> None:
    page = taken.files["index.html"].decode()
    check_html(page)
    assert "<script" not in page and "http" not in page
    links = set(re.findall(r'href="([^"]+)"', page))
    assert {link for link in links if not link.startswith("files/")} <= set(taken.files)
    assert {f"{exported.file}.csv" for _table, exported in list_exported()} <= links


def test_a_disclosure_that_may_not_be_told_is_not_in_it(
    make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    told_at = datetime(2026, 7, 1, tzinfo=UTC)
    make.disclosure(scope="The calls of May", told_at=told_at)
    make.disclosure(scope="The calls of June", gag="Court order 8")
    taken = take_out(database, settings, make.organization.id, cast.olive.id)
    assert [row["scope"] for row in taken.csv("staff-access/disclosures")] == ["The calls of May"]
    assert taken.names_with("The calls of June") == taken.names_with("Court order 8") == []


def test_bytes_that_are_no_text_can_be_told_back(
    make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    raw = b"caf\xe9\\x, \x00, \xff\xfe"
    make.refused_line(make.import_file(), raw=raw)
    taken = take_out(database, settings, make.organization.id, cast.olive.id)
    for row in (*taken.csv("phone-systems/refused-lines"), *taken.json("phone-systems/refused-lines")):
        assert row["raw"].encode().decode("unicode_escape").encode("latin-1") == raw


def test_another_organization_with_the_same_people_gets_its_own(
    make: Make, cast: Cast, database: Database, settings: Settings
) -> None:
    other = make.at(cast.quayside)
    other.call(caller="+441632960999", callee="301")
    with other.session() as session:
        add_member(session, cast.olive, Role.OWNER)
        session.commit()
    make.call(caller="+441632960123", callee="204")
    taken = take_out(database, settings, cast.quayside.id, cast.olive.id)
    assert [row["caller_number"] for row in taken.csv("calls/calls")] == ["+441632960999"]
    assert taken.names_with("960123") == []
    assert [row["slug"] for row in taken.json("organization/organization")] == ["quayside"]
    assert json.dumps(taken.manifest).count("Quayside Ltd") == 1
