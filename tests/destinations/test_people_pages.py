"""The pages of people and places: the list, its search, one destination, hand-over, merging, archiving."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import EPOCH, NOON, Make
from webapp.audit.models import AuditDetail
from webapp.clock import now
from webapp.database.ids import spell_id
from webapp.destinations import listing, show_views
from webapp.destinations.actions import Described, add_destination
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, PartyHolder, PatternKind
from webapp.destinations.turns import hand_over
from webapp.formatting import format_date
from webapp.tenancy.models import Numbers

LIST = "/o/harbour/destinations"
EXTENSION = Pattern(PatternKind.EXTENSION, "204")
NUMBER = Pattern(PatternKind.NUMBER, "441632960123")


def add(make: Make, name: str, *patterns: Pattern, **more: Any) -> Destination:
    with make.session() as session:
        described = Described(more.pop("kind", DestinationKind.PERSON), name, patterns, **more)
        destination = add_destination(session, described, actor_id=None)
        session.commit()
    return destination


def page_of(destination: Destination, rest: str = "") -> str:
    return f"{LIST}/{spell_id(destination.id)}{rest}"


def stored(make: Make, destination: Destination) -> Destination:
    with make.session() as session:
        return session.get_one(Destination, (make.organization.id, destination.id))


def names(text: str) -> list[str]:
    return re.findall(r"data-row-link>([^<]+)</a>", text)


@pytest.fixture
def max_(client: PageCheckingClient, cast: Cast) -> PageCheckingClient:
    client.sign_in(cast.max)
    return client


def test_an_empty_list_leads_to_what_has_no_name_yet(max_: PageCheckingClient) -> None:
    page = max_.get(LIST)
    assert 'href="/o/harbour/destinations/unnamed">Name who calls most' in page.text


def test_the_list_shows_names_kinds_and_patterns(max_: PageCheckingClient, make: Make) -> None:
    add(make, "Ben", EXTENSION, colour=2, note="Boatyard")
    add(make, "ann")
    add(make, "Tyne Valley", NUMBER, kind=DestinationKind.CUSTOMER)
    page = max_.get(LIST)
    assert names(page.text) == ["ann", "Ben", "Tyne Valley"]
    assert '<span class="number">01632 960123</span>' in page.text
    assert "mark-2" in page.text
    assert "Boatyard" in page.text
    assert names(max_.get(f"{LIST}?kind=customer").text) == ["Tyne Valley"]
    assert names(max_.get(f"{LIST}?sort=changed").text) == ["Tyne Valley", "ann", "Ben"]
    assert names(max_.get(f"{LIST}?sort=kind&q=N").text) == ["ann", "Ben", "Tyne Valley"]
    assert names(max_.get(f"{LIST}?q=boat").text) == ["Ben"]


@pytest.mark.parametrize("sort", ["name", "kind", "changed"])
def test_pages_go_on_by_key_and_miss_nobody(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(listing, "ON_A_PAGE", 2)
    wanted = {add(make, f"Ann {turn}", kind=DestinationKind(turn % 2 + 1)).name for turn in range(5)}
    seen: list[str] = []
    address = f"{LIST}?sort={sort}"
    while address:
        answer = max_.get_part(address)
        seen += names(answer.text)
        more = re.search(r'<a href="([^"]+after=[^"]+)" data-hx-get', answer.text)
        address = more[1].replace("&amp;", "&") if more else ""
    assert len(seen) == 5
    assert set(seen) == wanted


def test_words_go_into_the_address_and_digits_never(max_: PageCheckingClient, make: Make) -> None:
    add(make, "Ben", EXTENSION)
    add(make, "Tyne Valley", NUMBER, kind=DestinationKind.CUSTOMER)
    answer = max_.send(f"{LIST}/search", {"q": "tyne", "kind": "customer"})
    assert answer.location == f"{LIST}?q=tyne&kind=customer"
    for typed in ("01632 960", "+44 1632", "960123", "441632960123"):
        answer = max_.send(f"{LIST}/search", {"q": typed})
        assert answer.status_code == 200
        assert names(answer.text) == ["Tyne Valley"], typed
    assert names(max_.send(f"{LIST}/search", {"q": "204"}).text) == ["Ben"]
    for kind, found in (("customer", []), ("person", ["Ben"])):
        assert names(max_.send(f"{LIST}/search", {"q": "204", "kind": kind}).text) == found
    assert names(max_.get(f"{LIST}?q=204").text) == ["Ben", "Tyne Valley"], "no address searches digits"


def test_figures_come_as_a_part_or_in_the_page(max_: PageCheckingClient, make: Make) -> None:
    ben = add(make, "Ben", EXTENSION)
    place = f'id="destinations-figures-{spell_id(ben.id)}"'
    page = max_.get(LIST)
    assert f'data-hx-get="{LIST}/figures"' in page.text
    assert "No call in 30 days." not in page.text
    part = max_.get_part(f"{LIST}/figures")
    assert f'{place} class="lately-figures" data-hx-swap-oob="true"' in part.text
    whole = max_.get(f"{LIST}?figures=yes")
    for text in (part.text, whole.text):
        assert "No call in 30 days." in text


def test_a_masked_reader_sees_no_pattern_and_no_number(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.membership(cast.max, numbers=Numbers.MASKED)
    ben = add(make, "Ben 01632 960123", NUMBER, note="or 020 7946 0999")
    client.sign_in(cast.max)
    for address in (LIST, page_of(ben), page_of(ben, "/edit")):
        text = client.get(address).text
        if address != page_of(ben, "/edit"):
            assert "Ben 016" in text
            assert "960123" not in text.replace("data-x", "")
            assert "0999" not in text
        assert "01632 960123</span>" not in text
        assert 'name="patterns"' not in text
    assert client.send(f"{LIST}/search", {"q": "960123"}).status_code == 422
    for address in (page_of(ben, "/hand-over"), f"{LIST}/test"):
        assert client.get(address).status_code == 403


def test_who_is_narrowed_gets_no_page(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    ben = add(make, "Ben", EXTENSION)
    make.narrow(cast.nina, "204")
    client.sign_in(cast.nina)
    for address in (LIST, page_of(ben), f"{LIST}/unnamed", f"{LIST}/test"):
        assert client.get(address).status_code == 403


def test_a_viewer_looks_and_changes_nothing(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    ben = add(make, "Ben", EXTENSION)
    client.sign_in(cast.vera)
    assert "Add a destination" not in client.get(LIST).text
    assert "Hand over" not in client.get(page_of(ben)).text
    for address in ("/edit", "/hand-over", "/merge"):
        assert client.get(page_of(ben, address)).status_code == 403
    for address in ("/archive", "/bring-back", "/take-back", "/edit"):
        assert client.send(page_of(ben, address)).status_code == 403


def test_a_page_tells_history_team_and_who_changed_it(max_: PageCheckingClient, make: Make, cast: Cast) -> None:
    ben = add(make, "Ben", EXTENSION)
    sales = add(make, "Sales", kind=DestinationKind.TEAM, members=frozenset({ben.id}))
    page = max_.get(page_of(ben))
    assert "For all calls there are." in page.text
    assert f'href="{page_of(sales)}">Sales</a>' in page.text
    assert f'href="/o/harbour/calls?destination={spell_id(ben.id)}"' in page.text
    assert "Changed by the operator" in page.text
    assert f'href="{page_of(ben)}">Ben</a>' in max_.get(page_of(sales)).text


def test_of_many_patterns_each_can_be_handed_over(
    max_: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show_views, "_PATTERNS_SHOWN", 2)
    ann = add(make, "Ann", *(Pattern(PatternKind.EXTENSION, str(each)) for each in range(201, 206)))
    page = max_.get(page_of(ann)).text
    assert re.findall(r'<h3 class="number">(\d+)</h3>', page) == ["201", "202"]
    assert "<p>And 3 more.</p>" in page
    choices = re.findall(r'<option[^>]* value="\*:(\d+)"', max_.get(page_of(ann, "/hand-over")).text)
    assert choices == ["201", "202", "203", "204", "205"]


@time_machine.travel(NOON)
def test_a_hand_over_today_is_done_at_once_and_can_be_undone(max_: PageCheckingClient, make: Make) -> None:
    party = make.party("204")
    ann, ben = add(make, "Ann", EXTENSION), add(make, "Ben")
    day = now().date().isoformat()
    max_.get(page_of(ann, "/hand-over"))
    answer = max_.send(page_of(ann, "/hand-over"), {"pattern": "*:204", "to": "ben", "from_on": day})
    assert answer.status_code == 303
    page = max_.get(page_of(ann))
    assert "Extension" not in re.findall(r"<h3.*?</h3>", page.text)[0]
    assert ">Ben</a>, from" in page.text
    [turn] = re.findall(r'name="from" value="(\d+)"', page.text)
    answer = max_.send(page_of(ann, "/take-back"), {"pattern": "*:204", "from": turn})
    assert answer.status_code == 303
    with make.session() as session:
        rows = session.scalars(select(PartyHolder).where(PartyHolder.party_id == party.id)).all()
        assert [(row.from_at, row.destination_id) for row in rows] == [(EPOCH, ann.id)]
    assert max_.send(page_of(ben, "/take-back"), {"pattern": "*:204", "from": turn}).status_code == 404


@time_machine.travel(NOON, tick=False)
def test_the_audit_names_the_same_day_when_a_hand_over_is_undone(max_: PageCheckingClient, make: Make) -> None:
    """In summer a day begins an hour before that of UTC."""
    ann, _ben = add(make, "Ann", EXTENSION), add(make, "Ben")
    max_.send(page_of(ann, "/hand-over"), {"pattern": "*:204", "to": "Ben", "from_on": "2026-07-15"})
    [turn] = re.findall(r'name="from" value="(\d+)"', max_.get(page_of(ann)).text)
    max_.send(page_of(ann, "/take-back"), {"pattern": "*:204", "from": turn})
    with make.session() as session:
        told = [words for words in session.scalars(select(AuditDetail.words)) if "Extension 204" in words]
    assert len(told) == 2
    assert all('"day":"15 July 2026"' in words for words in told)


@time_machine.travel(NOON)
def test_a_day_in_the_past_says_what_it_changes_first(max_: PageCheckingClient, make: Make) -> None:
    day = (now() - timedelta(days=10)).replace(hour=12, minute=0)
    make.call(callee="204", started_at=day)
    make.call(callee="204", started_at=day + timedelta(days=1))
    make.call(callee="204", started_at=day - timedelta(days=1))
    ann, _ben = add(make, "Ann", EXTENSION), add(make, "Ben")
    form = {"pattern": "*:204", "to": "Ben", "from_on": day.date().isoformat()}
    answer = max_.send(page_of(ann, "/hand-over"), form)
    assert answer.status_code == 422
    assert "2 calls of 11 days" in answer.text
    assert "will show Ben instead of Ann" in answer.text
    [sure] = re.findall(r'name="sure" type="hidden" value="([^"]+)"', answer.text)
    assert max_.send(page_of(ann, "/hand-over"), {**form, "sure": "something else"}).status_code == 422
    assert max_.send(page_of(ann, "/hand-over"), {**form, "sure": sure}).status_code == 303


@time_machine.travel(NOON, tick=False)
def test_calls_that_another_pattern_names_are_not_counted(max_: PageCheckingClient, make: Make) -> None:
    """204 at Branch is Cat, whoever has 204."""
    office, branch = make.pbx("Head office"), make.pbx("Branch")
    day = NOON - timedelta(days=1)
    for pbx in (office, branch, branch):
        make.call(callee="204", pbx=pbx, started_at=day)
    ann, _ben = add(make, "Ann", EXTENSION), add(make, "Ben")
    add(make, "Cat", Pattern(PatternKind.EXTENSION, "204", branch.id))
    form = {"pattern": "*:204", "to": "Ben", "from_on": day.date().isoformat()}
    assert "1 call of 2 days" in max_.send(page_of(ann, "/hand-over"), form).text


@time_machine.travel(NOON)
def test_a_day_before_it_was_theirs_names_who_had_it_then(max_: PageCheckingClient, make: Make) -> None:
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    passed = today - timedelta(days=10)
    _ann, ben, _cat = add(make, "Ann", EXTENSION), add(make, "Ben"), add(make, "Cat")
    with make.session() as session:
        hand_over(session, EXTENSION, ben.id, passed, actor_id=None)
        session.commit()
    form = {"pattern": "*:204", "to": "Cat", "from_on": (passed - timedelta(days=5)).date().isoformat()}
    answer = max_.send(page_of(ben, "/hand-over"), form)
    assert answer.status_code == 422
    assert "will show Cat instead of Ann." in answer.text
    assert f"From {format_date(passed.date())} on it stays Ben&#39;s." in answer.text
    assert "It is so already" in max_.send(page_of(ben, "/hand-over"), {**form, "to": "Ann"}).text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"to": "Nobody Known"}, "There is none with this name"),
        ({"to": "Gone"}, "bring it back if it is archived"),
        ({"to": "Twin"}, "More than one has this name"),
        ({"to": "Ann"}, "It is so already"),
        ({"from_on": "soon"}, "This is no day of the calendar. Write it as 2026-05-03."),
        ({"from_on": "1066-01-01"}, "Give a day between 1970 and 2199."),
        ({"pattern": "*:999"}, "Somebody else has it by now. Choose another one."),
    ],
)
def test_a_hand_over_that_cannot_be_is_refused(
    max_: PageCheckingClient, make: Make, changes: dict[str, str], told: str
) -> None:
    ann = add(make, "Ann", EXTENSION)
    add(make, "Twin")
    add(make, "twin")
    max_.send(page_of(add(make, "Gone"), "/archive"))
    form = {"pattern": "*:204", "to": "", "from_on": now().date().isoformat(), **changes}
    answer = max_.send(page_of(ann, "/hand-over"), form, part=True)
    assert answer.status_code == 422
    assert told in answer.text


def test_merging_says_what_moves_and_then_moves_it(max_: PageCheckingClient, make: Make) -> None:
    double, ann = add(make, "Ann Lee", EXTENSION), add(make, "Ann")
    answer = max_.send(page_of(double, "/merge"), {"into": "Ann"})
    assert answer.status_code == 422
    assert "1 pattern of Ann Lee will be Ann&#39;s" in answer.text
    [sure] = re.findall(r'name="sure" type="hidden" value="([^"]+)"', answer.text)
    answer = max_.send(page_of(double, "/merge"), {"into": "Ann", "sure": sure})
    assert answer.location == page_of(ann)
    assert ">204<" in max_.get(page_of(ann)).text
    gone = max_.get(page_of(double))
    assert f'href="{page_of(ann)}">Go to it' in gone.text
    assert names(max_.get(LIST).text) == ["Ann"]
    assert "It was merged into another one" in max_.send(page_of(double, "/bring-back"), follow_redirects=True).text
    assert page_of(double, "/edit") not in max_.get(f"{LIST}?archived=yes").text
    late = {"name": "Ann Lee", "kind": "person", "patterns": "205", "colour": "0", "version": "2"}
    answer = max_.send(page_of(double, "/edit"), late)
    assert answer.status_code == 422, "a form that was opened before"
    assert "It was merged into another one" in answer.text
    assert "This is the same one" in max_.send(page_of(ann, "/merge"), {"into": "Ann"}).text


def test_what_is_archived_stands_apart_until_it_is_brought_back(max_: PageCheckingClient, make: Make) -> None:
    ben = add(make, "Ben", EXTENSION)
    add(make, "Ann")
    max_.send(page_of(ben, "/archive"))
    assert names(max_.get(LIST).text) == ["Ann"]
    assert names(max_.get(f"{LIST}?archived=yes").text) == ["Ben"]
    assert "is archived" in max_.get(page_of(ben)).text
    max_.send(page_of(ben, "/bring-back"))
    assert names(max_.get(LIST).text) == ["Ann", "Ben"]


def test_an_outsider_and_a_wrong_id_get_404(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    ben = add(make, "Ben", EXTENSION)
    client.sign_in(cast.olive)
    for rest in ("", "/edit", "/hand-over", "/merge", "/row"):
        assert client.get(f"{LIST}/zzzzzzz{rest}").status_code == 404
    client.sign_in(cast.quentin)
    for address in (LIST, page_of(ben), f"/o/quayside/destinations/{spell_id(ben.id)}"):
        assert client.get(address).status_code == 404
