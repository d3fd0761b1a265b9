"""The console's pages of the policies: publishing, telling of incidents, and who was told, without an address."""

import re
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from config import Settings
from tests.accounts.sent_too_late import hidden_fields
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.policies.conftest import Fill, Publish, fill, publish_now
from tests.staff.conftest import StaffClient
from tests.staff.told import told
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.jobs.worker import Worker
from webapp.outbox.models import MailState, OutboxMessage
from webapp.policies.models import Announcement, AnnouncementPerson, Outcome, PolicyVersion
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = ["fill", "publish_now"]
PAGE, NEW = "/staff/policies", "/staff/announcements/new"
PUBLISH = "/staff/policies/privacy/publish"
FIELDS = {"summary": "The first version of all.", "significant": "no", "effective_on": "", "reason": "We begin"}
INCIDENT = {
    "subject": "A disk was stolen",
    "words": "On Monday a disk was stolen. It was encrypted.",
    "whom": "one",
    "slug": "harbour",
    "reason": "Ticket 12",
}


def versions(database: Database) -> list[PolicyVersion]:
    with reading_session(database) as session:
        return list(session.scalars(select(PolicyVersion).order_by(PolicyVersion.policy, PolicyVersion.version)))


def shown(page: str) -> dict[str, str]:
    """What is sent back of the draft that the page shows."""
    return dict(re.findall(r'name="(seen)" value="([0-9a-f]{64})"', page))


def page_of(announcement: Announcement) -> str:
    return f"/staff/announcements/{spell_id(announcement.id)}"


@pytest.fixture
def announced(app: Flask, publish_now: Publish, database: Database, settings: Settings, cast: Cast) -> Announcement:
    publish_now()
    ahead = now() + timedelta(days=15)
    publish_now(law='"France"', summary="Another law applies.", significant=True, effective_at=ahead)
    Worker(database, settings).run_due()
    with reading_session(database) as session:
        return session.scalars(select(Announcement)).one()


def test_it_shows_what_is_missing_and_what_is_new(staff_client: StaffClient, fill: Fill) -> None:
    page = staff_client.get(PAGE).text
    assert "nothing: the page shows a draft" in page and "Missing" in page and "operator" in page
    assert "It cannot be published yet." in staff_client.get(PUBLISH).text
    fill()
    assert "Missing" not in staff_client.get(PAGE).text


def test_staff_publish_with_name_and_reason(
    staff_client: StaffClient, client: PageCheckingClient, cast: Cast, database: Database, fill: Fill
) -> None:
    fill()
    seen = shown(staff_client.get(PUBLISH).text)
    answer = staff_client.send(PUBLISH, FIELDS | seen)
    assert (answer.status_code, answer.location) == (303, PAGE), answer.text
    [version] = versions(database)
    assert version.published_by == cast.stella.id
    [(kind, actor, words)] = told(database, beginning="service.policy")
    assert (kind, actor, words["reason"]) == ("service.policy_published", cast.stella.id, "We begin")
    assert words["digest"] == bytes(version.digest).hex()
    assert "Version 1, in force since" in client.get("/privacy").text
    fill(regions='["France"]')
    page = staff_client.get(PUBLISH).text
    assert "<del>Germany.</del>" in page and "<ins>France.</ins>" in page
    assert "values have changed since version 1: regions" in staff_client.get(PAGE).text


def test_what_nobody_has_read_is_not_published(
    staff_client: StaffClient, publish_now: Publish, fill: Fill, database: Database
) -> None:
    publish_now()
    fill(law='"France"')
    seen = shown(staff_client.get(PUBLISH).text)
    fill(law='"Spain"')
    for read in (seen, {}):
        answer = staff_client.send(PUBLISH, FIELDS | read)
        assert answer.status_code == 422 and "Read above what is new now" in answer.text
        assert "<ins>Spain</ins>" in answer.text and FIELDS["summary"] in answer.text
    assert len(versions(database)) == 1
    assert staff_client.send(PUBLISH, FIELDS | shown(answer.text)).status_code == 303
    again = staff_client.send(PUBLISH, FIELDS | shown(answer.text))
    assert again.status_code == 422 and "Nothing is new." in again.text
    assert len(versions(database)) == 2


def test_a_file_that_cannot_be_read_is_said_and_not_called_empty(
    staff_client: StaffClient, publish_now: Publish, settings: Settings, database: Database
) -> None:
    publish_now()
    seen = shown(staff_client.get(PUBLISH).text)
    (settings.data_dir / "policy.toml").write_text("law = France", "utf-8")
    for answer in (staff_client.get(PAGE), staff_client.get(PUBLISH), staff_client.send(PUBLISH, FIELDS | seen)):
        assert "policy.toml cannot be read: " in answer.text
        assert "issing" not in answer.text and "<del>" not in answer.text and "values have changed" not in answer.text
    assert answer.status_code == 422
    assert len(versions(database)) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"summary": ""}, "Say what changes"),
        ({"summary": "x" * 601}, "at most 600 characters"),
        ({"significant": ""}, "Choose one."),
        ({"effective_on": "soon"}, "Write it as 2026-05-03, or leave it empty."),
        ({"effective_on": "2020-01-01"}, "over or has begun"),
        ({"reason": ""}, "Say why"),
    ],
)
def test_what_is_wrong_is_said_and_kept(
    staff_client: StaffClient, database: Database, fill: Fill, changed: dict[str, str], words: str
) -> None:
    fill()
    seen = shown(staff_client.get(PUBLISH).text)
    answer = staff_client.send(PUBLISH, FIELDS | seen | changed)
    assert answer.status_code == 422 and words in answer.text
    assert "summary" in changed or FIELDS["summary"] in answer.text
    assert versions(database) == []


def test_a_significant_one_needs_its_days(
    staff_client: StaffClient, publish_now: Publish, fill: Fill, database: Database
) -> None:
    publish_now()
    fill(law='"France"')
    seen = shown(staff_client.get(PUBLISH).text)
    soon = f"{now() + timedelta(days=5):%Y-%m-%d}"
    answer = staff_client.send(PUBLISH, FIELDS | seen | {"significant": "yes", "effective_on": soon})
    assert answer.status_code == 422 and "announced 14 days ahead" in answer.text and soon in answer.text
    assert len(versions(database)) == 1


def test_security_17_publishing_and_telling_ask_who_one_is(
    sign_in_staff: object, cast: Cast, database: Database, fill: Fill
) -> None:
    fill()
    assert callable(sign_in_staff)
    with time_machine.travel(now() - timedelta(minutes=11)):
        browser = sign_in_staff(cast.stella)
        browser.get(PAGE)
    for path, fields in ((PUBLISH, FIELDS), (NEW, INCIDENT)):
        assert browser.get(path).location.startswith("/prove")
        answer = browser.send(path, fields)
        assert answer.status_code == 401 and "Is it still you?" in answer.text
    assert versions(database) == []
    assert told(database) == []


def test_an_incident_that_was_written_for_too_long_is_not_lost(
    app: Flask, client: PageCheckingClient, clock: time_machine.Traveller, cast: Cast, database: Database
) -> None:
    """What was typed waits in the page that asks who one is, here for a passkey, and is sent from the next one."""
    client.sign_in(cast.stella)
    client.get(NEW)
    clock.shift(timedelta(minutes=11))
    typed = INCIDENT | {"words": "On Monday a disk was stolen.\r\n\r\n“It” was <encrypted> & “sealed”."}
    page = client.send(NEW, typed, headers={"Referer": f"http://localhost{NEW}"})
    assert page.status_code == 401
    kept = hidden_fields(page, "/prove/passkey")
    question = client.send("/prove/passkey/question").json
    passkey = app.extensions["passkeys of staff"][cast.stella.id]
    page = client.send("/prove/passkey", {**kept, "credential": passkey.show(question)})
    assert page.status_code == 200 and hidden_fields(page) == typed
    assert told(database, beginning="service.incident") == []
    assert client.send(NEW, hidden_fields(page)).status_code == 303
    with reading_session(database) as session:
        assert session.scalars(select(Announcement)).one().words == typed["words"].replace("\r\n", "\n")


def test_staff_tell_of_an_incident(staff_client: StaffClient, cast: Cast, database: Database) -> None:
    staff_client.get(NEW)
    answer = staff_client.send(NEW, INCIDENT)
    with reading_session(database) as session:
        announcement = session.scalars(select(Announcement)).one()
    assert (answer.status_code, answer.location) == (303, page_of(announcement))
    assert (announcement.organization_id, announcement.created_by) == (cast.harbour.id, cast.stella.id)
    [(kind, actor, _words)] = told(database, cast.harbour.id, "support.incident")
    assert (kind, actor) == ("support.incident_told", cast.stella.id)
    assert [words["reason"] for _kind, _actor, words in told(database, beginning="service.incident")] == ["Ticket 12"]
    again = staff_client.send(NEW, INCIDENT)
    assert again.status_code == 422 and "within the last day" in again.text and INCIDENT["words"] in again.text
    assert len(told(database, beginning="service.incident")) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"slug": "nobody"}, "There is no organization of this name."),
        ({"whom": "everybody"}, "take it out, or choose its people"),
        ({"whom": ""}, "Choose whom."),
        ({"subject": ""}, "Say what it is about."),
        ({"words": "short"}, "Say what happened"),
        ({"reason": "x"}, "Say why"),
    ],
)
def test_an_incident_that_is_not_right_tells_nobody(
    staff_client: StaffClient, cast: Cast, database: Database, changed: dict[str, str], words: str
) -> None:
    staff_client.get(NEW)
    answer = staff_client.send(NEW, INCIDENT | changed)
    assert answer.status_code == 422 and words in answer.text
    with reading_session(database) as session:
        assert session.scalars(select(Announcement)).all() == []


def test_outcomes_are_counted_and_no_address_is_shown(
    staff_client: StaffClient, cast: Cast, database: Database, announced: Announcement
) -> None:
    with writing_session(database) as session:
        for person, state, error in (
            (cast.olive, MailState.HANDED_OVER, None),
            (cast.vera, MailState.REFUSED, "550 refused by the relay"),
        ):
            mine = OutboxMessage.to_address == person.email
            session.execute(update(OutboxMessage).where(mine).values(state=state, error=error, ended_at=now()))
        session.commit()
    assert "Privacy policy changes on" in staff_client.get(PAGE).text
    page = staff_client.get(page_of(announced)).text
    assert spell_id(cast.vera.id) in page and "550 refused by the relay" in page
    assert spell_id(cast.olive.id) not in page
    for person in (cast.olive, cast.vera, cast.max, cast.quentin):
        assert person.email not in page


def test_a_mail_that_came_back_is_noted_by_its_message_id(
    staff_client: StaffClient, cast: Cast, database: Database, announced: Announcement
) -> None:
    with reading_session(database) as session:
        message_id = session.scalars(
            select(OutboxMessage.message_id).where(OutboxMessage.to_address == cast.vera.email)
        ).one()
    path = f"{page_of(announced)}/came-back"
    staff_client.get(page_of(announced))
    for wrong in ("", "<nonsense>", f"x{message_id}", message_id[:-20] + "0123456789@callbook>"):
        answer = staff_client.send(path, {"message_id": wrong, "reason": "550 no such user"})
        assert answer.status_code == 422 and "550 no such user" in answer.text, wrong
    answer = staff_client.send(path, {"message_id": message_id.strip("<>"), "reason": "550 no such user"})
    assert (answer.status_code, answer.location) == (303, page_of(announced))
    with reading_session(database) as session:
        person = session.get_one(AnnouncementPerson, (announced.id, cast.vera.id))
    assert (person.outcome, person.error) == (Outcome.CAME_BACK, "550 no such user")
    page = staff_client.get(page_of(announced)).text
    assert "came back" in page and spell_id(cast.vera.id) in page
    assert [kind for kind, _actor, _words in told(database, beginning="service.mail")] == ["service.mail_came_back"]
    missing = f"/staff/announcements/{spell_id(new_id())}"
    assert staff_client.get(missing).status_code == 404
    assert staff_client.send(f"{missing}/came-back", {"message_id": message_id, "reason": "why"}).status_code == 404


def test_to_everybody_else_there_is_no_such_page(
    client: PageCheckingClient, cast: Cast, announced: Announcement
) -> None:
    paths = (PAGE, PUBLISH, NEW, page_of(announced))
    for path in paths:
        assert client.get(path).location.startswith("/staff/sign-in"), path
    client.sign_in(cast.olive)
    for path in paths:
        assert client.get(path).status_code == 404, path
    for path in (PUBLISH, NEW, f"{page_of(announced)}/came-back"):
        assert client.send(path, FIELDS).status_code == 404, path
