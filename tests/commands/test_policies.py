"""flask check-policies, publish-policy, announce-incident."""

from datetime import timedelta
from pathlib import Path

from click.testing import Result
from flask import Flask
from sqlalchemy import select

from config import Settings
from tests.cast import Cast
from tests.policies.conftest import Fill, fill
from webapp.clock import now
from webapp.database.engine import Database
from webapp.jobs.models import Job
from webapp.policies.announcing import TELL
from webapp.policies.models import Announcement, PolicyVersion
from webapp.tenancy.sessions import reading_session

__all__ = ["fill"]
SUMMARY = "The first version of all."


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=words)


def publish(app: Flask, name: str, *more: str) -> Result:
    return run(app, "publish-policy", name, "--summary", SUMMARY, *(more or ("--not-significant",)))


def test_it_names_every_missing_value_and_fails(app: Flask, fill: Fill) -> None:
    done = run(app, "check-policies")
    assert done.exit_code == 1
    for name in ("operator", "address", "law", "contact", "security_contact", "partners", "regions", "backup_hours"):
        assert f"wrong {name} is missing in " in done.stdout
    assert "privacy: nothing is published yet" in done.stdout and "security: nothing is published yet" in done.stdout
    fill(law=None)
    done = run(app, "check-policies")
    assert done.exit_code == 1
    assert "wrong law is missing in " in done.stdout and "operator" not in done.stdout


def test_filled_in_and_published_is_right_until_something_changes(app: Flask, fill: Fill, database: Database) -> None:
    fill()
    assert run(app, "check-policies").exit_code == 1, "a draft is not published"
    for name in ("privacy", "security"):
        done = publish(app, name)
        assert done.exit_code == 0, done.output
        assert f"Version 1 of the {name} policy is published" in done.output and "SHA-256 " in done.output
    done = run(app, "check-policies")
    assert done.exit_code == 0, done.output
    assert "privacy: version 1 is what this service says now" in done.output
    fill(regions='["France"]')
    done = run(app, "check-policies")
    assert done.exit_code == 1
    assert "wrong privacy: values have changed since version 1: regions" in done.stdout
    assert "ok    security" in done.stdout.replace("ok   ", "ok   ", 1)


def test_a_broken_file_is_said_without_a_trace(app: Flask, settings: Settings) -> None:
    (settings.data_dir / "policy.toml").write_text("operator = ", "utf-8")
    for done in (run(app, "check-policies"), publish(app, "privacy")):
        assert done.exit_code == 1
        assert "policy.toml cannot be read" in done.output and "Traceback" not in done.output


def test_with_gaps_nothing_is_published(app: Flask, fill: Fill, database: Database) -> None:
    fill(contact=None)
    done = publish(app, "privacy")
    assert done.exit_code == 1 and "These values are missing: contact" in done.output
    with reading_session(database) as session:
        assert session.scalars(select(PolicyVersion)).all() == []


def test_a_significant_one_too_soon_is_refused(app: Flask, fill: Fill) -> None:
    fill()
    assert publish(app, "privacy").exit_code == 0
    fill(law='"France"')
    done = publish(app, "privacy", "--significant", "--effective", "2020-01-01")
    assert done.exit_code == 1 and "Give a later one" in done.output
    soon = f"{now() + timedelta(days=13):%Y-%m-%d}"
    done = publish(app, "privacy", "--significant", "--effective", soon)
    assert done.exit_code == 1 and "announced 14 days ahead" in done.output
    day = now() + timedelta(days=300)
    done = publish(app, "privacy", "--significant", "--effective", f"{day:%Y-%m-%d}")
    assert done.exit_code == 0 and f"in force from {day:%-d %B %Y}" in done.output and "tells everybody" in done.output


def test_it_must_be_said_whether_it_is_significant(app: Flask, fill: Fill) -> None:
    fill()
    assert run(app, "publish-policy", "privacy", "--summary", SUMMARY).exit_code == 2
    assert run(app, "publish-policy", "terms", "--summary", SUMMARY, "--significant").exit_code == 2


def test_an_incident_is_announced(app: Flask, cast: Cast, database: Database, tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("On Monday a disk was stolen.\n\nIt was encrypted.", "utf-8")
    told = ("announce-incident", "--subject", "A disk was stolen", "--words-file", str(words))
    assert run(app, *told).exit_code == 0
    done = run(app, *told, "--organization", "harbour")
    assert done.exit_code == 0 and "the people of harbour" in done.output
    for nobody in ("nobody", ""):
        wrong = run(app, *told, "--organization", nobody)
        assert wrong.exit_code == 1 and f"There is no organization {nobody!r}." in wrong.output
    words.write_bytes(b"A disk \xff was stolen")
    wrong = run(app, *told)
    assert wrong.exit_code == 1 and "words.txt cannot be read: it must be a text in UTF-8." in wrong.output
    words.write_text("short", "utf-8")
    assert run(app, *told).exit_code == 1
    with reading_session(database) as session:
        found = session.scalars(select(Announcement).order_by(Announcement.id)).all()
        assert [each.organization_id for each in found] == [None, cast.harbour.id]
        assert len(session.scalars(select(Job).where(Job.kind == TELL)).all()) == 2
