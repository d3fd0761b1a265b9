"""The page "How long we keep it": what would go is shown before anything is stored, a shorter time asks who it is."""

import json
import re
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from tests.accounts.authenticator import clock
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.database.engine import Database
from webapp.jobs.models import Job
from webapp.privacy import retention_calls, retention_views
from webapp.privacy.retention import Rules, rules_of
from webapp.privacy.retention_planning import RUN
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

__all__ = ["clock"]
PAGE = "/o/harbour/settings/retention"
CHOSEN = {"calls": "365", "files": "90", "audit": "0", "exports": "7"}


def rules(database: Database, cast: Cast) -> Rules:
    with reading_session(database) as session:
        return rules_of(session.get_one(Organization, cast.harbour.id))


def told(database: Database, cast: Cast) -> list[dict[str, str]]:
    with reading_session(database, cast.harbour.id) as session:
        rows = session.scalars(
            select(AuditDetail)
            .join(AuditEvent, AuditEvent.position == AuditDetail.position)
            .where(AuditEvent.kind == "settings.changed")
            .order_by(AuditDetail.position)
        )
        return [json.loads(row.words or "") for row in rows]


def look(client: PageCheckingClient, **fields: str) -> str:
    asked = "&".join(f"{name}={value}" for name, value in {**CHOSEN, **fields}.items())
    return f"{PAGE}/preview?{asked}"


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_what_would_go_is_shown_and_then_stored(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    make.call(caller="+442079460123", started_at=NOON - timedelta(days=900))
    make.call(caller="+442079460123", started_at=NOON - timedelta(days=800))
    client.sign_in(cast.olive)
    assert "removes nothing" in text_of(client.get(PAGE).text)
    page = text_of(client.get(look(client)).text)
    assert "Calls and their records as long as we are here → 1 year" in page
    assert re.search(r"Calls 2, from .*2024 .* to .*2024", page)
    assert "Their records 2" in page
    assert rules(database, cast) == Rules(None, None, None, 7), "looking stores nothing"
    assert client.send(PAGE, CHOSEN).location == PAGE
    assert "It takes effect with the next run" in client.get(PAGE).text
    assert rules(database, cast) == Rules(365, None, 90, 7)
    assert told(database, cast) == [
        {"setting": "How long calls are kept", "before": "as long as we are here", "after": "1 year"},
        {
            "setting": "How long files that were imported are kept",
            "before": "as long as we are here",
            "after": "90 days",
        },
    ]
    with reading_session(database) as session:
        assert [job.organization_id for job in session.scalars(select(Job).where(Job.kind == RUN))] == [cast.harbour.id]


def test_what_was_not_counted_to_the_end_is_told_so(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_calls, "_LOOKED_AT", 2)
    monkeypatch.setattr("webapp.privacy.retention.LINES_AT_MOST", 2)
    monkeypatch.setattr(retention_views, "LINES_AT_MOST", 2)
    for days in (900, 800, 700):
        make.call(caller=f"+442079460{days}", callee="204", started_at=NOON - timedelta(days=days))
    file = make.import_file(created_at=NOON - timedelta(days=900))
    for line in range(3):
        make.refused_line(file, line_number=line)
    client.sign_in(cast.olive)
    page = text_of(client.get(look(client)).text)
    assert "Calls 3, from" in page and "Their records at least 3" in page
    assert "Numbers at least 3 that no other call has" in page
    assert "Lines not read more than 2 that could not be read" in page


@pytest.mark.parametrize(
    "wrong", [{"calls": "1"}, {"calls": "x"}, {"audit": "30"}, {"exports": "0"}, {"files": "-5"}, {"exports": ""}]
)
def test_what_nobody_offers_is_not_stored(
    client: PageCheckingClient, cast: Cast, database: Database, wrong: dict[str, str]
) -> None:
    client.sign_in(cast.olive)
    assert client.get(look(client, **wrong)).status_code == 422
    answer = client.send(PAGE, {**CHOSEN, **wrong})
    assert answer.status_code == 422
    assert "Nothing was changed yet" in answer.text
    assert rules(database, cast) == Rules(None, None, None, 7)


def test_a_shorter_time_asks_for_proof_and_a_longer_one_does_not(
    clock: time_machine.Traveller, client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    client.send(PAGE, CHOSEN)
    clock.shift(timedelta(minutes=11))
    answer = client.get(look(client, calls="90"))
    assert answer.status_code == 303 and answer.location.startswith("/prove")
    assert client.send(PAGE, {**CHOSEN, "calls": "90"}).status_code == 401
    assert rules(database, cast).calls == 365
    assert client.get(look(client, calls="730")).status_code == 200
    assert client.send(PAGE, {**CHOSEN, "calls": "730"}).location == PAGE
    assert rules(database, cast).calls == 730
    client.send("/prove", {"password": PASSWORD, "next": PAGE})
    client.get(PAGE)  # with the token of the new session
    assert client.send(PAGE, {**CHOSEN, "calls": "90"}).location == PAGE
    assert rules(database, cast).calls == 90


def test_files_that_outlive_their_calls_are_told(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert "Files are kept longer than calls" in client.get(look(client, files="0")).text
    assert "Files are kept longer than calls" not in client.get(look(client)).text


def test_what_another_tab_stored_meanwhile_is_not_undone_unseen(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.sign_in(cast.olive)
    seen = known(client, calls="365", files="0")
    assert client.send(PAGE, {**CHOSEN, "calls": "0", "files": "90"}).location == PAGE
    answer = client.send(PAGE, {**CHOSEN, "calls": "365", "files": "0", "known": seen})
    assert answer.status_code == 422 and "Other times were stored since you looked" in answer.text
    assert '<option selected value="365">' in answer.text, "what was chosen is kept"
    assert rules(database, cast) == Rules(None, None, 90, 7)
    seen = known(client, calls="365", files="0")
    for _click in range(2):
        assert client.send(PAGE, {**CHOSEN, "calls": "365", "files": "0", "known": seen}).location == PAGE
    assert rules(database, cast) == Rules(365, None, None, 7)


def known(client: PageCheckingClient, **fields: str) -> str:
    """What the page that shows what would go sends with it."""
    found = re.search(r'name="known" value="([^"]+)"', client.get(look(client, **fields)).text)
    assert found
    return found[1]


def test_nothing_to_change_leads_back(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert client.get(look(client, calls="0", files="0")).location == PAGE


@pytest.mark.parametrize("who", ["max", "vera", "nina", "quentin", "nora"])
def test_owners_alone(client: PageCheckingClient, cast: Cast, database: Database, who: str) -> None:
    client.sign_in(getattr(cast, who))
    status = 404 if who in ("quentin", "nora") else 403
    assert client.get(PAGE).status_code == client.get(look(client)).status_code == status
    assert client.send(PAGE, CHOSEN).status_code == status
    assert rules(database, cast) == Rules(None, None, None, 7)
