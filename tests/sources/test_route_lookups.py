"""A phone system asks where a call goes: three shapes, a safe answer for all that has none, and the call it caused."""

import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from tests.cast import Cast
from tests.conftest import NUMBER_KEY
from tests.make import NOON, Make
from tests.sources.delivering import freeswitch_call
from webapp import clock
from webapp.calls.asked_routes import find_lookup, tell_lookup
from webapp.calls.models import Call, Pbx
from webapp.database.engine import STATEMENT_MS, Database
from webapp.database.ids import spell_id
from webapp.destinations.actions import Described, add_destination, merge
from webapp.destinations.matching import Pattern
from webapp.destinations.models import Destination, DestinationKind, PatternKind
from webapp.destinations.route_models import LookupAnswer, Number, RouteCondition, RouteLookup
from webapp.destinations.routing import RouteLine
from webapp.ingest.deliveries import store_delivered
from webapp.sources import pbx_access, route_lookups
from webapp.sources.models import PbxToken
from webapp.sources.route_lookups import sweep_lookups, write_notes
from webapp.sources.tokens import make_token
from webapp.tenancy.reader import SEES_ALL
from webapp.tenancy.sessions import reading_session, writing_session

NUMBER = "+442079460000"


@dataclass
class Asking:
    """A phone system of one organization that asks the app."""

    app: Flask
    database: Database
    pbx: Pbx
    token: str

    def ask(self, shape: str, *, token: str | None = None, pbx: Pbx | None = None, **fields: str) -> TestResponse:
        address = f"/where/{spell_id((pbx or self.pbx).id)}/{shape}"
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"}
        return self.app.test_client().post(address, data=fields, headers=headers)

    def lookups(self) -> list[RouteLookup]:
        write_notes(self.database)
        with reading_session(self.database, self.pbx.organization_id) as session:
            return list(session.scalars(select(RouteLookup).order_by(RouteLookup.id)))


@pytest.fixture
def asking(app: Flask, database: Database, make: Make) -> Asking:
    pbx = make.pbx("Head office")
    with make.session() as session:
        token = make_token(session, pbx, actor_id=None)
        session.commit()
    return Asking(app, database, pbx, token)


def add(make: Make, name: str, *patterns: Pattern, kind: DestinationKind = DestinationKind.PERSON) -> Destination:
    with make.session() as session:
        destination = add_destination(session, Described(kind, name, patterns), actor_id=None)
        session.commit()
    return destination


def extension(digits: str, pbx: Pbx | None = None) -> Pattern:
    return Pattern(PatternKind.EXTENSION, digits, None if pbx is None else pbx.id)


@pytest.fixture
def number(make: Make, asking: Asking) -> Number:
    """Reception for 20 s, then voicemail; when it is busy, a mobile."""
    reception = add(make, "Reception", extension("204"), extension("304", asking.pbx))
    mailbox = add(make, "Mailbox", extension("*97"), kind=DestinationKind.VOICEMAIL)
    mobile = add(make, "Ann", Pattern(PatternKind.NUMBER, "447700900123"))
    listed = make.number(NUMBER)
    make.route_plan(
        listed,
        RouteLine(RouteCondition.ALWAYS, reception.id),
        RouteLine(RouteCondition.NO_ANSWER, mailbox.id, ring_seconds=20),
        RouteLine(RouteCondition.BUSY, mobile.id),
    )
    return listed


@pytest.mark.parametrize("spelt", ["020 7946 0000", NUMBER, "00442079460000", "442079460000"])
def test_json_tells_the_way_in_what_this_phone_system_dials(asking: Asking, number: Number, spelt: str) -> None:
    answer = asking.ask("json", number=spelt)

    assert answer.json == {
        "answer": "route",
        "steps": [
            {"on": "first", "dial": "304", "ring_seconds": None},
            {"on": "no_answer", "dial": "*97", "ring_seconds": 20},
            {"on": "busy", "dial": "+447700900123", "ring_seconds": None},
        ],
    }


def test_another_phone_system_dials_the_extension_of_all(asking: Asking, number: Number, make: Make) -> None:
    branch = make.pbx("Branch")
    with make.session() as session:
        token = make_token(session, branch, actor_id=None)
        session.commit()

    assert asking.ask("asterisk", pbx=branch, token=token, number=NUMBER).text == "route:204:20:*97:+447700900123:"


WHY = "${originate_disposition}"  # FreeSWITCH fills it in


def ask_dialplan(asking: Asking, dialled: str) -> ET.Element:
    sent = {"section": "dialplan", "Hunt-Destination-Number": dialled}
    return ET.fromstring(asking.ask("freeswitch", **sent).text)  # noqa: S314 - our own


def test_freeswitch_rings_the_first_place_and_asks_again(asking: Asking, number: Number) -> None:
    first = ask_dialplan(asking, "02079460000")
    actions = [(each.get("application"), each.get("data")) for each in first.iter("action")]
    assert actions == [
        ("set", "hangup_after_bridge=true"),
        ("set", "continue_on_fail=true"),
        ("set", "call_timeout=20"),
        ("bridge", "loopback/304/default/XML"),
        ("transfer", actions[-1][1]),
    ]
    again = str(actions[-1][1]).partition(" ")[0]
    for disposition, target in (("NO_ANSWER", "*97"), ("USER_BUSY", "+447700900123")):
        [action] = ask_dialplan(asking, again.replace(WHY, disposition)).iter("action")
        assert (action.get("application"), action.get("data")) == ("transfer", f"{target} XML default")
    nowhere = ask_dialplan(asking, again.replace(WHY, "NORMAL_TEMPORARY_FAILURE"))
    assert [each.get("application") for each in nowhere.iter("action")] == ["hangup"]
    assert len(asking.lookups()) == 1, "one call is noted once"


def test_freeswitch_gets_nothing_back_that_it_would_fill_in(asking: Asking, number: Number) -> None:
    sent = {"Hunt-Destination-Number": "02079460000;${system(id)}", "Hunt-Context": '"><x y="${system(id)}'}
    text = asking.ask("freeswitch", **sent).text

    assert "system" not in text
    assert 'context name="public"' in text


SAFE = {"json": '"steps":[]', "asterisk": ":::::", "freeswitch": 'status="not found"'}


@pytest.mark.parametrize("shape", SAFE)
def test_what_has_no_route_is_left_to_the_phone_system(asking: Asking, make: Make, shape: str) -> None:
    unlisted = asking.ask(shape, number="+442079460999")
    assert (unlisted.status_code, SAFE[shape] in unlisted.text) == (200, True)

    listed = make.number(NUMBER)
    assert SAFE[shape] in asking.ask(shape, number=NUMBER).text
    somebody = add(make, "Reception", extension("204"))
    make.route_plan(listed, RouteLine(RouteCondition.ALWAYS, somebody.id, enabled=False), at=NOON)
    assert SAFE[shape] in asking.ask(shape, number=NUMBER).text
    nameless = add(make, "Somewhere")
    make.route_plan(listed, RouteLine(RouteCondition.ALWAYS, nameless.id), at=NOON + timedelta(minutes=1))
    assert SAFE[shape] in asking.ask(shape, number=NUMBER).text

    assert [each.answer for each in asking.lookups()] == [
        LookupAnswer.NO_PLAN,
        LookupAnswer.NOTHING_FITS,
        LookupAnswer.NOTHING_FITS,
    ]


@pytest.mark.parametrize("shape", SAFE)
def test_a_database_that_is_down_gives_the_safe_answer(
    asking: Asking, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_arguments: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(pbx_access, "find_token", down)
    answer = asking.ask(shape, number=NUMBER)
    assert (answer.status_code, SAFE[shape] in answer.text) == (503, True)


def test_what_is_asked_about_other_numbers_is_not_kept(asking: Asking) -> None:
    for dialled in ("+442079460999", "204"):
        assert asking.ask("json", number=dialled).json == {"answer": "not_listed", "steps": []}
    assert asking.lookups() == []


def test_an_answer_waits_for_nobody_who_writes(asking: Asking, number: Number) -> None:
    """The token's use is written with the note, once they are done."""
    with writing_session(asking.database, asking.pbx.organization_id) as other:
        token = other.scalars(select(PbxToken)).one()
        token.prefix = "held"
        other.flush()
        began = time.monotonic()
        assert asking.ask("asterisk", number=NUMBER).text.startswith("route:304:")
        assert time.monotonic() - began < STATEMENT_MS / 1000, "so long it waits for a lock, or longer"
        assert token.last_used_at is None
        other.rollback()
    assert len(asking.lookups()) == 1
    with reading_session(asking.database, asking.pbx.organization_id) as session:
        assert session.scalars(select(PbxToken.last_used_at)).one() is not None


def test_the_answer_is_that_of_the_last_commit(asking: Asking, number: Number, make: Make) -> None:
    assert asking.ask("asterisk", number=NUMBER).text.startswith("route:304:")
    other = add(make, "Night desk", extension("299"))
    make.route_plan(number, RouteLine(RouteCondition.ALWAYS, other.id), at=clock.now())

    assert asking.ask("asterisk", number=NUMBER).text == "route:299::::"


def test_a_question_is_matched_with_the_call_that_it_caused(asking: Asking, number: Number, make: Make) -> None:
    sent = freeswitch_call(1)
    began = clock.from_ms(int(sent["variables"]["start_epoch"]) * 1000)
    uuid = sent["variables"]["uuid"]
    asking.ask("json", number=NUMBER, call_id=uuid)
    [lookup] = asking.lookups()
    with make.session() as session:  # as if it had been asked when the call began
        stored = session.get(RouteLookup, (lookup.organization_id, lookup.id))
        assert stored is not None
        keys = route_lookups._link_keys(NUMBER_KEY, asking.pbx, uuid, began)
        stored.at, stored.link_keys = began, route_lookups.pack_ids(keys)
        session.commit()
    headers = {"Authorization": f"Bearer {asking.token}"}
    asking.app.test_client().post(
        f"/collect/{spell_id(asking.pbx.id)}", json=[sent, freeswitch_call(21)], headers=headers
    )
    store_delivered(asking.database, NUMBER_KEY, asking.pbx.organization_id, lambda: True)

    with reading_session(asking.database, asking.pbx.organization_id) as session:
        found = [find_lookup(session, call) for call in session.scalars(select(Call).order_by(Call.started_at))]
        calls = session.scalars(select(Call).order_by(Call.started_at)).all()
        told = [tell_lookup(session, call, ZoneInfo("Europe/London"), SEES_ALL) for call in calls]
    assert [each and each.id for each in found] == [lookup.id, None]
    assert told[0].endswith("Head office asked Callbook, and was told: the call goes to Reception.")
    assert told[1] == ""


def test_asterisk_without_linkedid_names_its_call_by_uniqueid(asking: Asking) -> None:
    keys = route_lookups._link_keys(NUMBER_KEY, asking.pbx, "1795350625.3", clock.from_ms(1_795_350_625_000))
    row = route_lookups.link_ids("1795350624.3", "", 1795350624)  # the row of a parallel leg, born a second before
    hashes = {key & ((1 << 47) - 1) for key in keys}
    shared = route_lookups.link_keys_of(NUMBER_KEY, route_lookups.PbxSettings.of(asking.pbx), row, 1_795_350_624_000)
    assert hashes & {key & ((1 << 47) - 1) for key in shared}


def test_who_may_not_ask(asking: Asking, make: Make, cast: Cast, number: Number) -> None:
    assert asking.ask("json", number=NUMBER, token="cb_x_nonsense").status_code == 401
    assert asking.ask("json", number=NUMBER, pbx=make.pbx("Other")).status_code == 401
    assert asking.ask("json", number=NUMBER, pbx=make.at(cast.quayside).pbx("Theirs")).status_code == 401
    assert asking.ask("json").status_code == 422
    assert asking.ask("json", number="9" * 65).status_code == 422
    assert asking.app.test_client().get(f"/where/{spell_id(asking.pbx.id)}/json").status_code == 405


def test_old_questions_are_forgotten(asking: Asking, number: Number, make: Make) -> None:
    make.route_lookup(number, clock.now() - timedelta(days=91))
    kept = make.route_lookup(number, clock.now() - timedelta(days=89))
    sweep_lookups(asking.database)
    assert [each.id for each in asking.lookups()] == [kept.id]


def test_a_place_that_was_merged_away_is_dialled_as_the_other(asking: Asking, make: Make) -> None:
    old, new = add(make, "Old desk", extension("204")), add(make, "New desk")
    newest = add(make, "Newest desk")
    make.route_plan(make.number(NUMBER), RouteLine(RouteCondition.ALWAYS, old.id))
    for source, into in ((old, new), (new, newest)):
        with make.session() as session:
            merge(session, source.id, into.id, actor_id=None)
            session.commit()

    assert asking.ask("asterisk", number=NUMBER).text == "route:204::::"
    assert [each.destination_id for each in asking.lookups()] == [newest.id]


def test_a_call_that_rings_past_a_change_goes_on_as_it_began(asking: Asking, number: Number, make: Make) -> None:
    """FreeSWITCH asks twice: the second answer is of the moment of the first."""
    first = ask_dialplan(asking, "02079460000")
    ask_again = [each.get("data", "") for each in first.iter("action")][-1].partition("${")[0]
    night = add(make, "Night desk", extension("299"))
    make.route_plan(number, RouteLine(RouteCondition.ALWAYS, night.id), at=clock.now())

    [action] = ask_dialplan(asking, f"{ask_again}NO_ANSWER").iter("action")
    assert action.get("data") == "*97 XML default"
    [action] = ask_dialplan(asking, "02079460000~nonsense~NO_ANSWER").iter("action")
    assert action.get("application") == "hangup"
