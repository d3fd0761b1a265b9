"""/o/<slug>/privacy: the policy with an organization's own figures, for whoever reads it, and never another's."""

import html
import re
from datetime import timedelta

import pytest
from flask import Flask

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.policies.sound_service import backup, store_browser
from webapp.clock import now
from webapp.database.engine import Database
from webapp.organizations.actions import add_member
from webapp.policies.checking import check_promises
from webapp.recovery.models import RunKind
from webapp.tenancy.models import Organization, Role
from webapp.tenancy.sessions import writing_session

PAGE = "/o/harbour/privacy"


def figures(text: str) -> dict[str, str]:
    """What stands beside the sections, by its label."""
    found = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text, re.DOTALL)
    return {html.unescape(label): html.unescape(re.sub(r"<[^>]+>", "", value)) for label, value in found}


def links(text: str) -> dict[str, str]:
    return dict(re.findall(r'<dt>([^<]+)</dt><dd><a href="([^"]+)"', text))


def test_an_owner_reads_what_is_true_of_the_organization(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.call(caller="+442079460123")
    make.call(caller="+442079460124", started_at=now() - timedelta(days=1))
    make.invitation()
    grant = make.grant(cast.olive, starts_at=now() - timedelta(hours=1))
    make.opening(grant, cast.stella, opened_at=now() - timedelta(minutes=30), ended_at=now() - timedelta(minutes=16))
    make.disclosure(told_at=now())
    make.disclosure()  # of one that may not be told nothing moves
    check_promises(sound)
    client.sign_in(cast.olive)
    page = client.get(PAGE).text

    told = figures(page)
    assert told["People who can see your calls"] == "4"
    assert told["Invitations waiting"] == "1"
    assert told["Disclosures that we may tell you about"] == "1"
    assert told["Times our staff opened your data, ever"] == "1"
    assert told["Open now"] == "0"
    assert told["Last time"].endswith("14 min")
    assert told["Calls"] == "2"
    assert told["Numbers and extensions"] == "3"
    assert told["First call"] == "15 July 2026"
    assert told["Your data is stored in"] == "England"
    assert told["Cookies that your browser sends us now"] == "1"
    assert links(page)["People who can see your calls"] == "/o/harbour/people"
    [looked] = [path for path in links(page).values() if "who=" in path]
    assert re.fullmatch(r"/o/harbour/who-looked\?who=[0-9a-z]+&(amp;)?from=[0-9-]{10}&(amp;)?to=[0-9-]{10}", looked)
    assert client.get(html.unescape(looked)).status_code == 200
    assert links(page)["Times our staff opened your data, ever"] == "/o/harbour/support"
    assert links(page)["Disclosures that we may tell you about"].startswith("/o/harbour/who-looked/")
    assert page.count("Kept, as of") > 8
    assert "Not kept" not in page


def test_the_cookie_is_told_and_not_shown(sound: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    page = client.get(PAGE).text
    cookie = client.get_cookie("sid")
    assert cookie is not None
    told = figures(page)
    assert told["Name"] == "sid"
    assert told["Size"] == f"{len(cookie.value)} bytes"
    assert told["Decoded"] == "43 random characters · 43 of our signature"
    assert told["What it says about you"] == "nothing"
    for part in cookie.value.split("."):
        assert part[:10] not in page


def test_a_cookie_that_is_not_as_ours_are_is_told_too(sound: Flask, client: PageCheckingClient) -> None:
    client.set_cookie("sid", "olive@example.com")
    client.set_cookie("another", "x")
    told = figures(client.get("/privacy").text)
    assert told["Cookies that your browser sends us now"] == "2"
    assert told["What it says about you"].startswith("unknown")


def test_a_viewer_gets_no_link_to_where_they_may_not_go(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    browser = store_browser(make.database, cast.stella)
    make.opening(make.grant(cast.olive), cast.stella, web_session_id=browser)
    client.sign_in(cast.vera)
    page = client.get(PAGE).text
    assert figures(page)["People who can see your calls"] == "4"
    assert figures(page)["Open now"] == "1"
    for path in links(page).values():
        assert client.get(path).status_code == 200


def test_who_is_narrowed_reads_of_their_own_calls(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    pbx = make.pbx()
    make.call(pbx=pbx, callee="201")
    make.call(pbx=pbx, callee="202")
    make.call(pbx=pbx, callee="202", started_at=now())
    make.narrow(cast.nina, "201")
    make.disclosure(told_at=now())
    client.sign_in(cast.nina)
    page = client.get(PAGE).text

    told = figures(page)
    assert told["Calls that you can see"] == "1"
    assert told["First of them"] == told["Last of them"] == "15 July 2026"
    assert told["Calls are kept"] == "as long as you stay"
    assert told["People who can see calls that you see"] == "4"
    assert "Calls" not in told
    assert "People who can see your calls" not in told
    assert "Disclosures that we may tell you about" not in told
    assert "Numbers and extensions" not in told
    assert not {"Open now", "Openings", "Who looked is kept", "Takeouts are kept"} & told.keys()
    for path in links(page).values():
        assert client.get(path).status_code == 200


def test_narrowed_people_who_share_nothing_do_not_see_each_others(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.narrow(cast.nina, "201")
    make.narrow(cast.vera, "202")
    client.sign_in(cast.nina)
    page = client.get(PAGE).text
    assert figures(page)["People who can see calls that you see"] == "3"  # Olive, Max and herself
    assert "3 people can see these calls" in page


def test_two_tabs_are_never_mixed(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    """Max is in both organizations, with a tab open for each."""
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, cast.max, Role.OWNER)
        session.commit()
    for turn in range(3):
        make.call(started_at=now() - timedelta(hours=turn))
    make.at(cast.quayside).call(started_at=now())
    make.opening(make.grant(cast.olive), cast.stella, web_session_id=store_browser(database, cast.stella))
    client.sign_in(cast.max)
    for _turn in range(2):
        ours, theirs = (client.get(f"/o/{slug}/privacy").text for slug in ("harbour", "quayside"))
        assert (figures(ours)["Calls"], figures(theirs)["Calls"]) == ("3", "1")
        assert figures(ours)["People who can see your calls"] == "4"
        assert figures(theirs)["People who can see your calls"] == "2"
        assert (figures(ours)["Open now"], figures(theirs)["Open now"]) == ("1", "0")
        assert "Harbour Boats" in ours
        assert "4 people can see these calls, our staff can: support is looking until" in ours
        assert "2 people can see these calls, our staff none" in theirs
        assert not re.search(r'<a[^>]+href="/o/quayside/(?!")', ours)


@pytest.mark.parametrize("name", ["quentin", "nora", "stella"])
def test_to_outsiders_there_is_no_such_page(sound: Flask, client: PageCheckingClient, cast: Cast, name: str) -> None:
    client.sign_in(getattr(cast, name))
    assert client.get(PAGE).status_code == 404


def test_it_is_read_and_not_written(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.olive)
    assert client.send(PAGE).status_code == 405


def test_everybody_reads_the_services_own_figures(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.member()
    check_promises(sound)
    answer = client.get("/privacy")
    told = figures(answer.text)
    assert told["Organizations"] == "2"
    assert told["People in them"] == "1"
    assert told["Dockside Machines"] == "England"
    assert told["Cookies that your browser sends us now"] == "0"
    assert told["Calls are kept"] == "30 days to 10 years, or as long as you stay"
    assert told["Who looked is kept"] == "90 days to 10 years, or as long as you stay"
    assert told["Takeouts are kept"] == "1 day to 30 days"
    assert "19 of 19 promises are kept" in answer.text
    assert "Set-Cookie" not in answer.headers
    security = figures(client.get("/security").text)
    assert security["People with the console"] == "2"
    assert security["Locks between customers"] == ("1" if security["Database"] == "SQLite" else "2")
    assert security["At most lost"] == "a day"
    assert security["Last backup"].startswith(("today", "yesterday"))


def test_what_retention_removes_next_and_the_last_backup(
    sound: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.call(started_at=now() - timedelta(days=31))
    make.call(started_at=now() - timedelta(days=20))
    with make.session() as session:
        session.get_one(Organization, cast.harbour.id).keep_calls_days = 30
        session.commit()
    backup(make.database, kind=RunKind.DRILL, ago=timedelta(hours=1), took=timedelta(seconds=130))
    client.sign_in(cast.olive)
    page = client.get(PAGE).text
    told = figures(page)
    assert told["Calls are kept"] == "30 days"
    assert told["Who looked is kept"] == "as long as you stay"
    assert told["Takeouts are kept"] == "7 days"
    assert told["It removes calls"] == "1"
    assert told["It removes events of “Who looked”"] == "0"
    assert re.fullmatch(r"(today|\d+ \w+ \d{4}|\d+ \w+) at 03:00", told["Retention runs next"])
    assert told["Last backup"].startswith(("today", "yesterday"))
    assert told["Last drill"] != "never" and told["Restoring took"] == "2 min"
    assert links(page)["Calls are kept"] == "/o/harbour/settings/retention"
