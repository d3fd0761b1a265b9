"""Our numbers: listing one in any spelling, changing it, giving it up; calls are tied to it; those that are offered."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.ingest.importing import Importing, asterisk_row
from tests.make import NOON, Make
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.calls import own_numbers
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.destinations.models import Party
from webapp.destinations.route_models import LookupAnswer, Number, NumberKind, RouteLookup, RoutePlan
from webapp.tenancy.models import Numbers

LIST = "/o/harbour/destinations/numbers"
NEW = f"{LIST}/new"
SPELLINGS = ["020 7946 0000", "+44 20 7946 0000", "00442079460000", "442079460000"]
DETAILS = {"region": "GB", "kind": "1", "label": "Main line", "provider": "Gamma", "since_on": "", "until_on": ""}


def stored(make: Make) -> list[Number]:
    with make.session() as session:
        return list(session.scalars(select(Number).order_by(Number.e164)))


def told(make: Make) -> str:
    """All words of the audit."""
    with make.session() as session:
        return " ".join(session.scalars(select(AuditDetail.words)))


def version_in(page: str) -> str:
    found = re.search(r'name="version"[^>]*value="(\d+)"', page)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_number_is_listed_in_any_spelling(client: PageCheckingClient, cast: Cast, make: Make, spelling: str) -> None:
    client.sign_in(cast.max)
    answer = client.send(NEW, {**DETAILS, "kind": "", "number": spelling})
    assert answer.status_code == 303, answer.text
    [number] = stored(make)
    assert (number.e164, number.region, number.kind, number.label) == (
        "+442079460000",
        "GB",
        NumberKind.GEOGRAPHIC,
        "Main line",
    )
    assert answer.location == f"{LIST}/{spell_id(number.id)}/routes"
    page = client.get(LIST).text
    assert "020 7946 0000" in page
    assert "Gamma" in page
    assert f"party={spell_id(number.party_id)}" in page
    assert '"number":"+442079460000"' in told(make)


def test_country_and_kind_are_guessed_and_can_be_chosen(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    for typed, chosen in (
        ("+33 1 99 00 12 34", {"kind": ""}),
        ("07400 123456", {"kind": ""}),
        ("0800 123 4567", {"kind": ""}),
        ("01632 960000", {"kind": "4"}),
        ("06 12 34 56 78", {"kind": "", "region": "FR"}),
        ("+1 613 555 0123", {"kind": "", "region": "CA"}),
    ):
        assert client.send(NEW, {**DETAILS, "number": typed, **chosen}).status_code == 303, typed
    assert {(number.e164, number.region, number.kind.name) for number in stored(make)} == {
        ("+33199001234", "FR", "GEOGRAPHIC"),
        ("+447400123456", "GB", "MOBILE"),
        ("+448001234567", "GB", "FREEPHONE"),
        ("+441632960000", "GB", "OTHER"),
        ("+33612345678", "FR", "MOBILE"),
        ("+16135550123", "CA", "GEOGRAPHIC"),
    }


def test_nonsense_is_told_beside_its_field(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    good = {**DETAILS, "number": "020 7946 0000"}
    for wrong, words in (
        ({"number": ""}, "Type the number."),
        ({"number": "abc"}, "This is no telephone number"),
        ({"number": "12"}, "This is no telephone number"),
        ({"number": "9" * 41}, "at most 40 characters"),
        ({"number": "\N{FOX FACE}"}, "This is no telephone number"),
        ({"number": "12AB"}, "This is no telephone number"),
        ({"region": "XX"}, "Not a valid choice"),
        ({"kind": "9"}, "Not a valid choice"),
        ({"since_on": "tomorrow"}, "This is no day of the calendar. Write it as 2026-05-03"),
        ({"until_on": "2026-02-30"}, "This is no day of the calendar"),
        ({"since_on": "0001-01-01"}, "Give a day between"),
        ({"since_on": "2026-05-03", "until_on": "2026-05-02"}, "The last day lies before the first"),
        ({"label": "x" * 81}, "At most 80"),
    ):
        answer = client.send(NEW, good | wrong)
        assert answer.status_code == 422, wrong
        assert words in answer.text, wrong
        assert 'aria-invalid="true"' in answer.text
        assert "Gamma" in answer.text, "what was typed is kept"
    assert stored(make) == []


def test_words_are_one_line_that_turns_nothing_round(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    typed = {**DETAILS, "number": "020 7946 0000", "label": "\u202eMain\x07 \n line", "provider": "\u200b"}
    assert client.send(NEW, typed).status_code == 303
    [number] = stored(make)
    assert (number.label, number.provider) == ("Main line", "")


def test_all_that_is_wrong_is_told_at_once(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.max)
    wrong = {"number": "12AB", "since_on": "tomorrow", "until_on": "25:00", "label": "x" * 81}
    page = client.send(NEW, DETAILS | wrong).text
    for field in wrong:
        assert f'id="{field}-error"' in page, field
    page = client.send(NEW, DETAILS | wrong | {"number": "9" * 5000}).text
    assert "at most 40 characters" in page and "no telephone number" not in page
    assert stored(make) == []


def test_a_number_that_is_listed_is_refused_by_name(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.number(label="Sales line")
    client.sign_in(cast.max)
    answer = client.send(NEW, {**DETAILS, "number": "00442079460000"})
    assert answer.status_code == 422
    assert "020 7946 0000 (Sales line) is in the list already. Change it there." in answer.text
    make.number("+442079460001", until_at=datetime(2026, 5, 3, 23, tzinfo=UTC))
    answer = client.send(NEW, {**DETAILS, "number": "020 7946 0001"})
    assert "as given up on 3 May 2026. Take it back there." in answer.text


def test_the_party_is_the_one_that_calls_have(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call(did="+442079460000")
    client.sign_in(cast.max)
    client.send(NEW, {**DETAILS, "number": "020 7946 0000"})
    [number] = stored(make)
    assert number.party_id == call.did_id
    with make.session() as session:
        assert session.scalar(select(func.count()).select_from(Party).where(Party.e164 == "+442079460000")) == 1


@pytest.mark.parametrize("order", ["number first", "calls first"])
def test_calls_are_tied_to_it_by_the_dialled_number_in_any_spelling(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database, order: str
) -> None:
    importing = Importing(database, cast.harbour)
    rows = b"".join(
        asterisk_row(unique=f"17841168{place}0.1", dialed=spelling, start=f"2026-07-15 13:0{place}:00")
        for place, spelling in enumerate(SPELLINGS)
    )
    client.sign_in(cast.max)
    if order == "number first":
        client.send(NEW, {**DETAILS, "number": SPELLINGS[0]})
    importing.load(importing.pbx(), rows)
    if order == "calls first":
        client.send(NEW, {**DETAILS, "number": SPELLINGS[0]})
    [number] = stored(make)
    calls = importing.calls()
    assert [call.direction for call in calls] == [Direction.INBOUND] * 4
    assert {call.did_id for call in calls} == {number.party_id}


def test_undoing_the_import_leaves_the_number_its_party(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    importing = Importing(database, cast.harbour)
    file = importing.load(importing.pbx(), asterisk_row(dialed=SPELLINGS[0]))
    client.sign_in(cast.max)
    client.send(NEW, {**DETAILS, "number": SPELLINGS[0]})
    importing.undo(file.id)
    [number] = stored(make)
    with make.session() as session:
        assert session.get(Party, (make.organization.id, number.party_id)) is not None


def test_changing_a_number(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    number = make.number()
    client.sign_in(cast.max)
    address = f"{LIST}/{spell_id(number.id)}"
    version = version_in(client.get(address).text)
    days = {"since_on": "2026-01-02", "until_on": "2026-03-31"}
    assert client.send(address, {**DETAILS, "kind": "4", "version": version, **days}).status_code == 303
    [changed] = stored(make)
    assert (changed.label, changed.kind, changed.version) == ("Main line", NumberKind.OTHER, 2)
    assert changed.since_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert changed.until_at == datetime(2026, 3, 31, 23, tzinfo=UTC), "the last day ends at midnight of summer time"
    page = client.get(address).text
    assert 'value="2026-03-31"' in page
    assert "what it is for: nothing → Main line" in told(make)
    client.send(address, {**DETAILS, "kind": "4", "version": "2", **days})
    assert stored(make)[0].version == 2, "the same again is no change"


def test_another_country_is_refused_beside_it(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    number = make.number()
    client.sign_in(cast.max)
    answer = client.send(f"{LIST}/{spell_id(number.id)}", {**DETAILS, "region": "FR", "version": "1"})
    assert answer.status_code == 422
    assert "Numbers of this country begin otherwise" in answer.text


def test_the_second_of_two_editors_sees_what_changed_and_keeps_their_text(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    number = make.number()
    client.sign_in(cast.max)
    address = f"{LIST}/{spell_id(number.id)}"
    client.send(address, {**DETAILS, "label": "Theirs", "version": "1"})
    answer = client.send(address, {**DETAILS, "label": "Mine", "version": "1"})
    assert answer.status_code == 422
    assert "Somebody changed this number while you were writing." in answer.text
    assert "what it is for: Mine → Theirs" in answer.text
    assert 'value="Mine"' in answer.text
    assert stored(make)[0].label == "Theirs"
    assert client.send(address, {**DETAILS, "label": "Mine", "version": version_in(answer.text)}).status_code == 303
    assert stored(make)[0].label == "Mine"
    assert client.send(address, {**DETAILS, "version": "none"}).status_code == 422


@time_machine.travel(NOON, tick=False)
def test_giving_up_and_taking_back(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    number = make.number()
    client.sign_in(cast.max)
    address = f"{LIST}/{spell_id(number.id)}"
    assert client.send(f"{address}/give-up").status_code == 303
    assert stored(make)[0].until_at == NOON
    assert "Given up today at 13:00" in client.get(LIST).text
    assert "Take it back" in client.get(address).text
    assert client.send(f"{address}/take-back").status_code == 303
    assert stored(make)[0].until_at is None


@time_machine.travel(NOON, tick=False)
def test_giving_up_does_not_wait_for_the_last_day_that_was_said(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    number = make.number(until_at=NOON + timedelta(days=40))
    client.sign_in(cast.max)
    assert client.send(f"{LIST}/{spell_id(number.id)}/give-up").status_code == 303
    assert stored(make)[0].until_at == NOON
    assert "Given up today at 13:00" in client.get(LIST).text


@time_machine.travel(NOON, tick=False)
def test_what_is_still_ours_for_some_days_stands_before_what_was_given_up(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.number("+442079460001", until_at=NOON - timedelta(days=1))
    make.number("+442079460002", until_at=NOON + timedelta(days=1))
    make.number("+442079460003")
    client.sign_in(cast.vera)
    listed = re.findall(r'title="(\+\d+)" href', client.get(LIST).text)
    assert listed == ["+442079460002", "+442079460003", "+442079460001"]


# ----------------------------------------------------------------------------------------------------------- deleting


def test_a_mistyped_number_is_deleted(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    number, other = make.number("+442079460001"), make.number("+442079460002")
    client.sign_in(cast.max)
    address = f"{LIST}/{spell_id(number.id)}"
    assert f'href="{address}/delete"' in client.get(address).text
    assert "it can be listed again" in client.get(f"{address}/delete").text
    assert len(stored(make)) == 2, "a look deletes nothing"
    assert client.send(f"{address}/delete").location == LIST
    assert "020 7946 0001 is deleted." in client.get(LIST).text
    assert [each.id for each in stored(make)] == [other.id]
    with make.session() as session:
        [left] = session.scalars(select(Party.id))
        assert left == other.party_id
        kinds = session.scalars(select(AuditEvent.kind).where(AuditEvent.object_id == number.id)).all()
    assert kinds == ["own_number.deleted"]
    assert "+442079460001" in told(make)
    assert client.get(address).status_code == client.send(f"{address}/delete").status_code == 404
    assert client.send(NEW, {**DETAILS, "kind": "", "number": "020 7946 0001"}).status_code == 303


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("call", "Calls came in on it, the last one on 15 July 2026."),
        ("routes", "Somebody has said where it rings"),
        ("lookup", "A phone system has asked where it rings."),
    ],
)
def test_a_number_that_something_happened_with_is_only_given_up(
    client: PageCheckingClient, cast: Cast, make: Make, what: str, why: str
) -> None:
    number = make.number()
    if what == "call":
        make.call(did=number.e164, started_at=NOON)
    elif what == "routes":
        make.store(RoutePlan(id=new_id(), number_id=number.id, at=NOON, user_account_id=None, repeats_id=None))
    else:
        make.store(lookup_of(make, number))
    client.sign_in(cast.max)
    address = f"{LIST}/{spell_id(number.id)}"
    page = client.get(address).text
    assert f"{why}" in page
    assert "So it cannot be deleted, only given up." in page
    assert f'href="{address}/delete"' not in page
    assert "Delete it</button>" not in client.get(f"{address}/delete").text
    for part in (False, True):
        answer = client.send(f"{address}/delete", part=part)
        assert answer.status_code == 422
        assert why in answer.text
    assert len(stored(make)) == 1


def lookup_of(make: Make, number: Number) -> RouteLookup:
    return RouteLookup(
        id=new_id(),
        pbx_id=make.pbx("Head office").id,
        at=NOON,
        number_id=number.id,
        route_plan_id=None,
        destination_id=None,
        answer=LookupAnswer.NO_PLAN,
        dialled=number.e164,
        link_keys=b"",
    )


def test_the_party_of_a_deleted_number_stays_where_something_else_speaks_of_it(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    called, given = make.number("+442079460001"), make.number("+442079460002")
    make.call(caller="204", callee=called.e164, direction=Direction.OUTBOUND, did=None)
    make.narrow(cast.nina, given.e164)
    client.sign_in(cast.max)
    for number in (called, given):
        assert client.send(f"{LIST}/{spell_id(number.id)}/delete").status_code == 303
    assert stored(make) == []
    with make.session() as session:
        assert {called.party_id, given.party_id} <= set(session.scalars(select(Party.id)))


# ------------------------------------------------------------------------------------------------------------- offers


def test_numbers_that_calls_came_in_on_are_offered(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    listed = make.number("+442079460000")
    with time_machine.travel(NOON + timedelta(hours=1)):
        for minutes in range(3):
            make.call(did="+442079460155", started_at=NOON - timedelta(minutes=minutes))
        make.call(did="+442079460177", started_at=NOON - timedelta(days=89))
        make.call(did="+442079460188", started_at=NOON - timedelta(days=91))
        make.call(did="+442079460000")
        make.call(did="201")
        make.call(direction=Direction.OUTBOUND, did="+442079460166")
        client.sign_in(cast.max)
        page = client.get(LIST).text
        offered = re.findall(r'aria-label="List it: ([^"]*)"', page)
        assert offered == ["020 7946 0155", "020 7946 0177"], "the most called first"
        assert "3 calls" in page
        assert "back to 17 April" in page
        [address] = re.findall(r'action="([^"]*)"[^>]*><input[^>]*><button aria-label="List it: 020 7946 0155"', page)
        assert client.send(address).status_code == 303
        assert client.send(address).status_code == 303, "listed already: said on the list"
        assert "is in the list already" in client.get(LIST).text
    assert [number.e164 for number in stored(make)] == [listed.e164, "+442079460155"]


def test_offers_look_at_a_bounded_piece_of_the_log(
    make: Make, monkeypatch: pytest.MonkeyPatch, client: PageCheckingClient, cast: Cast
) -> None:
    monkeypatch.setattr(own_numbers, "MOST_CALLS", 2)
    with time_machine.travel(NOON + timedelta(hours=1)):
        for minutes, number in enumerate(("+442079460111", "+442079460122", "+442079460133")):
            make.call(did=number, started_at=NOON - timedelta(minutes=minutes))
        with make.session() as session:
            seen = own_numbers.read_own_numbers(session)
            parties = {party.id: party.e164 for party in session.scalars(select(Party))}
            assert session.scalar(select(func.count()).select_from(Call)) == 3
    assert {parties[party_id]: calls for party_id, calls in seen.calls.items()} == {
        "+442079460111": 1,
        "+442079460122": 1,
    }
    assert seen.since == NOON - timedelta(minutes=1)


# ----------------------------------------------------------------------------------------------------------- who may


def test_a_viewer_looks_and_changes_nothing(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    number = make.number(label="Main line")
    make.call(did="+442079460155", started_at=datetime.now(UTC))
    client.sign_in(cast.vera)
    page = client.get(LIST).text
    assert "Main line" in page
    assert "are they yours" not in page.lower()
    assert "/numbers/new" not in page
    assert client.get(NEW).status_code == 403
    own = f"{LIST}/{spell_id(number.id)}"
    for address in (NEW, own, f"{own}/give-up", f"{own}/delete"):
        assert client.send(address, DETAILS).status_code == 403


def test_masked_readers_see_own_numbers_in_full_and_narrowed_ones_no_page(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.number()
    make.membership(cast.vera, numbers=Numbers.MASKED)
    client.sign_in(cast.vera)
    assert "020 7946 0000" in client.get(LIST).text
    client.sign_in(cast.nina)
    assert client.get(LIST).status_code == 403


def test_numbers_of_another_organization_are_not_there(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    theirs = make.at(cast.quayside).number("+33199001234")
    client.sign_in(cast.max)
    assert "0199001234" not in client.get(LIST).text.replace(" ", "")
    for address in (f"{LIST}/{spell_id(theirs.id)}", f"{LIST}/{spell_id(new_id())}"):
        assert client.get(address).status_code == 404
        assert client.send(f"{address}/give-up").status_code == 404
        assert client.send(f"{address}/delete").status_code == 404
    assert client.send(f"{LIST}/seen/{spell_id(theirs.party_id)}").status_code == 404
    assert client.get(f"{LIST}/{spell_id(theirs.id)}/give-up").status_code == 405
    assert client.send(NEW, {**DETAILS, "number": "+33 1 99 00 12 34"}).status_code == 303, "ours may have it too"


def test_a_masked_manager_lists_no_number_that_is_not_offered(
    client: PageCheckingClient, make: Make, cast: Cast
) -> None:
    """What is listed is shown in full: by its id any caller could be read."""
    client.sign_in(cast.max)
    make.membership(cast.max, numbers=Numbers.MASKED)
    caller = make.party("+441632960123")

    assert client.send(f"/o/harbour/destinations/numbers/seen/{spell_id(caller.id)}").status_code == 404
    assert "960123" not in client.get("/o/harbour/destinations/numbers").text
