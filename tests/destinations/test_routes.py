"""The routes of a number: written, tried in words, stored as plans that nobody overwrites, asked about, undone."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import EPOCH, NOON, Make
from webapp.audit.models import AuditDetail
from webapp.database.ids import new_id, spell_id
from webapp.destinations.actions import merge
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, DestinationPattern, PatternKind
from webapp.destinations.route_models import Number, Route, RouteCondition, RoutePlan, Schedule
from webapp.destinations.routing import Hours, RouteLine, Span
from webapp.tenancy.models import Numbers

OFFICE_RULE = Hours("Europe/London", tuple(Span(weekday, 540, 1020) for weekday in range(1, 6)))
SATURDAY_RULE = Hours("Europe/London", (Span(6, 540, 1020),))
ALWAYS, OPEN, NO_ANSWER = RouteCondition.ALWAYS, RouteCondition.OPEN, RouteCondition.NO_ANSWER


class Scene:
    """Harbour's main line, three destinations and office hours."""

    def __init__(self, make: Make) -> None:
        self.make = make
        self.number: Number = make.number(label="Main line")
        self.reception = make.destination("Reception", DestinationKind.TEAM)
        self.voicemail = make.destination("Voicemail", DestinationKind.VOICEMAIL)
        self.hours: Schedule = make.schedule("Office hours", OFFICE_RULE)
        self.base = f"/o/harbour/destinations/numbers/{spell_id(self.number.id)}/routes"

    def open(self) -> str:
        return f"open-{spell_id(self.hours.id)}"

    def plans(self) -> list[tuple[RoutePlan, list[Route]]]:
        with self.make.session() as session:
            routes = list(session.scalars(select(Route).order_by(Route.position)))
            plans = session.scalars(
                select(RoutePlan).where(RoutePlan.number_id == self.number.id).order_by(RoutePlan.at)
            )
            return [(plan, [route for route in routes if route.route_plan_id == plan.id]) for plan in plans]

    def office_plan(self, **further: Any) -> dict[str, Any]:
        return form(
            (self.open(), self.reception), ("always", self.voicemail), ("no_answer", self.voicemail, "20"), **further
        )


def form(*rows: tuple[Any, ...], **further: Any) -> dict[str, Any]:
    """What the page sends: of each row (when, destination, seconds), switched on."""
    data: dict[str, Any] = {"began_with": "", "try_at": ""}
    for place, (when, destination, *seconds) in enumerate(rows):
        where = spell_id(destination.id) if isinstance(destination, Destination) else destination
        data |= {f"rows-{place}-when": when, f"rows-{place}-destination": where, f"rows-{place}-enabled": "y"}
        data |= {f"rows-{place}-seconds": seconds[0] if seconds else "20"}
        data |= {f"rows-{place}-from_at": "", f"rows-{place}-until_at": ""}
    return data | further


@pytest.fixture
def scene(make: Make) -> Scene:
    return Scene(make)


def began_with(page: str) -> str:
    found = re.search(r'name="began_with"[^>]*value="([0-9a-z]*)"', page)
    assert found is not None
    return found[1]


# ------------------------------------------------------------------------------------------------------------- storing


def test_a_plan_is_stored_and_told(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    with time_machine.travel(NOON, tick=False):
        client.sign_in(cast.max)
        assert "Nothing said yet" in client.get(f"{scene.base}/history").text
        page = client.get(scene.base).text
        assert began_with(page) == ""
        answer = client.send(scene.base, scene.office_plan())
        assert answer.status_code == 303, answer.text
        assert answer.location == f"{scene.base}/history"
        page = client.get(answer.location).text
    assert "Now Reception rings. If nobody answers for 20 s, it goes to Voicemail." in page
    assert "Within Office hours → Reception" in page
    assert "noted only: your phone system decides" in page
    [(plan, routes)] = scene.plans()
    assert (plan.at, plan.user_account_id, plan.repeats_id) == (NOON, cast.max.id, None)
    assert [(route.position, route.condition, route.ring_seconds) for route in routes] == [
        (1, OPEN, None),
        (2, ALWAYS, None),
        (3, NO_ANSWER, 20),
    ]
    with scene.make.session() as session:
        words = " ".join(session.scalars(select(AuditDetail.words)))
    assert "New: Within Office hours → Reception" in words


def test_the_stored_plan_stands_in_the_form_again(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    client.sign_in(cast.max)
    until = {"rows-1-until_at": "2026-12-24T18:00"}
    client.send(scene.base, scene.office_plan(**until) | {"rows-2-enabled": ""})
    page = client.get(scene.base).text
    [(plan, routes)] = scene.plans()
    assert routes[1].until_at == datetime(2026, 12, 24, 18, tzinfo=UTC)
    assert [route.enabled for route in routes] == [True, True, False]
    assert began_with(page) == spell_id(plan.id)
    assert 'value="2026-12-24T18:00"' in page
    assert page.count("checked") == 2
    client.send(scene.base, scene.office_plan(**until, began_with=spell_id(plan.id)) | {"rows-2-enabled": ""})
    assert len(scene.plans()) == 1, "the same again is no plan"
    assert client.send(scene.base, form(began_with=spell_id(plan.id))).status_code == 303, "no route at all is a choice"
    assert [len(routes) for _plan, routes in scene.plans()] == [3, 0]


def test_what_is_wrong_stands_beside_its_route_and_nothing_is_lost(
    client: PageCheckingClient, cast: Cast, scene: Scene
) -> None:
    client.sign_in(cast.max)
    good = ("always", scene.reception)
    for data, words in (
        (form(("always", "")), "Choose where the call goes."),
        (form(good, ("no_answer", scene.voicemail, "soon")), "Give the seconds that it rings"),
        (form(good, ("no_answer", scene.voicemail, "0")), "Give the seconds that it rings"),
        (form(good, ("no_answer", scene.voicemail, "601")), "Give the seconds that it rings"),
        (form(good, ("no_answer", scene.voicemail, "0000019999999999")), "Give the seconds that it rings"),
        (form(good, **{"rows-0-from_at": "yesterday"}), "This is no day and time"),
        (form(good, **{"rows-0-until_at": "2026-02-30T10:00"}), "This is no day and time"),
        (form(good, **{"rows-0-until_at": "2999-01-01T00:00"}), "This is no day and time from 1990 to"),
        (form(good, **{"rows-0-from_at": "2026-05-02T10:00", "rows-0-until_at": "2026-05-01T10:00"}), "ends before it"),
        (form(("sometimes", scene.reception)), "Not a valid choice"),
        (form(("open-nonsense", scene.reception)), "Not a valid choice"),
        (form((f"open-{spell_id(new_id())}", scene.reception)), "Not a valid choice"),
        (form(("always", spell_id(new_id()))), "Not a valid choice"),
        (form(("always", "nonsense!")), "Not a valid choice"),
        (form(("busy", scene.reception)), "No route says where a call rings first"),
    ):
        answer = client.send(scene.base, data)
        assert answer.status_code == 422, words
        assert words in answer.text, words
        assert "Nothing was changed yet." in answer.text
    answer = client.send(scene.base, form(good, ("no_answer", scene.voicemail, "soon")))
    assert 'value="soon"' in answer.text
    assert 'id="rows-1-seconds-error"' in answer.text
    assert scene.plans() == []


def test_things_of_another_organization_cannot_be_chosen(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    quayside = scene.make.at(cast.quayside)
    theirs, hours = quayside.destination("Theirs"), quayside.schedule("Their hours", OFFICE_RULE)
    number = quayside.number("+33199001234")
    plan = quayside.route_plan(number, RouteLine(ALWAYS, theirs.id))
    client.sign_in(cast.max)
    assert "Their" not in client.get(scene.base).text
    assert client.send(scene.base, form(("always", theirs))).status_code == 422
    assert client.send(scene.base, form((f"open-{spell_id(hours.id)}", scene.reception))).status_code == 422
    assert client.send(scene.base, scene.office_plan(began_with=spell_id(plan.id))).status_code == 422
    for number_id in (number.id, new_id()):
        base = f"/o/harbour/destinations/numbers/{spell_id(number_id)}/routes"
        assert client.get(base).status_code == 404
        assert client.get(f"{base}/history").status_code == 404
        for address in (base, f"{base}/try", f"{base}/arrange", f"{base}/{spell_id(plan.id)}/repeat"):
            assert client.send(address, scene.office_plan()).status_code == 404
    assert client.send(f"{scene.base}/{spell_id(plan.id)}/repeat").status_code == 404
    assert scene.plans() == []


def test_a_route_to_an_archived_destination_is_refused_and_shown_on_old_plans(
    client: PageCheckingClient, cast: Cast, scene: Scene
) -> None:
    gone = scene.make.destination("Old workshop", archived_at=NOON)
    client.sign_in(cast.max)
    assert "Old workshop" not in client.get(scene.base).text, "it is not offered"
    answer = client.send(scene.base, form(("always", gone)))
    assert answer.status_code == 422
    assert "Old workshop is archived." in answer.text
    assert 'id="rows-0-destination-error"' in answer.text
    assert scene.plans() == []
    plan = scene.make.route_plan(scene.number, RouteLine(ALWAYS, gone.id))
    for address in ("/o/harbour/destinations/routes", f"{scene.base}/history", scene.base):
        assert "Old workshop is archived." in client.get(address).text, address
    assert "Old workshop (archived)" in client.get(scene.base).text, "what is stored can be seen"
    client.send(scene.base, form(("always", scene.reception), began_with=spell_id(plan.id)))
    assert client.send(f"{scene.base}/{spell_id(plan.id)}/repeat").status_code == 303
    assert "Nothing was changed. Old workshop is archived." in client.get(f"{scene.base}/history").text
    assert len(scene.plans()) == 2


def test_whoever_archives_a_place_hears_which_routes_lead_there(
    client: PageCheckingClient, cast: Cast, scene: Scene
) -> None:
    """Also those that lead to one that was merged into it; not those that are off, nor those of an older plan."""
    make, old = scene.make, scene.make.destination("Old desk", DestinationKind.TEAM)
    with make.session() as session:
        merge(session, old.id, scene.reception.id, actor_id=None)
        session.commit()
    sales, former = make.number("+442079460001", label="Sales line"), make.number("+442079460002", label="Former")
    make.route_plan(scene.number, RouteLine(ALWAYS, scene.reception.id))
    make.route_plan(sales, RouteLine(ALWAYS, old.id))
    make.route_plan(former, RouteLine(ALWAYS, scene.reception.id))
    make.route_plan(former, RouteLine(ALWAYS, scene.reception.id, enabled=False), at=NOON)
    client.sign_in(cast.max)
    for place, told in ((scene.reception, True), (scene.voicemail, False)):
        page = f"/o/harbour/destinations/{spell_id(place.id)}"
        assert client.send(f"{page}/archive").status_code == 303
        assert ("Routes of Main line, Sales line still lead there" in client.get(page).text) == told


def dialled_by(make: Make, destination: Destination | None, digits: str, from_at: datetime = EPOCH) -> None:
    make.store(
        DestinationPattern(
            pattern_key=f"n:{digits}",
            from_at=from_at,
            destination_id=destination.id if destination else None,
            kind=PatternKind.NUMBER,
            digits=digits,
            created_at=NOON,
        )
    )


def test_a_circle_is_refused_with_its_way(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    """The sales line leads to the head office, whom the main line's number dials."""
    make = scene.make
    sales, head_office = make.number("+442079460001", label="Sales line"), make.destination("Head office")
    desk = make.destination("Sales desk")
    dialled_by(make, head_office, "442079460000")
    dialled_by(make, desk, "442079460001")
    make.route_plan(sales, RouteLine(ALWAYS, head_office.id))
    client.sign_in(cast.max)
    answer = client.send(scene.base, form(("always", desk)))
    assert answer.status_code == 422
    assert "Main line → Sales line → Main line" in answer.text
    dialled_by(make, None, "442079460000", NOON)
    assert client.send(scene.base, form(("always", desk))).status_code == 303, "the pattern is nobody's since then"


def test_a_direct_number_may_ring_whose_it_is(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    """Calls to it show their name, and they are rung by their extension: not where one phone system alone has it."""
    grace = scene.make.destination("Grace")
    dialled_by(scene.make, grace, "442079460000")
    client.sign_in(cast.max)
    assert "Grace leads back here" in client.send(scene.base, form(("always", grace))).text
    extension = Pattern(PatternKind.EXTENSION, "204", scene.make.pbx().id)
    for pattern, status in ((extension, 422), (extension._replace(pbx_id=None), 303)):
        scene.make.store(
            DestinationPattern(
                pattern_key=pattern.key, from_at=EPOCH, destination_id=grace.id, created_at=NOON, **pattern._asdict()
            )
        )
        assert client.send(scene.base, form(("always", grace))).status_code == status
    assert "leads back here" not in client.get("/o/harbour/destinations/routes").text
    assert len(scene.plans()) == 1


def test_a_circle_through_a_merged_destination_and_one_of_two_numbers_is_refused(
    client: PageCheckingClient, cast: Cast, scene: Scene
) -> None:
    """The sales line leads to a place that was merged since into one that two of our numbers dial."""
    make = scene.make
    sales, third = make.number("+442079460001", label="Sales line"), make.number("+442079460002", label="Third")
    old, new, desk = (make.destination(name) for name in ("Old office", "New office", "Sales desk"))
    make.route_plan(sales, RouteLine(ALWAYS, old.id))
    with make.session() as session:
        merge(session, old.id, new.id, actor_id=None)
        session.commit()
    for destination, digits in ((new, "442079460002"), (new, "442079460000"), (desk, "442079460001")):
        dialled_by(make, destination, digits)
    client.sign_in(cast.max)
    answer = client.send(scene.base, form(("always", desk)))
    assert answer.status_code == 422
    assert "Main line → Sales line → Main line" in answer.text
    answer = client.send(scene.base.replace(spell_id(scene.number.id), spell_id(third.id)), form(("always", desk)))
    assert answer.status_code == 422
    assert "Third → Sales line → Third" in answer.text


def test_where_a_destination_was_merged_away_a_plan_leads_to_the_other(
    client: PageCheckingClient, cast: Cast, scene: Scene
) -> None:
    """As a phone system is told: its routes need not be written anew."""
    plan = scene.make.route_plan(scene.number, RouteLine(ALWAYS, scene.voicemail.id), at=NOON)
    mailbox = scene.make.destination("Mailbox", DestinationKind.VOICEMAIL)
    with scene.make.session() as session:
        merge(session, scene.voicemail.id, mailbox.id, actor_id=None)
        session.commit()
    client.sign_in(cast.max)
    for address in ("/o/harbour/destinations/routes", f"{scene.base}/history", scene.base):
        page = client.get(address).text
        assert "Now Mailbox takes the call." in page, address
        assert "archived" not in page, address
    mine = form(("always", mailbox), ("no_answer", scene.reception), began_with=spell_id(plan.id))
    assert client.send(scene.base, mine).status_code == 303
    assert client.send(f"{scene.base}/{spell_id(plan.id)}/repeat").status_code == 303
    assert [route.destination_id for route in scene.plans()[-1][1]] == [mailbox.id]


@time_machine.travel(NOON)
def test_the_second_of_two_editors_sees_what_changed_and_keeps_their_text(
    client: PageCheckingClient, cast: Cast, scene: Scene
) -> None:
    client.sign_in(cast.olive)
    mark = began_with(client.get(scene.base).text)
    assert client.send(scene.base, form(("always", scene.voicemail), began_with=mark)).status_code == 303
    client.sign_in(cast.max)
    mine = form(("always", scene.reception))
    answer = client.send(scene.base, mine | {"began_with": mark})
    assert answer.status_code == 422
    assert "olive@example.com stored other routes today" in answer.text
    assert "New: Always → Voicemail" in answer.text
    assert f'selected value="{spell_id(scene.reception.id)}"' in answer.text
    assert len(scene.plans()) == 1
    assert client.send(scene.base, mine | {"began_with": began_with(answer.text)}).status_code == 303
    for stale in (mark, "no-id-at-all"):
        answer = client.send(scene.base, mine | {"began_with": stale})
        assert answer.status_code == 303, "a button pressed twice, or Back: it stands there already"
    assert client.send(scene.base, form(("always", scene.voicemail), began_with="no-id-at-all")).status_code == 422
    assert len(scene.plans()) == 2


# -------------------------------------------------------------------------------------------------- before it is stored


@time_machine.travel(NOON, tick=False)
def test_trying_tells_now_sunday_and_a_chosen_time(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    client.sign_in(cast.max)
    data = scene.office_plan(try_at="2026-12-25T10:00")
    part = client.send(f"{scene.base}/try", data, part=True).text
    assert 'id="destinations-try"' in part
    assert "<h1" not in part
    for words in (
        "Now Reception rings.",
        "On Sunday 19 July at 19:00 Voicemail takes the call.",
        "On 25 December 2026 at 10:00 Reception rings.",
    ):
        assert words in part
    page = client.send(f"{scene.base}/try", data)
    assert "<h1" in page.text
    assert "Now Reception rings." in page.text
    assert 'value="2026-12-25T10:00"' in page.text
    assert scene.plans() == []


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (datetime(2026, 7, 19, 17, 59, tzinfo=UTC), "On Sunday 19 July at 19:00"),
        (datetime(2026, 7, 19, 18, 0, tzinfo=UTC), "On Sunday 26 July at 19:00"),
    ],
)
def test_sunday_evening_is_the_next_one(
    client: PageCheckingClient, cast: Cast, scene: Scene, now: datetime, words: str
) -> None:
    with time_machine.travel(now, tick=False):
        client.sign_in(cast.max)
        assert words in client.send(f"{scene.base}/try", scene.office_plan(), part=True).text


def test_trying_says_what_is_wrong(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    client.sign_in(cast.max)
    part = client.send(f"{scene.base}/try", form((scene.open(), scene.reception)), part=True).text
    assert "At times no route fits" in part
    rows = (("always", ""), ("no_answer", scene.reception, "soon"))
    part = client.send(f"{scene.base}/try", form(*rows, try_at="noon"), part=True).text
    for words in (
        "Route 1: Choose where the call goes.",
        "Route 2: Give the seconds that it rings",
        "And at another time: This is no day and time",
    ):
        assert words in part
    wrong_time = client.send(f"{scene.base}/try", scene.office_plan(try_at="noon"))
    assert "This is no day and time" in wrong_time.text


def test_rows_are_added_moved_and_removed_without_storing(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    client.sign_in(cast.max)
    data = form((scene.open(), scene.reception), ("no_answer", scene.voicemail, "soon"))

    def whens(answer: Any) -> list[str]:
        rows = re.findall(r'<select[^>]* id="rows-\d-when"[^>]*>(.*?)</select>', answer.text, re.S)
        return [(re.findall(r'selected value="([^"]*)"', row) or [""])[0] for row in rows]

    first, second = scene.open(), "no_answer"
    for asked, expected in (
        ("add", [first, second, "always"]),
        ("up-1", [second, first]),
        ("down-0", [second, first]),
        ("up-0", [first, second]),
        ("down-1", [first, second]),
        ("remove-0", [second]),
        ("remove-7", [first, second]),
        ("nonsense", [first, second]),
        ("", [first, second]),
    ):
        answer = client.send(f"{scene.base}/arrange", {**data, "do": asked}, headers=PART)
        assert answer.status_code == 200
        assert whens(answer) == expected, asked
        assert asked == "remove-1" or 'value="soon"' in answer.text, "what is typed stays, wrong or not"
    page = client.send(f"{scene.base}/arrange", {**data, "do": "add"}).text
    assert "<h1" in page
    assert "Route 3: Choose where the call goes." in page and "Not a valid choice" not in page
    assert scene.plans() == []


# ------------------------------------------------------------------------------------------------------------- history


def test_the_history_answers_for_a_moment_by_what_was_in_force_then(
    client: PageCheckingClient, cast: Cast, scene: Scene
) -> None:
    make = scene.make
    make.route_plan(
        scene.number,
        RouteLine(OPEN, scene.reception.id, scene.hours.id),
        RouteLine(ALWAYS, scene.voicemail.id),
        at=datetime(2026, 5, 1, tzinfo=UTC),
    )
    make.schedule_version(scene.hours, SATURDAY_RULE, datetime(2026, 5, 10, tzinfo=UTC))
    make.route_plan(scene.number, RouteLine(ALWAYS, scene.reception.id), at=datetime(2026, 5, 20, tzinfo=UTC))
    client.sign_in(cast.vera)
    for at, words in (
        ("2026-04-30T10:00", "On 30 April 2026 at 10:00 nobody had said yet where it rings"),
        ("2026-05-04T10:00", "On 4 May 2026 at 10:00 Reception rang."),
        ("2026-05-03T19:00", "On 3 May 2026 at 19:00 Voicemail took the call."),
        # A Monday and a Saturday after the hours had changed
        ("2026-05-11T10:00", "On 11 May 2026 at 10:00 Voicemail took the call."),
        ("2026-05-16T10:00", "On 16 May 2026 at 10:00 Reception rang."),
        ("2026-05-24T03:00", "On 24 May 2026 at 03:00 Reception rang."),
        ("2100-05-24T03:00", "On 24 May 2100 at 03:00 Reception rings."),
    ):
        answer = client.get(f"{scene.base}/history?at={at}")
        assert answer.status_code == 200
        assert words in answer.text, at
        assert words in client.get_part(f"{scene.base}/history?at={at}").text
    for nonsense in ("yesterday", "2026-13-01T00:00", "0000-01-01T00:00", "2026-05-01T00:00Z"):
        answer = client.get(f"{scene.base}/history?at={nonsense}")
        assert answer.status_code == 422
        assert "This is no day and time" in answer.text
        assert f'value="{nonsense}"' in answer.text


def test_while_a_number_is_not_ours_nothing_rings(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    begins, ends = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 20, tzinfo=UTC)
    reception = make.destination("Reception", DestinationKind.TEAM)
    given_up = make.number("+442079460001", since_at=begins, until_at=ends)
    coming = make.number("+442079460002", since_at=datetime(2200, 1, 1, tzinfo=UTC))
    for number in (given_up, coming):
        make.route_plan(number, RouteLine(ALWAYS, reception.id))
    client.sign_in(cast.vera)
    base = "/o/harbour/destinations/numbers"
    page = f"{base}/{spell_id(given_up.id)}/routes/history"
    assert "Now this number is not yours any more." in client.get(page).text
    for at, words in (
        ("2026-04-30T10:00", "On 30 April 2026 at 10:00 this number was not yours yet."),
        ("2026-05-02T10:00", "On 2 May 2026 at 10:00 Reception rang."),
        ("2026-05-20T01:00", "On 20 May 2026 at 01:00 this number was not yours any more."),
        ("2199-05-20T01:00", "On 20 May 2199 at 01:00 this number is not yours any more."),
    ):
        assert words in client.get(f"{page}?at={at}").text, at
    for address in (f"{base}/{spell_id(coming.id)}/routes/history", "/o/harbour/destinations/routes"):
        text = client.get(address).text
        assert "Now this number is not yours yet." in text
        assert "Now Reception rings" not in text


@time_machine.travel(NOON + timedelta(days=2))
def test_undo_is_a_new_plan_that_repeats_an_older_one(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    first = scene.make.route_plan(scene.number, RouteLine(ALWAYS, scene.reception.id), at=NOON)
    scene.make.route_plan(scene.number, RouteLine(ALWAYS, scene.voicemail.id), at=NOON + timedelta(days=1))
    client.sign_in(cast.max)
    page = client.get(f"{scene.base}/history").text
    assert "Undo the last change" in page
    assert "Gone: Always → Reception" in page
    assert client.send(f"{scene.base}/{spell_id(first.id)}/repeat").status_code == 303
    *older, (plan, routes) = scene.plans()
    assert len(older) == 2
    assert (plan.repeats_id, [route.destination_id for route in routes]) == (first.id, [scene.reception.id])
    assert "as from 15 July at 13:00 on" in client.get(f"{scene.base}/history").text
    client.send(f"{scene.base}/{spell_id(first.id)}/repeat")
    assert "It rings like that already" in client.get(f"{scene.base}/history").text
    assert len(scene.plans()) == 3


@time_machine.travel(NOON, tick=False)
def test_followed_is_said_only_while_a_phone_system_asks(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    scene.make.route_plan(scene.number, RouteLine(ALWAYS, scene.reception.id))
    pages = ("/o/harbour/destinations/numbers", "/o/harbour/destinations/routes", f"{scene.base}/history", scene.base)
    client.sign_in(cast.max)
    scene.make.route_lookup(scene.number, NOON - timedelta(hours=24, seconds=1))
    for address in pages:
        assert "noted only: your phone system decides" in client.get(address).text, address
    for before, words in ((timedelta(hours=3), "3 h"), (timedelta(minutes=2), "2 min")):
        scene.make.route_lookup(scene.number, NOON - before)
        for address in pages:
            assert f"followed (last asked {words} ago)" in client.get(address).text, address
    scene.make.route_lookup(scene.number, NOON)
    assert "followed (last asked just now)" in client.get(scene.base).text


# ------------------------------------------------------------------------------------------------------------- who may


def test_a_viewer_looks_and_changes_nothing(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    plan = scene.make.route_plan(scene.number, RouteLine(ALWAYS, scene.reception.id))
    client.sign_in(cast.vera)
    page = client.get(f"{scene.base}/history").text
    assert "Now Reception rings." in page
    assert scene.base + '"' not in page
    assert client.get(scene.base).status_code == 403
    for address in (
        scene.base,
        f"{scene.base}/try",
        f"{scene.base}/arrange",
        f"{scene.base}/{spell_id(plan.id)}/repeat",
    ):
        assert client.send(address, scene.office_plan()).status_code == 403
    client.sign_in(cast.nina)
    assert client.get(f"{scene.base}/history").status_code == 403


def test_a_number_in_a_name_is_masked(client: PageCheckingClient, cast: Cast, scene: Scene) -> None:
    mobile = scene.make.destination("Max 07700 900123", DestinationKind.CONTACT)
    scene.make.route_plan(scene.number, RouteLine(ALWAYS, mobile.id))
    scene.make.membership(cast.vera, numbers=Numbers.MASKED)
    client.sign_in(cast.vera)
    for address in (f"{scene.base}/history", "/o/harbour/destinations/routes"):
        page = client.get(address).text
        assert "900123" not in page
        assert "Max 077••••" in page
