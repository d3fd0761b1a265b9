"""The pages for everybody: no cookie, no row, every version at its address, and what changed between any two."""

import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.policies.conftest import Fill, Publish
from webapp.accounts.models import WebSession
from webapp.clock import now
from webapp.database.engine import Database
from webapp.policies import text, versions
from webapp.policies.feed import ATOM, make_feed
from webapp.policies.models import Policy
from webapp.policies.pages import list_everything
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

PAGES = (
    *("/privacy", "/security", "/privacy/versions", "/security/versions", "/privacy/1", "/security/1"),
    *("/privacy/1/to/2", "/privacy/2/to/1", "/privacy/employees", "/policies.atom", "/.well-known/security.txt"),
)


@pytest.fixture
def two(publish_now: Publish) -> None:
    """Two versions of the privacy policy in force one after the other, one of the security policy."""
    publish_now(summary="The first version of all.")
    publish_now(Policy.SECURITY, summary="The first version of this.")
    publish_now(regions='["Germany", "France"]', summary="We store in France too.")


def test_no_page_sets_a_cookie_or_leaves_a_row(client: PageCheckingClient, database: Database, two: None) -> None:
    for path in PAGES:
        page = client.get(path)
        assert page.status_code == 200, path
        assert "Set-Cookie" not in page.headers, path
        assert "csrf" not in page.text, path
    with reading_session(database) as session:
        assert session.scalars(select(WebSession)).all() == []


def test_before_anything_is_published_the_page_shows_a_draft_and_says_so(client: PageCheckingClient) -> None:
    for path in ("/privacy", "/security"):
        page = client.get(path).text
        assert "A draft: nothing is published yet" in page and 'class="gap"' in page
    assert "Nothing is published yet" in client.get("/privacy/versions").text
    assert client.get("/.well-known/security.txt").status_code == 404
    for path in ("/privacy/1", "/privacy/0", "/privacy/1/to/2", "/security/99999999999", "/privacy/x"):
        assert client.get(path).status_code == 404, path


def test_a_broken_file_of_values_shows_gaps(client: PageCheckingClient, fill: Fill) -> None:
    fill(operator="3")
    assert client.get("/privacy").status_code == 200
    assert "[operator: still to be filled in]" in client.get("/privacy").text


def test_the_page_says_version_day_and_hash(client: PageCheckingClient, publish_now: Publish) -> None:
    version = publish_now()
    page = client.get("/privacy").text
    assert "Version 1, in force since" in page
    assert bytes(version.digest).hex() in page
    assert "Example Telephony GmbH" in page and "draft" not in page


def test_older_versions_stay_and_say_that_they_are(client: PageCheckingClient, two: None) -> None:
    old, new = client.get("/privacy/1").text, client.get("/privacy").text
    assert "This is an older version." in old and "stored in Germany." in old
    assert "Version 2, in force since" in new and "stored in Germany and France." in new
    assert "older version" not in client.get("/privacy/2").text
    listed = client.get("/privacy/versions").text
    assert "We store in France too." in listed and "The first version of all." in listed


def test_one_that_is_to_come_is_told_and_takes_its_place_by_itself(
    client: PageCheckingClient, publish_now: Publish
) -> None:
    publish_now()
    publish_now(law='"France"', summary="Another law applies.", effective_at=now() + timedelta(days=20))
    page = client.get("/privacy").text
    assert "Version 2 takes effect on" in page and "Another law applies." in page and "Version 1, in force" in page
    assert "This version is not in force yet." in client.get("/privacy/2").text
    with time_machine.travel(now() + timedelta(days=21)):
        assert "Version 2, in force since" in client.get("/privacy").text
        assert "This is an older version." in client.get("/privacy/1").text


def test_each_of_two_that_are_to_come_is_told(client: PageCheckingClient, publish_now: Publish, cast: Cast) -> None:
    publish_now()
    publish_now(law='"France"', summary="Another law applies.", effective_at=now() + timedelta(days=20))
    publish_now(law='"Spain"', summary="And yet another one.", effective_at=now() + timedelta(days=40))
    client.sign_in(cast.vera)
    for path in ("/privacy", "/o/harbour/privacy"):
        page = client.get(path).text
        assert page.index("Version 2 takes effect on") < page.index("Another law applies."), path
        assert page.index("Another law applies.") < page.index("Version 3 takes effect on"), path
        assert "/privacy/1/to/3" in page, path


def test_what_differs_in_no_word_is_not_said_to_be_the_same(
    client: PageCheckingClient, publish_now: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_now()
    body = text.load_body(Policy.PRIVACY)
    monkeypatch.setattr(versions, "load_body", lambda _policy: body.replace("strict", "**strict**"))
    publish_now()
    assert "No word differs." in client.get("/privacy/1/to/2").text
    assert "The two say the same, word for word." in client.get("/privacy/2/to/2").text


def test_the_difference_shows_words_and_folds_the_rest(client: PageCheckingClient, two: None) -> None:
    page = client.get("/privacy/1/to/2").text
    assert re.search(r"stored in\s+<del>Germany\.</del> <ins>Germany and France\.</ins>", page)
    assert "<h2>Storage and location</h2>" in page
    assert re.search(r"<summary>\d+ paragraphs as before</summary>", page)
    back = client.get("/privacy/2/to/1").text
    assert "<ins>Germany.</ins>" in back
    assert "word for word" in client.get("/privacy/1/to/1").text


def test_any_two_are_chosen_by_a_form(client: PageCheckingClient, two: None) -> None:
    assert client.get("/privacy/difference?earlier=1&later=2").location == "/privacy/1/to/2"
    for wrong in ("", "?earlier=1", "?earlier=x&later=2", "?earlier=-1&later=2"):
        assert client.get(f"/privacy/difference{wrong}").status_code == 404


@pytest.mark.parametrize("canary", ["<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "{{7*191919}}"])
def test_security_36_a_policy_text_never_executes(
    client: PageCheckingClient, publish_now: Publish, monkeypatch: pytest.MonkeyPatch, canary: str
) -> None:
    """On each page where it stands: the client refuses what would run."""
    body = text.load_body(Policy.PRIVACY)
    publish_now(summary=f"The first {canary}")
    spoilt = body.replace("title: Privacy policy", f"title: {canary}").replace("Your data is yours", canary, 1)
    monkeypatch.setattr(versions, "load_body", lambda _policy: f"{spoilt}\n\n{canary}\n")
    publish_now(
        summary=f"The second {canary}",
        operator=f"'{canary}'",
        significant=True,
        effective_at=now() + timedelta(days=15),
    )
    for path in ("/privacy/2", "/privacy/1/to/2", "/privacy/versions", "/sign-in", "/policies.atom"):
        page = client.get(path)
        assert page.status_code == 200
        assert "<img src" not in page.text and "<svg onload" not in page.text and "1343433" not in page.text, path


def test_the_feed_is_atom_and_has_every_version(client: PageCheckingClient, two: None) -> None:
    answer = client.get("/policies.atom")
    assert answer.mimetype == "application/atom+xml"
    feed = ET.fromstring(answer.data)  # noqa: S314 - our own
    names = {"a": ATOM}
    assert feed.tag == f"{{{ATOM}}}feed"
    for needed in ("a:id", "a:title", "a:updated", "a:author/a:name", "a:link[@rel='self']"):
        assert feed.find(needed, names) is not None, needed
    entries = feed.findall("a:entry", names)
    assert len(entries) == 3
    ids = [entry.findtext("a:id", "", names) for entry in entries]
    assert len(set(ids)) == 3 and all(each.startswith("urn:uuid:") for each in ids)
    assert re.fullmatch(
        r"In force from \d+ \w+ \d{4}\. .*We store in France too\.", entries[0].findtext("a:summary", "", names)
    )
    assert all(
        re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.findtext("a:updated", "", names)) for entry in entries
    )


def test_the_feed_keeps_its_ids_at_another_address(publish_now: Publish, two: None, database: Database) -> None:
    """RFC 4287, 4.2.6; and when another version is published."""
    with reading_session(database) as session:
        known = list_everything(session)
    feeds = [
        ET.fromstring(make_feed(*made, "Operator", now()))  # noqa: S314 - our own
        for made in (("http://a.example", known), ("https://b.example", known), ("https://b.example", known[1:]))
    ]
    ids = [[element.text for element in feed.iter(f"{{{ATOM}}}id")] for feed in feeds]
    assert ids[0] == ids[1]
    assert ids[2] == [ids[0][0], *ids[0][2:]]


def test_an_empty_feed_is_one_too(client: PageCheckingClient) -> None:
    feed = ET.fromstring(client.get("/policies.atom").data)  # noqa: S314 - our own
    assert feed.findtext(f"{{{ATOM}}}updated") and feed.findall(f"{{{ATOM}}}entry") == []


def test_security_txt_is_as_rfc_9116_wants_it(client: PageCheckingClient, fill: Fill) -> None:
    fill()
    answer = client.get("/.well-known/security.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "mailto:security@example.com"
    assert fields["Canonical"] == "http://localhost:8080/.well-known/security.txt"
    assert fields["Policy"].startswith("http://localhost:8080/security")
    assert fields["Preferred-Languages"] == "en"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", fields["Expires"])
    assert f"{now() + timedelta(days=150):%Y-%m-%d}" < fields["Expires"] < f"{now() + timedelta(days=365):%Y-%m-%d}"
    fill(security_contact='"https://example.com/report"')
    assert "Contact: https://example.com/report\n" in client.get("/.well-known/security.txt").text


def test_employees_read_what_is_recorded_who_sees_it_and_how_long(
    app: Flask, client: PageCheckingClient, cast: Cast, database: Database, fill: Fill
) -> None:
    fill()
    page = client.get("/privacy/employees").text
    for words in ("What is recorded", "Who sees it", "How long", "Nothing that was said", "Example Telephony GmbH"):
        assert words in page
    assert "Harbour" not in page
    with writing_session(database) as session:
        values = {"keep_calls_days": 365, "keep_audit_days": 90, "contact": "Ann of the works council"}
        session.execute(update(Organization).where(Organization.id == cast.harbour.id).values(**values))
        session.commit()
    client.sign_in(cast.vera)
    own = client.get("/o/harbour/privacy/employees").text
    assert "Harbour Boats" in own and "Calls: 1 year." in own and "Ann of the works council" in own
    assert "Who looked at them: 90 days." in own
    assert "The files that the telephone system wrote: as long as the company is a customer." in own, "they stay"
    elsewhere = client.get("/privacy/employees", base_url="https://localhost:8080").text
    assert "The whole policy: http://localhost:8080/privacy" in elsewhere
    assert client.get("/o/quayside/privacy/employees").status_code == 404
    assert app.test_client().get("/o/harbour/privacy/employees").status_code == 303
