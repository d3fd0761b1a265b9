"""Checks measure against what was published, and pages show it: what has changed since is a draft, and no promise."""

import dataclasses
import html
from datetime import timedelta

import pytest
from flask import Flask

from config import Settings
from tests.client import PageCheckingClient
from tests.policies.sound_service import BY_COMMAND, VALUES, Execute, backup
from tests.policies.test_organization_policy import figures
from webapp.accounts import session_limits
from webapp.clock import now
from webapp.database.engine import Database
from webapp.policies.checking import check_promises
from webapp.policies.models import Policy
from webapp.policies.promises import NOT_KNOWN
from webapp.policies.publishing import Change, publish
from webapp.policies.values import Values, load_values
from webapp.policies.versions import draft_of
from webapp.tenancy.sessions import writing_session

ANOTHER = '[[partners]]\nname = "Upriver Disks"\npurpose = "storage"\nregion = "France"\n'


def write(settings: Settings, values: str) -> None:
    (settings.data_dir / "policy.toml").write_text(values)


def publish_next(
    database: Database, settings: Settings, policy: Policy, *, body: str | None = None, in_days: int = 0
) -> None:
    """The text and the values at hand, or another text."""
    with writing_session(database) as session:
        draft = draft_of(session, settings, load_values(settings), policy)
        draft = dataclasses.replace(draft, body=body or draft.body)
        effective_at = now() + timedelta(days=in_days) if in_days else None
        publish(session, draft, Change("Something has changed.", False, effective_at), BY_COMMAND, 14)
        session.commit()


def test_values_come_back_as_they_were_frozen(sound: Flask, settings: Settings) -> None:
    values = load_values(settings)
    assert Values.of(values.filling()) == values


def test_a_value_that_nobody_published_counts_for_nothing(
    sound: Flask, settings: Settings, client: PageCheckingClient, past_locks: Execute, database: Database
) -> None:
    past_locks("DELETE FROM recovery_run WHERE kind = 1")
    backup(database, ago=timedelta(days=3))
    write(settings, VALUES.replace("backup_hours = 24", "backup_hours = 500"))
    assert "older than" in check_promises(sound)["backups-young"]
    assert figures(client.get("/security").text)["One is made every"] == "24 hours"

    publish_next(database, settings, Policy.SECURITY)
    assert check_promises(sound)["backups-young"] == ""
    assert figures(client.get("/security").text)["One is made every"] == "500 hours"


def test_a_partner_that_nobody_published_is_a_broken_promise(
    sound: Flask, settings: Settings, client: PageCheckingClient, database: Database
) -> None:
    write(settings, VALUES + ANOTHER)
    assert "not those that were published" in check_promises(sound)["own-database"]
    assert "Upriver Disks" not in client.get("/privacy").text

    publish_next(database, settings, Policy.PRIVACY, in_days=20)
    assert check_promises(sound)["own-database"] == ""  # it is announced, and comes with its version
    assert "Upriver Disks" not in client.get("/privacy").text


def test_what_stands_beside_the_policies_says_what_they_say(
    sound: Flask, settings: Settings, client: PageCheckingClient, database: Database
) -> None:
    """security.txt, the feed and the page for employees."""
    words = VALUES.replace("Harbour Hosting", "Upriver Hosting").replace("@hosting.example", "@upriver.example")
    pages = ("/.well-known/security.txt", "/policies.atom", "/privacy/employees")
    before = [client.get(page).text for page in pages]
    write(settings, words)
    assert [client.get(page).text.lower().count("upriver") for page in pages] == [0, 0, 0]
    assert "security@hosting.example" in before[0]
    for policy in Policy:
        publish_next(database, settings, policy)
    assert all("upriver" in client.get(page).text.lower() for page in pages)


def test_a_file_that_cannot_be_read_names_no_partner(sound: Flask, settings: Settings) -> None:
    write(settings, "regions = 7")
    came = check_promises(sound)
    assert came["own-database"] == "The list of partners and regions on the server cannot be read."
    assert came["backups-young"] == ""


def test_a_release_with_longer_sessions_breaks_what_was_published(
    sound: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ABSOLUTE_LIMIT", "STAFF_ABSOLUTE_LIMIT"):
        with monkeypatch.context() as patch:
            patch.setattr(session_limits, name, timedelta(hours=13))
            assert "would still be let in" in check_promises(sound)["sessions-as-said"]
    assert check_promises(sound)["sessions-as-said"] == ""


def test_a_promise_that_a_release_has_dropped_is_not_kept(
    sound: Flask, settings: Settings, client: PageCheckingClient, database: Database
) -> None:
    with writing_session(database) as session:
        body = draft_of(session, settings, load_values(settings), Policy.PRIVACY).body
    publish_next(database, settings, Policy.PRIVACY, body=body.replace("changes-told", "changes-told, whistles-blown"))
    assert check_promises(sound)["whistles-blown"] == NOT_KNOWN
    page = client.get("/privacy").text
    assert "19 of 20 promises are kept" in page
    assert "Whistles blown" in page
    assert html.unescape(page).count(NOT_KNOWN) >= 1
    assert "Whistles blown" in client.get("/privacy/kept").text

    publish_next(database, settings, Policy.PRIVACY)
    assert check_promises(sound)["whistles-blown"] == ""
    assert "19 of 19 promises are kept" in client.get("/privacy").text


def test_drafts_promise_nothing(app: Flask, client: PageCheckingClient) -> None:
    check_promises(app)
    assert "promises are kept" not in client.get("/privacy").text
    assert "no promises so far" in client.get("/privacy/kept").text
