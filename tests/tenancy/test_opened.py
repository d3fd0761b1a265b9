"""A person who was given people and teams: what these hold decides what is seen, from the next request on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, select

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import EPOCH, NOON, Make
from webapp.accounts.models import UserAccount
from webapp.calls.models import Call, CallParty
from webapp.clock import from_ms, to_ms
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations import actions, opened
from webapp.destinations.matching import Pattern
from webapp.destinations.models import (
    Destination,
    DestinationKind,
    DestinationMember,
    Party,
    PartyHolder,
    PatternKind,
)
from webapp.destinations.turns import hand_over
from webapp.organizations.models import InvitationDestination
from webapp.tenancy import narrowing
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import load_narrowing, open_spans
from webapp.tenancy.models import MembershipDestination, MembershipParty
from webapp.tenancy.narrowing import DestinationDays, Narrowing, PartyDays, covers, holds
from webapp.tenancy.row_security import TenancyError
from webapp.tenancy.sessions import reading_session

LOG = "/o/harbour/calls?period=all"
DAY = timedelta(days=1)
NINE_DAYS = [NOON + DAY * number for number in range(9)]


def seen(database: Database, cast: Cast, person: UserAccount | None = None) -> set[int]:
    """The calls that Nina, or the person, sees in a request that begins now."""
    with reading_session(database, cast.harbour.id) as session:
        session.bind_narrowing(load_narrowing(session, (person or cast.nina).id))
        return set(session.scalars(select(Call.call_key)))


def calls_of(make: Make, digits: str) -> list[Call]:
    return [make.call(callee=digits, started_at=at) for at in NINE_DAYS]


def keys(calls: list[Call]) -> set[int]:
    return {call.call_key for call in calls}


def test_a_hand_over_divides_the_calls(database: Database, cast: Cast, make: Make) -> None:
    party, calls = make.party("204"), calls_of(make, "204")
    ann, ben = make.destination("Ann"), make.destination("Ben")
    make.holder(party, ann)
    make.narrow_to(cast.nina, ann)
    assert seen(database, cast) == keys(calls)

    make.holder(party, ben, NINE_DAYS[3])
    assert seen(database, cast) == keys(calls[:3])
    make.holder(party, ann, NINE_DAYS[5])
    make.holder(party, None, NINE_DAYS[7])
    assert seen(database, cast) == keys(calls[:3] + calls[5:7])


def test_the_days_that_were_given_hold_too(database: Database, cast: Cast, make: Make) -> None:
    party, calls = make.party("204"), calls_of(make, "204")
    ann = make.destination("Ann")
    make.holder(party, ann, NINE_DAYS[2])
    make.holder(party, None, NINE_DAYS[8])
    make.narrow_to(cast.nina, ann, from_at=NINE_DAYS[4], until_at=NINE_DAYS[6])
    assert seen(database, cast) == keys(calls[4:6])


def test_a_team_has_its_own_calls_and_those_of_its_people(database: Database, cast: Cast, make: Make) -> None:
    team, ann, ben = (
        make.destination("Sales", DestinationKind.TEAM),
        make.destination("Ann"),
        make.destination("Ben"),
    )
    calls = {}
    for digits, whose in (("200", team), ("204", ann), ("205", ben)):
        make.holder(make.party(digits), whose)
        calls[digits] = calls_of(make, digits)
    make.narrow_to(cast.nina, team)
    assert seen(database, cast) == keys(calls["200"])

    for person in (ann, ben):
        make.store(DestinationMember(team_id=team.id, person_id=person.id))
    assert seen(database, cast) == keys([call for each in calls.values() for call in each])
    with make.session() as session:
        session.execute(delete(DestinationMember).where(DestinationMember.person_id == ann.id))
        session.commit()
    assert seen(database, cast) == keys(calls["200"] + calls["205"])


def test_a_number_outside_that_is_a_persons_counts(database: Database, cast: Cast, make: Make) -> None:
    ann, mobile = make.destination("Ann"), "+447700900123"
    with_her = make.call(caller="202", callee=mobile)
    make.call(caller="202", callee="+447700900124")
    make.holder(make.party(mobile), ann)
    make.narrow_to(cast.nina, ann)
    assert seen(database, cast) == {with_her.call_key}


def merged(session: LockedSession, ann_id: int, annie_id: int) -> None:
    actions.merge(session, annie_id, ann_id, actor_id=None)


def archived(session: LockedSession, _ann_id: int, annie_id: int) -> None:
    actions.archive(session, annie_id, actor_id=None)


@pytest.mark.parametrize(("change", "then"), [(archived, "204"), (merged, "203 204")])
def test_who_is_archived_or_merged_away_is_still_seen(
    database: Database, cast: Cast, make: Make, change: Callable[..., None], then: str
) -> None:
    calls = {digits: keys(calls_of(make, digits)) for digits in ("203", "204")}
    described = [
        actions.Described(DestinationKind.PERSON, name, (Pattern(PatternKind.EXTENSION, digits),))
        for name, digits in (("Ann", "203"), ("Annie", "204"))
    ]
    with make.session() as session:
        ann_id, annie_id = [actions.add_destination(session, each, actor_id=None).id for each in described]
        session.commit()
        annie = session.get_one(Destination, (cast.harbour.id, annie_id))
    make.narrow_to(cast.nina, annie)
    with make.session() as session:
        change(session, ann_id, annie_id)
        session.commit()
    assert seen(database, cast) == set().union(*(calls[digits] for digits in then.split()))


@pytest.mark.parametrize("kind", [DestinationKind.CUSTOMER, DestinationKind.ZONE])
def test_who_turns_into_somebody_outside_opens_nothing(
    database: Database, cast: Cast, make: Make, kind: DestinationKind
) -> None:
    make.holder(make.party("204"), ann := make.destination("Ann"))
    calls = calls_of(make, "204")
    make.narrow_to(cast.nina, ann)
    assert seen(database, cast) == keys(calls)
    with make.session() as session:
        session.get_one(Destination, (cast.harbour.id, ann.id)).kind = kind
        session.commit()
    assert seen(database, cast) == set()


def test_of_two_that_are_merged_the_longer_days_stay(make: Make, cast: Cast) -> None:
    ann, annie = make.destination("Ann"), make.destination("Annie")
    make.narrow_to(cast.nina, ann, until_at=NOON)
    make.narrow_to(cast.nina, annie, until_at=NOON + DAY)
    make.narrow_to(cast.vera, ann)
    make.narrow_to(cast.vera, annie, until_at=NOON)
    make.narrow_to(cast.vera, annie, from_at=NOON)
    invitation = make.invitation()
    make.store(
        InvitationDestination(invitation_id=invitation.id, destination_id=annie.id, from_at=EPOCH, until_at=None)
    )
    with make.session() as session:
        merged(session, ann.id, annie.id)
        session.commit()
        rows = {
            (row.user_account_id, row.destination_id, row.from_at, row.until_at)
            for row in session.scalars(select(MembershipDestination))
        }
        [offered] = session.scalars(select(InvitationDestination))
    assert rows == {
        (cast.nina.id, ann.id, EPOCH, NOON + DAY),
        (cast.vera.id, ann.id, EPOCH, None),
        (cast.vera.id, ann.id, NOON, None),
    }
    assert offered.destination_id == ann.id


def test_from_the_next_request_on(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    party = make.party("204")
    calls_of(make, "204")
    ann, ben = make.destination("Ann Archer"), make.destination("Ben Baker")
    with make.session() as session:
        actions.change_destination(
            session,
            ann.id,
            1,
            actions.Described(DestinationKind.PERSON, "Ann Archer", (Pattern(PatternKind.EXTENSION, "204"),)),
            actor_id=None,
        )
        session.commit()
    make.narrow_to(cast.nina, ann)
    client.sign_in(cast.nina)
    page = client.get(LOG).text
    assert page.count("data-row-link") == 9
    assert "You see Ann Archer" in page
    with make.session() as session:
        hand_over(session, Pattern(PatternKind.EXTENSION, "204"), ben.id, NINE_DAYS[2], actor_id=None)
        session.commit()
    page = client.get(LOG).text
    assert page.count("data-row-link") == 2
    assert "Ben Baker" not in page
    assert party.digits == "204"


def test_names_of_colleagues_stay_closed(database: Database, cast: Cast, make: Make) -> None:
    """Who has the extension before or after the days that were given; and whoever is of no team of theirs."""
    party = make.party("204")
    ann, ben, cat, other = (make.destination(name) for name in ("Ann", "Ben", "Cat", "Other"))
    team = make.destination("Sales", DestinationKind.TEAM)
    make.holder(party, ann)
    make.holder(party, ben, NINE_DAYS[2])
    make.holder(party, cat, NINE_DAYS[4])
    make.holder(make.party("205"), other)
    calls_of(make, "204")
    make.narrow(cast.nina, "204", from_at=NINE_DAYS[2], until_at=NINE_DAYS[4])
    make.narrow_to(cast.nina, team)
    with reading_session(database, cast.harbour.id) as session:
        session.bind_narrowing(load_narrowing(session, cast.nina.id))
        assert set(session.scalars(select(Destination.name))) == {"Ben", "Sales"}
        assert list(session.scalars(select(PartyHolder.destination_id))) == [ben.id]
        assert list(session.scalars(select(DestinationMember))) == []
    with reading_session(database, cast.harbour.id) as session:
        session.bind_narrowing(Narrowing((PartyDays(party.id, to_ms(NINE_DAYS[3])),)))
        assert set(session.scalars(select(Destination.name))) == {"Ben", "Cat"}


def test_a_narrowed_session_opens_nothing_more(database: Database, cast: Cast) -> None:
    """It would find fewer holders than there are."""
    with reading_session(database, cast.harbour.id) as session:
        session.bind_narrowing(Narrowing())
        with pytest.raises(TenancyError, match="not narrowed"):
            open_spans(session, (DestinationDays(1),))


def test_another_organization_lends_nothing(database: Database, cast: Cast, make: Make) -> None:
    theirs = make.at(cast.quayside)
    foreign = theirs.destination("Ann")
    theirs.holder(theirs.party("204"), foreign)
    with reading_session(database, cast.harbour.id) as session:
        assert open_spans(session, (DestinationDays(foreign.id),)).windows == ()


def test_few_statements_whatever_is_held(database: Database, cast: Cast, make: Make) -> None:
    team = make.destination("Sales", DestinationKind.TEAM)
    for number in range(12):
        person = make.destination(f"Person {number}")
        make.store(DestinationMember(team_id=team.id, person_id=person.id))
        make.holder(make.party(str(300 + number)), person)
    make.narrow_to(cast.nina, team)
    asked: list[str] = []
    event.listen(database.reading, "before_cursor_execute", lambda _c, _u, statement, *_rest: asked.append(statement))
    with reading_session(database, cast.harbour.id) as session:
        assert len(load_narrowing(session, cast.nina.id).windows) == 12
    assert sum(statement.startswith("SELECT") for statement in asked) == 4


def test_as_many_windows_as_there_may_be(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    """A pattern that came later brings more: the pages answer all the same, the rest is closed, and they say so."""
    ann = make.destination("Ann")
    with make.session() as session:
        parties = [make._party(session, str(10_000 + number), make._any_pbx(), "") for number in range(210)]
        for party in parties:
            session.add(PartyHolder(party_id=party.id, from_at=NINE_DAYS[0], destination_id=ann.id))
            session.add(PartyHolder(party_id=party.id, from_at=NINE_DAYS[8], destination_id=None))
        session.commit()
    make.narrow_to(cast.nina, ann)
    first, last = (make.call(callee=str(digits), started_at=NINE_DAYS[3]) for digits in (10_000, 10_209))
    client.sign_in(cast.nina)
    for path in ("/o/harbour/", LOG, f"{LOG}&talk_min=1", f"/o/harbour/calls/{spell_id(first.call_key)}"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "Not all calls that you may see are here" in answer.text, path
    client.sign_in(cast.vera)
    assert "Not all calls" not in client.get(LOG).text
    client.sign_in(cast.nina)
    assert client.get(LOG).text.count("data-row-link") == 1
    assert client.get(f"/o/harbour/calls/{spell_id(last.call_key)}").status_code == 404


def test_of_too_many_windows_those_in_use_latest_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "MOST_WINDOWS", 3)
    long_over, over, open_end, from_start = PartyDays(1, 5, 20), PartyDays(2, 5, 30), PartyDays(3, 9), PartyDays(4)
    few = Narrowing((long_over, over), (open_end,))
    assert (few.windows, few.is_cut) == ((long_over, over, open_end), False)
    many = Narrowing((long_over, over), (open_end, from_start))
    assert (many.windows, many.is_cut) == ((over, open_end, from_start), True)
    follow_on = Narrowing((long_over, PartyDays(1, 20, 40)), (open_end, from_start))
    assert (len(follow_on.windows), follow_on.is_cut) == (3, False), "what joins is one"


def test_what_was_not_even_read_is_told_too(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, others = make.destination("Ann"), [make.destination(f"Past {number}") for number in range(2)]
    for number, destination in enumerate([ann, *others]):
        make.holder(make.party(str(300 + number)), destination)
        make.narrow_to(cast.nina, destination)
    client.sign_in(cast.nina)
    assert "Not all calls" not in client.get(LOG).text
    monkeypatch.setattr(opened, "_HELD_AT_MOST", 2)
    assert "Not all calls that you may see are here" in client.get(LOG).text
    monkeypatch.setattr(opened, "_HELD_AT_MOST", 3)
    assert "Not all calls" not in client.get(LOG).text


def test_what_is_given_is_compared_not_what_it_comes_to() -> None:
    """A party is no part of a destination: tomorrow it may be somebody else's, and the destination may have more."""
    lent = (PartyDays(7), PartyDays(8))
    sales = Narrowing((DestinationDays(1),), lent)
    assert covers(sales, Narrowing((DestinationDays(1),), lent))
    assert covers(sales, Narrowing((DestinationDays(1, 5, 9),)))
    assert not covers(sales, Narrowing((PartyDays(7),)))
    assert not covers(sales, Narrowing((DestinationDays(2),)))
    assert not covers(Narrowing((DestinationDays(1, 5),)), Narrowing((DestinationDays(1),)))
    assert not covers(Narrowing(lent), Narrowing((DestinationDays(7),), lent))
    assert not holds(DestinationDays(1), PartyDays(1))
    assert DestinationDays(1) != PartyDays(1)


# ------------------------------------------------------------------------------------------- against brute force

POINTS = st.integers(0, 8)
HISTORY = st.dictionaries(POINTS, st.sampled_from([0, 1, 2, None]), max_size=4)
GIVEN = st.tuples(st.sampled_from(["party", "destination"]), st.integers(0, 2), POINTS, POINTS | st.none())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    histories=st.lists(HISTORY, min_size=3, max_size=3),
    team_has=st.frozensets(st.sampled_from([1, 2])),
    given_=st.lists(GIVEN, max_size=4, unique_by=lambda each: each[:3]),
)
def test_a_narrowed_session_sees_exactly_those_calls(
    database: Database,
    cast: Cast,
    make: Make,
    histories: list[dict[int, int | None]],
    team_has: frozenset[int],
    given_: list[tuple[str, int, int, int | None]],
) -> None:
    """Of three parties, and a team with two people: by their histories, walked day by day."""
    world = _world(make)
    _store(make, cast, world, histories, team_has, given_)

    def is_open(party: int, day: int) -> bool:
        begun = [at for at in histories[party] if at <= day]
        holder = histories[party][max(begun)] if begun else None
        for kind, which, since, until in given_:
            whose = {which} | (team_has if kind == "destination" and which == 0 else frozenset())
            meant = party == which if kind == "party" else holder in whose
            if meant and since <= day and (until is None or day < until):
                return True
        return False

    expected = {key for key, (day, parties) in world["calls"].items() if any(is_open(each, day) for each in parties)}
    assert seen(database, cast) == expected


def _world(make: Make) -> dict[str, Any]:
    """The same for every example: calls of each party on each day, and of two at once."""
    with make.session() as session:
        parties = list(
            session.scalars(select(Party).where(Party.digits.in_(("300", "301", "302"))).order_by(Party.digits))
        )
        destinations = list(session.scalars(select(Destination).order_by(Destination.id)))
    if not parties:
        kinds = (DestinationKind.TEAM, DestinationKind.PERSON, DestinationKind.PERSON)
        destinations = [make.destination(f"D{number}", kind) for number, kind in enumerate(kinds)]
        parties = [make.party(digits) for digits in ("300", "301", "302")]
        for at in NINE_DAYS:
            for party in parties:
                make.call(callee=party.digits, started_at=at)
            make.call(caller="300", callee="302", started_at=at)
    place = {party.id: number for number, party in enumerate(parties)}
    calls: dict[int, tuple[int, set[int]]] = {}
    with make.session() as session:
        for row in session.scalars(select(CallParty).where(CallParty.party_id.in_(place))):
            calls.setdefault(row.call_key, (NINE_DAYS.index(row.started_at), set()))[1].add(place[row.party_id])
    return {"parties": parties, "destinations": destinations, "calls": calls}


def _store(
    make: Make,
    cast: Cast,
    world: dict[str, Any],
    histories: list[dict[int, int | None]],
    team_has: frozenset[int],
    given_: list[tuple[str, int, int, int | None]],
) -> None:
    parties, destinations = world["parties"], world["destinations"]
    with make.session() as session:
        for table in (PartyHolder, DestinationMember, MembershipDestination, MembershipParty):
            session.execute(delete(table).execution_options(synchronize_session=False))
        for party, history in zip(parties, histories, strict=True):
            for day, holder in history.items():
                held_by = None if holder is None else destinations[holder].id
                session.add(PartyHolder(party_id=party.id, from_at=NINE_DAYS[day], destination_id=held_by))
        for member in team_has:
            session.add(DestinationMember(team_id=destinations[0].id, person_id=destinations[member].id))
        for kind, which, since, until in given_:
            days: dict[str, datetime | None] = {
                "from_at": from_ms(to_ms(NINE_DAYS[since])),
                "until_at": None if until is None else NINE_DAYS[until],
            }
            mine = {"user_account_id": cast.nina.id, **days}
            if kind == "party":
                session.add(MembershipParty(party_id=parties[which].id, **mine))
            else:
                session.add(MembershipDestination(destination_id=destinations[which].id, **mine))
        session.commit()
