"""More ways to break a promise than the one of test_red.py: each turns it red, and only that one."""

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import ColumnElement, true, update
from sqlalchemy.orm import with_loader_criteria

from config import Settings
from tests.cast import Cast
from tests.make import Make
from tests.policies.sound_service import BY_COMMAND, Execute
from webapp import headers
from webapp.audit.actions import record
from webapp.calls.models import Call
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.policies.checking import check_promises
from webapp.policies.models import Policy
from webapp.policies.publishing import Change, publish
from webapp.policies.values import load_values
from webapp.policies.versions import draft_of
from webapp.privacy.retention_actions import SETTINGS
from webapp.tenancy import lock
from webapp.tenancy.models import Membership, Organization, OrganizationState, Tenant
from webapp.tenancy.sessions import writing_session


def red(app: Flask) -> dict[str, str]:
    return {key: why for key, why in check_promises(app).items() if why}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("script-src 'self'", "script-src 'self' https://cdn.example"),
        ("img-src 'self'", "img-src *"),
        ("default-src 'none'; ", ""),
        ("form-action 'self'; ", ""),
    ],
)
def test_a_page_that_lets_browsers_ask_others(
    sound: Flask, monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    assert before in headers.CONTENT_SECURITY_POLICY
    looser = headers.CONTENT_SECURITY_POLICY.replace(before, after)
    monkeypatch.setitem(headers.ALWAYS, "Content-Security-Policy", looser)
    assert list(red(sound)) == ["no-third-party"]


def test_two_members_by_one_invitation(sound: Flask, past_locks: Execute, cast: Cast) -> None:
    past_locks(
        "UPDATE membership SET invitation_id = (SELECT invitation_id FROM membership WHERE user_account_id = ?) "
        "WHERE user_account_id = ?",
        cast.olive.id, cast.vera.id,
    )  # fmt: skip
    assert list(red(sound)) == ["only-invited"]


def test_calls_alone_are_open_to_another_organization(
    sound: Flask, database: Database, make: Make, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the database's own lock still holds: what is promised there is kept."""
    make.call()
    narrow = lock._criteria

    def forgets_calls(organization_id: int | None, *bound: Any) -> Any:
        def whose(entity: Any) -> ColumnElement[bool]:
            return true() if entity is Call else entity.organization_id == organization_id

        if organization_id != cast.quayside.id:
            return narrow(organization_id, *bound)
        return tuple(
            with_loader_criteria(mapped, whose, include_aliases=True, track_closure_variables=False)
            for mapped in (Tenant, Membership)
        )

    monkeypatch.setattr(lock, "_criteria", forgets_calls)
    assert list(red(sound)) == (["tenants-apart"] if database.dialect == "sqlite" else [])


@pytest.mark.parametrize(("setting", "broken"), [("The time zone", ["retention-runs"]), (SETTINGS["calls"], [])])
def test_only_new_rules_give_retention_more_nights(
    sound: Flask, database: Database, make: Make, cast: Cast, setting: str, broken: list[str]
) -> None:
    make.call(started_at=now() - timedelta(days=100))
    with writing_session(database, cast.harbour.id) as session:
        session.execute(update(Organization).where(Organization.id == cast.harbour.id).values(keep_calls_days=30))
        record(session, "settings.changed", actor_id=1, setting=setting, before="a", after="b")
        session.commit()
    assert list(red(sound)) == broken


@pytest.mark.parametrize(("hours", "broken"), [(23, []), (25, ["retention-runs"])])
def test_an_organization_that_should_have_been_erased(
    sound: Flask, database: Database, cast: Cast, hours: int, broken: list[str]
) -> None:
    closed_at = now() - timedelta(days=14, hours=hours)
    with writing_session(database) as session:
        session.execute(
            update(Organization)
            .where(Organization.id == cast.harbour.id)
            .values(state=OrganizationState.CLOSED, closing_ms=to_ms(closed_at), closing_by=cast.olive.id)
        )
        session.commit()
    assert list(red(sound)) == broken


def test_tls_was_promised_and_is_not_there(sound: Flask, settings: Settings, database: Database) -> None:
    by_tls = dataclasses.replace(settings, base_url="https://calls.example")
    with writing_session(database) as session:
        draft = draft_of(session, by_tls, load_values(settings), Policy.SECURITY)
        publish(session, draft, Change("By TLS from now on.", significant=False), BY_COMMAND, 14)
        session.commit()
    assert list(red(sound)) == ["encrypted-on-the-way"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("body", "Another text."), ("frozen_values", "{}"), ("digest", b"d" * 32), ("significant", True), ("version", 7)],
)
def test_a_published_policy_was_altered(sound: Flask, past_locks: Execute, column: str, value: object) -> None:
    past_locks(f"UPDATE policy_version SET {column} = ? WHERE policy = 2", value)
    assert list(red(sound)) == ["audit-whole"]


def test_a_policy_that_takes_effect_on_another_day(sound: Flask, past_locks: Execute, database: Database) -> None:
    earlier = now() - timedelta(seconds=3)
    past_locks(
        "UPDATE policy_version SET effective_at = ?", to_ms(earlier) if database.dialect == "sqlite" else earlier
    )
    assert list(red(sound)) == ["audit-whole"]
