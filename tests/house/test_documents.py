"""The documents say what the code does: settings, commands, limits and links are compared with it."""

import dataclasses
import re
from pathlib import Path

import pytest

from config import Settings
from tests.conftest import make_settings
from webapp import create_app
from webapp.accounts import (
    limits,
    links,
    passkeys,
    password_strength,
    passwords,
    second_factor,
    session_limits,
    sign_in,
)
from webapp.body_limits import KEPT_FREE_BYTES, MIB, USUAL_BYTES
from webapp.ingest import room
from webapp.ingest.source_bytes import MAX_UNPACK_RATIO, MAX_UNPACKED_BYTES
from webapp.invitations import people_views
from webapp.invitations import views as invitations
from webapp.rate_limits import Limit
from webapp.sources.imports import LARGEST_FILE

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")])
OPERATE, SECURITY = ((ROOT / "docs" / name).read_text("utf-8") for name in ("operate.md", "security.md"))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_operate_names_every_setting() -> None:
    for each in dataclasses.fields(Settings):
        if each.name != "demo":
            assert f"`{each.name.upper()}`" in OPERATE, each.name


def test_operate_names_no_setting_that_is_not_there() -> None:
    table = OPERATE[OPERATE.index("| Setting |") : OPERATE.index("`flask check` looks")]
    named = {name for row in table.splitlines()[2:] if row for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    assert named == {each.name.upper() for each in dataclasses.fields(Settings)} - {"DEMO"}


def test_every_command_is_told_and_every_told_command_exists(tmp_path: Path) -> None:
    known = set(create_app(make_settings(tmp_path)).cli.commands) - {"run", "shell", "routes"}
    told = {name for path in DOCUMENTS for name in re.findall(r"flask ([a-z]+(?:-[a-z]+)*)", path.read_text("utf-8"))}
    assert told <= known | {"run", "shell"}
    assert known <= told


def test_every_make_target_that_is_told_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for document in DOCUMENTS:
        for target in re.findall(r"`make ([a-z][a-z-]*)`|^make ([a-z][a-z-]*)", document.read_text("utf-8"), re.M):
            assert (target[0] or target[1]) in targets, f"{document.name}: make {target}"


def test_security_7_1_1_session_lifetimes_are_those_of_the_code() -> None:
    minutes = int(session_limits.IDLE_LIMIT.total_seconds() // 60)
    hours = int(session_limits.ABSOLUTE_LIMIT.total_seconds() // 3600)
    assert f"| when nothing is done in it | {minutes} minutes |" in SECURITY
    assert f"| in any case | {hours} hours after signing in |" in SECURITY
    waits = int(session_limits.WAITING_LIMIT.total_seconds() // 60)
    assert f"| when the code does not follow the password | {waits} minutes |" in SECURITY
    proved = int(session_limits.PROVED_FOR.total_seconds() // 60)
    assert f"within the last {proved} minutes" in SECURITY
    assert f"valid for {links.VALID_MINUTES} minutes" in SECURITY
    assert second_factor.RECOVERY_CODES == 10
    assert "Ten recovery codes" in SECURITY


def test_security_7_1_1_sessions_of_staff_and_passkeys_are_those_of_the_code() -> None:
    hours = int(session_limits.STAFF_ABSOLUTE_LIMIT.total_seconds() // 3600)
    of_staff = SECURITY[SECURITY.index("| A session of staff ends |") :]
    assert f"| when nothing is done in it | {session_limits.STAFF_IDLE_MINUTES} minutes |" in of_staff
    assert f"| in any case | {hours} hours after signing in |" in of_staff
    fresh = int(session_limits.FACTOR_FRESH_FOR.total_seconds() // 60)
    assert f"a code or a passkey of the last {fresh} minutes" in SECURITY
    assert f"register up to {passkeys.PASSKEYS_AT_MOST}" in SECURITY
    assert f"counts once**, for {int(passkeys.LIVES.total_seconds() // 60)} minutes" in SECURITY


@pytest.mark.parametrize(
    ("words", "limit"),
    [
        ("one person from one network", sign_in.PER_PERSON_AND_NETWORK),
        ("one person, from all networks not known for them", sign_in.PER_PERSON),
        ("one network", sign_in.PER_NETWORK),
        ("everybody, from networks not known for them", sign_in.EVERYBODY),
        ("codes of one person, app and recovery", limits.CODES),
        ("proving again, one person", limits.PROOFS),
        ("answers of passkeys, one person", limits.PASSKEYS),
        ("questions to passkeys, one network", limits.PASSKEY_QUESTIONS),
        ("links for a new password, one address", limits.RESETS_PER_ADDRESS),
        ("links for a new password, one network", limits.RESETS_PER_NETWORK),
        ("links to confirm an address, one person", limits.CONFIRMATIONS),
        ("links followed, one network", limits.LINKS),
        ("asking to be let in without a lost factor, one person", limits.FACTORS_LOST),
        ("codes of people on the telephone, one member of staff", limits.HELP_CODES),
        ("buttons of invitations, one network", invitations.PER_NETWORK),
        ("mails of invitations, one organization", people_views.MAILS_PER_ORGANIZATION),
    ],
)
def test_security_6_1_1_throttling_is_that_of_the_code(words: str, limit: Limit) -> None:
    assert f"| {words} | {limit.burst:,} | {limit.every_ms / 1000:,g} seconds |" in SECURITY


def test_other_figures_are_those_of_the_code() -> None:
    hasher = passwords.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    source = (ROOT / "webapp" / "accounts" / "passwords.py").read_text("utf-8")
    assert "time_cost=2, memory_cost=19_456, parallelism=1" in source
    assert f"argon2id ({hasher.memory_cost:,} KiB, {hasher.time_cost} passes, {hasher.parallelism} lane)" in SECURITY
    assert f"{password_strength.SHORTEST} to {passwords.LONGEST} characters" in SECURITY
    assert f"A request's body: {USUAL_BYTES // MIB} MiB, an upload {LARGEST_FILE // 1000**3} GB." in SECURITY
    assert f"{KEPT_FREE_BYTES // MIB} MB that always stay free" in SECURITY
    assert f"at most {MAX_UNPACK_RATIO} times its size and {MAX_UNPACKED_BYTES // 1000**3} GB" in SECURITY


def test_what_phone_systems_may_leave_is_told_as_it_is() -> None:
    for name in ("operate.md", "use.md"):
        text = (ROOT / "docs" / name).read_text("utf-8")
        waiting = f"{room.MOST_WAITING_ROWS:,} deliveries or {room.MOST_WAITING_BYTES // 1000**3} GB that wait"
        refused = f"{room.MOST_REFUSED_ROWS:,} lines or {room.MOST_REFUSED_BYTES // 1000**3} GB that could not be read"
        assert waiting in text and refused in text, name
