"""Publishing: frozen for good with its values, in the chain by its hash, announced ahead where it matters."""

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from config import Settings
from tests import postgresql
from tests.cast import Cast
from tests.make import Make
from tests.policies.conftest import BY_COMMAND, Fill, Publish
from tests.staff.told import told
from webapp.accounts import session_limits
from webapp.clock import now
from webapp.database.engine import Database
from webapp.errors import Refused
from webapp.jobs.models import Job
from webapp.policies import announcing
from webapp.policies.announcing import TELL
from webapp.policies.models import Announcement, Policy, PolicyVersion
from webapp.policies.publishing import Change, publish
from webapp.policies.values import load_values
from webapp.policies.versions import Draft, digest_of, draft_of, find_in_force, find_newest, text_of
from webapp.tenancy.sessions import reading_session, writing_session


def draft(settings: Settings, database: Database, policy: Policy = Policy.PRIVACY) -> Draft:
    with reading_session(database) as session:
        return draft_of(session, settings, load_values(settings), policy)


def test_the_first_version_counts_at_once(publish_now: Publish, settings: Settings, database: Database) -> None:
    version = publish_now()
    assert (version.version, version.effective_at, version.published_by) == (1, version.published_at, None)
    with reading_session(database) as session:
        found = find_in_force(session, Policy.PRIVACY)
        assert found is not None and found.version == 1
        assert find_newest(session, Policy.SECURITY) is None
    assert draft(settings, database).is_new is False


def test_text_and_values_are_frozen_together(publish_now: Publish, settings: Settings, fill: Fill) -> None:
    version = publish_now()
    fill(operator='"Somebody Else"', regions='["France"]')
    text = " ".join(block.words for block in text_of(version).blocks)
    assert "Example Telephony GmbH" in text and "stored in Germany" in text and "Somebody Else" not in text
    values = json.loads(version.frozen_values)
    assert values["partners"][0] == ["Example Hosting AG", "hardware, network and storage", "Germany"]
    assert bytes(version.digest) == digest_of(version.body, version.frozen_values)


def test_a_changed_value_is_a_draft_of_the_policies_that_name_it(
    publish_now: Publish, settings: Settings, database: Database, fill: Fill
) -> None:
    publish_now(), publish_now(Policy.SECURITY)
    fill(regions='["France"]', recovery_time='"2 days"')
    assert draft(settings, database).what_is_new == "values have changed since version 1: regions"
    assert draft(settings, database, Policy.SECURITY).what_is_new == (
        "values have changed since version 1: recovery_time"
    )


def test_a_figure_of_the_code_is_a_value_too(
    publish_now: Publish, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_now(Policy.SECURITY)
    monkeypatch.setattr(session_limits, "STAFF_IDLE_MINUTES", 5)
    assert "staff_idle_minutes" in draft(settings, database, Policy.SECURITY).what_is_new
    on_another = replace(settings, database_url="sqlite:///x" if settings.dialect == "postgresql" else "postgresql://x")
    assert "locks" in draft(on_another, database, Policy.SECURITY).what_is_new


def test_it_stands_in_the_chain_with_its_hash(publish_now: Publish, database: Database) -> None:
    version = publish_now()
    [(kind, actor_id, words)] = told(database, beginning="service.policy")
    assert (kind, actor_id) == ("service.policy_published", None)
    assert words["digest"] == bytes(version.digest).hex()
    assert (words["policy"], words["version"], words["summary"]) == ("privacy", 1, "A summary of what changes.")


@pytest.mark.parametrize("significant", [True, False])
def test_a_significant_change_is_announced_ahead(publish_now: Publish, database: Database, significant: bool) -> None:
    publish_now()
    wanted: dict[str, Any] = {"significant": significant, "law": '"France"', "effective_at": now() + timedelta(days=13)}
    if significant:
        with pytest.raises(Refused, match="announced 14 days ahead") as refused:
            publish_now(**wanted)
        assert refused.value.field == "effective_on"
        publish_now(**wanted | {"effective_at": now() + timedelta(days=15)})
    else:
        publish_now(**wanted)
    with reading_session(database) as session:
        assert len(session.scalars(select(PolicyVersion)).all()) == 2
        announced = session.scalars(select(Announcement)).all()
        jobs = session.scalars(select(Job.payload).where(Job.kind == TELL)).all()
    assert len(announced) == len(jobs) == int(significant)
    if significant:
        assert json.loads(jobs[0]) == {"announcement_id": announced[0].id}


def test_without_a_day_a_significant_change_leaves_everybody_the_whole_notice(publish_now: Publish) -> None:
    """From the first midnight after it: mails are still on their way when it is published."""
    with time_machine.travel(datetime(2026, 11, 26, 6, 43, tzinfo=UTC)):
        publish_now()
        version = publish_now(significant=True, law='"France"')
    assert version.effective_at == datetime(2026, 12, 11, tzinfo=UTC)


def test_a_day_of_ones_own_leaves_everybody_the_whole_notice_too(
    publish_now: Publish, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From when the last of the mails is due."""
    make.member(), make.member()
    wanted: dict[str, Any] = {"significant": True, "law": '"France"'}
    with time_machine.travel(datetime(2026, 11, 26, 23, 30, tzinfo=UTC), tick=False):
        publish_now()
        monkeypatch.setattr(announcing, "MAILS_AT_ONCE", 1)
        with pytest.raises(Refused, match=r"14 days ahead\. Give 12 December 2026 or later"):
            publish_now(**wanted, effective_at=datetime(2026, 12, 11, tzinfo=UTC))
        assert publish_now(**wanted).effective_at == datetime(2026, 12, 12, tzinfo=UTC)


@pytest.mark.parametrize("policy", Policy)
def test_the_notice_that_was_promised_counts_until_another_is_in_force(publish_now: Publish, policy: Policy) -> None:
    """And a longer one from when it is published."""
    publish_now(notice_days="14"), publish_now(Policy.SECURITY, notice_days="14")
    wanted: dict[str, Any] = {"significant": True, "law": '"France"', "recovery_time": '"2 days"'}
    with pytest.raises(Refused, match="announced 14 days ahead"):
        publish_now(policy, notice_days="1", effective_at=now() + timedelta(days=3), **wanted)
    publish_now(notice_days="20", effective_at=now() + timedelta(days=2))
    with pytest.raises(Refused, match="announced 20 days ahead"):
        publish_now(policy, notice_days="1", effective_at=now() + timedelta(days=16), **wanted)


def test_nobody_is_told_of_the_first_version(publish_now: Publish, database: Database) -> None:
    version = publish_now(significant=True)
    assert version.effective_at == version.published_at
    with reading_session(database) as session:
        assert session.scalars(select(Announcement)).all() == []


def test_the_operator_says_how_long_ahead(publish_now: Publish) -> None:
    publish_now(notice_days="30")
    with pytest.raises(Refused, match="announced 30 days ahead"):
        publish_now(significant=True, law='"France"', notice_days="30", effective_at=now() + timedelta(days=20))


def test_one_version_after_the_other(publish_now: Publish, database: Database) -> None:
    publish_now()
    publish_now(law='"France"', effective_at=now() + timedelta(days=20))
    with pytest.raises(Refused, match="a newer one comes after it"):
        publish_now(law='"Spain"', effective_at=now() + timedelta(days=10))
    with reading_session(database) as session:
        found, newest = find_in_force(session, Policy.PRIVACY), find_newest(session, Policy.PRIVACY)
    assert found is not None and newest is not None
    assert (found.version, newest.version) == (1, 2)


@pytest.mark.parametrize("significant", [True, False])
def test_without_a_day_it_follows_the_one_that_is_to_come(publish_now: Publish, significant: bool) -> None:
    publish_now()
    waits = publish_now(law='"France"', effective_at=now() + timedelta(days=40))
    version = publish_now(law='"Spain"', significant=significant)
    assert waits.effective_at < version.effective_at <= waits.effective_at + timedelta(days=1)
    assert version.effective_at.time() == time()


@pytest.mark.parametrize("significant", [True, False])
@pytest.mark.parametrize("day", [datetime(2999, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_slip_in_the_year_does_not_end_all_changes(publish_now: Publish, day: datetime, significant: bool) -> None:
    publish_now()
    with pytest.raises(Refused, match="more than a year ahead") as refused:
        publish_now(law='"France"', significant=significant, effective_at=day)
    assert refused.value.field == "effective_on"
    publish_now(law='"France"', significant=significant, effective_at=now() + timedelta(days=300))
    publish_now(law='"Spain"', significant=significant, effective_at=now() + timedelta(days=600))


@pytest.mark.parametrize(
    ("wrong", "words", "field"),
    [
        ({"law": None, "contact": None}, "missing: contact, law", ""),
        ({"summary": "short"}, "in 10 to 600 characters", "summary"),
        ({"summary": "x" * 601}, "in 10 to 600 characters", "summary"),
        ({"summary": "a bell \x07 in a summary"}, "cannot be shown", "summary"),
        ({"effective_at": now() - timedelta(days=2)}, "over or has begun", "effective_on"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_published(
    publish_now: Publish, database: Database, wrong: dict[str, Any], words: str, field: str
) -> None:
    with pytest.raises(Refused, match=words) as refused:
        publish_now(**wrong)
    assert refused.value.field == field
    with reading_session(database) as session:
        assert session.scalars(select(PolicyVersion)).all() == []
    assert told(database) == []


def test_the_same_again_is_refused(publish_now: Publish) -> None:
    publish_now()
    with pytest.raises(Refused, match="Nothing is new"):
        publish_now()


def test_two_at_once_make_one_version(publish_now: Publish, settings: Settings, database: Database, fill: Fill) -> None:
    fill()
    stale = draft(settings, database)
    publish_now()
    with writing_session(database) as session, pytest.raises(Refused, match="meanwhile"):
        publish(session, stale, Change("The same at the same moment.", False), BY_COMMAND, 14)


def test_a_published_version_is_never_changed(
    publish_now: Publish, settings: Settings, database: Database, cast: Cast
) -> None:
    publish_now()
    with reading_session(database) as session:
        before = session.scalars(select(PolicyVersion)).one()
    mine = PolicyVersion.version == 1
    for statement in (
        update(PolicyVersion).where(mine).values(body="other words"),
        update(PolicyVersion).where(mine).values(effective_at=now()),
        delete(PolicyVersion).where(mine),
    ):
        with writing_session(database) as session, pytest.raises(DBAPIError, match=r"never changed|permission denied"):
            session.execute(statement.execution_options(synchronize_session=False))
    if settings.database_owner_url:  # nor by whom the tables belong to
        with postgresql.connect(settings.database_owner_url) as connection, pytest.raises(Exception, match="never"):
            connection.execute("UPDATE policy_version SET body = 'x'")
    with reading_session(database) as session:
        after = session.scalars(select(PolicyVersion)).one()
    assert (after.body, bytes(after.digest)) == (before.body, bytes(before.digest))
