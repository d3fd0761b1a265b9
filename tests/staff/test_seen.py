"""What staff see of one organization, and what its owners see of that: the same part from the same query."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.calls.models import ImportState
from webapp.clock import now
from webapp.database.ids import new_id, spell_id
from webapp.jobs.models import Job, JobState
from webapp.outbox.actions import queue_mail
from webapp.outbox.models import MailState
from webapp.staff.feature_use import FEATURE_USE
from webapp.staff.jobs import count_organizations
from webapp.staff.seen import mail_class
from webapp.tallies import add, today, write_down
from webapp.tenancy.consent_models import RequestState
from webapp.tenancy.models import OrganizationState
from webapp.tenancy.sessions import writing_session

THEIRS = "/o/harbour/what-staff-see"
#: Of what nobody but the organization's people may see.
CANARIES = ("2079460123", "Canary Switchboard", "canary.csv", "canary line", "canary words", "canary-addr")


@pytest.fixture
def filled(make: Make, cast: Cast) -> Make:
    """A call, a phone system, a failed import, refused lines, a dead job, a refused mail, requests and uses."""
    pbx = make.pbx("Canary Switchboard")
    make.call(pbx=pbx, started_at=now() - timedelta(hours=1))
    make.import_file(pbx, file_name="canary.csv", state=ImportState.FAILED, error="canary words")
    imported = make.import_file(pbx, file_name="canary.csv", read_count=2, refused_count=2)
    make.refused_line(imported, raw=b"canary line", reason="canary words")
    moment = now()
    make.store(
        Job(
            id=new_id(), kind="sources.import", organization_id=cast.harbour.id, payload='{"x":"canary words"}',
            state=JobState.DEAD, run_at=moment, attempts=8, error_class="DataError", created_at=moment, ended_at=moment,
        )
    )  # fmt: skip
    with make.session() as session:
        mail = queue_mail(session, "invitation", "canary-addr@example.com", cause="canary", words={"a": "canary words"})
        mail.state, mail.error, mail.ended_at = MailState.REFUSED, "550 canary words", moment
        session.commit()
    make.access_request(state=RequestState.REFUSED)
    make.opening(make.grant(cast.olive), cast.stella)
    for feature, times in (("calls", 12), ("reports", 3)):
        add(make.database, FEATURE_USE, today(), cast.harbour.id, feature, times=times)
    add(make.database, FEATURE_USE, today() - 10, cast.harbour.id, "calls", times=5)
    write_down(make.database)
    count_organizations(make.database)
    return make


def console_of(organization_id: int) -> str:
    return f"/staff/organizations/{spell_id(organization_id)}"


def words_of(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_owners_see_the_very_part_that_staff_see(
    staff_client: PageCheckingClient, client: PageCheckingClient, cast: Cast, filled: Make
) -> None:
    client.sign_in(cast.olive)
    of_staff, of_owners = staff_client.get_part(console_of(cast.harbour.id)).text, client.get_part(THEIRS).text
    assert "staff-seen" in of_staff
    assert of_staff == of_owners
    for page in (staff_client.get(console_of(cast.harbour.id)), client.get(THEIRS)):
        assert page.status_code == 200
        assert of_staff.strip() in page.text


def test_counts_and_kinds_are_told(staff_client: PageCheckingClient, cast: Cast, filled: Make) -> None:
    told = words_of(staff_client.get(console_of(cast.harbour.id)).text)
    for words in (
        "Calls stored 1 1 in the last 30 days",
        "Phone systems 1 1 failing, 0 silent",
        "Owners olive@example.com",
        "Refused 1",
        "Allowed 1",
        "Used 1 time in the last 30 days",
        "Files that could not be read to their end ImportFailed 1",
        "Lines of files that could not be read RefusedLine 2",
        "Job sources.import DataError 1",
        "Mail invitation SMTP 550 1",
        "Call log 12 17",
        "Overview 3 3",
    ):
        assert words in told, told


def test_nothing_of_a_call_a_file_or_a_mail_is_told(staff_client: PageCheckingClient, cast: Cast, filled: Make) -> None:
    for path in ("/staff/", console_of(cast.harbour.id), "/staff/service"):
        page = staff_client.get(path).text
        assert [canary for canary in CANARIES if canary in page] == [], path


def test_why_it_is_suspended_is_told(staff_client: PageCheckingClient, cast: Cast, make: Make) -> None:
    with writing_session(make.database) as session:
        its = session.merge(cast.harbour)
        its.state, its.suspended_for = OrganizationState.SUSPENDED, "An unpaid bill"
        session.commit()
    assert "Suspended: An unpaid bill" in words_of(staff_client.get(console_of(cast.harbour.id)).text)


def test_before_the_first_count_it_says_so(staff_client: PageCheckingClient, cast: Cast) -> None:
    page = staff_client.get(console_of(cast.harbour.id)).text
    assert "It was not counted yet." in page
    assert "no file, sending, job or mail has failed" in page


def test_another_organization_s_figures_are_not_among_them(
    staff_client: PageCheckingClient, cast: Cast, filled: Make
) -> None:
    told = words_of(staff_client.get(console_of(cast.quayside.id)).text)
    assert "Calls stored 0" in told and "Refused 0" in told and "ImportFailed" not in told and "Call log" not in told


def test_an_id_of_nothing(staff_client: PageCheckingClient, cast: Cast) -> None:
    assert staff_client.get(console_of(new_id())).status_code == 404


@pytest.mark.parametrize(
    ("person", "status"), [("olive", 200), ("max", 403), ("vera", 403), ("nina", 403), ("quentin", 404)]
)
def test_it_is_for_owners(client: PageCheckingClient, cast: Cast, person: str, status: int) -> None:
    client.sign_in(getattr(cast, person))
    assert client.get(THEIRS).status_code == status
    assert client.post(THEIRS).status_code in (404, 405)


def test_who_looked_leads_there(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert f'href="{THEIRS}"' in client.get("/o/harbour/who-looked").text


def test_owners_see_it_without_the_console_s_role(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    known = app.extensions["callbook"]
    app.extensions["callbook"] = replace(known, staff_database=None)
    client.sign_in(cast.olive)
    assert client.get(THEIRS).status_code == 200
    app.extensions["callbook"] = known


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("550 refused by the relay", "SMTP 550"),
        ("could not be sent: ValueError", "ValueError"),
        ("no connection: ConnectionRefusedError", "ConnectionRefusedError"),
        ("canary-addr@example.com said no", "Other"),
        (None, "Other"),
    ],
)
def test_of_a_mail_s_error_only_its_class(error: str | None, shown: str) -> None:
    assert mail_class(error) == shown
