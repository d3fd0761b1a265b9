"""Calls to return, as imports keep them: equal to a search through all calls, after whatever came, twice or not in
order, and went.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.ingest.importing import Importing, asterisk_row
from webapp.calls.models import Call, CallParty, CallToReturn, PartyRole
from webapp.calls.outcomes import LOOK_BACK_DAYS, TRY_OUTCOMES, Direction, Outcome
from webapp.clock import from_ms, now, to_ms
from webapp.database.bulk import BulkTransaction
from webapp.destinations.models import Party
from webapp.ingest.calls_to_return import is_outside, sweep_calls_to_return
from webapp.tenancy.sessions import writing_session

PRESENT = datetime(2026, 7, 20, 12, tzinfo=UTC)
CALLERS = ("02079460123", "02079460456", "01174960023")
LOCAL = timedelta(hours=1)  # summer time in London


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(PRESENT, tick=False) as moved:
        yield moved


def row(
    kind: str,
    caller: str = CALLERS[0],
    ago: timedelta = timedelta(hours=1),
    turn: int = 1,
    linked: str = "",
    ring: int = 20,
) -> bytes:
    """missed, voicemail or answered: outside calls in. back, tried: calls out to the caller. inside: between phones."""
    started = PRESENT - ago
    local = started + LOCAL
    talked = kind in ("voicemail", "answered", "back", "inside")
    end = local + timedelta(seconds=ring + (30 if talked else 0))
    unique = f"{int(started.timestamp())}.{turn}"
    fields: dict[str, Any] = {
        "unique": unique,
        "linked": linked or unique,
        "sequence": turn,
        "start": f"{local:%Y-%m-%d %H:%M:%S}",
        "answer": f"{local + timedelta(seconds=ring):%Y-%m-%d %H:%M:%S}" if talked else "",
        "end": f"{end:%Y-%m-%d %H:%M:%S}",
        "duration": ring + (30 if talked else 0),
        "billsec": 30 if talked else 0,
        "source": caller,
        "name": "",
        "disposition": "ANSWERED" if talked else "NO ANSWER",
    }
    if kind in ("back", "tried"):
        fields |= {"source": "201", "dialed": caller, "context": "from-internal", "channel": f"PJSIP/201-0000{turn:04}"}
        fields |= {"peer": f"PJSIP/provider-0000{turn:04}", "data": f"PJSIP/{caller}@provider,20"}
    elif kind == "inside":
        fields |= {"source": "202", "dialed": "201", "context": "from-internal", "channel": f"PJSIP/202-0000{turn:04}"}
    elif kind == "voicemail":
        fields |= {"app": "VoiceMail", "data": "201@default,u", "peer": ""}
    return asterisk_row(**fields)


def expected(harbour: Importing) -> dict[int, tuple[Any, ...]]:
    """Worked out from every call, the plainest way."""
    calls = {call.call_key: call for call in harbour.all(Call)}
    parties = {party.id: party for party in harbour.all(Party)}
    since = now() - timedelta(days=LOOK_BACK_DAYS)
    told: dict[int, list[tuple[datetime, int, bool]]] = {}
    for each in harbour.all(CallParty):
        call, party = calls[each.call_key], parties[each.party_id]
        if call.started_at < since or call.flags & 8 or not is_outside(party.kind, party.digits):
            continue
        if call.outcome == Outcome.ANSWERED:
            by_them = each.roles & (PartyRole.CALLER | PartyRole.ANSWERED)
            if by_them or (call.direction == Direction.OUTBOUND and each.roles & PartyRole.DIALED):
                told.setdefault(party.id, []).append((call.started_at, call.call_key, False))
        elif call.direction == Direction.INBOUND and call.outcome in TRY_OUTCOMES and call.caller_id == party.id:
            told.setdefault(party.id, []).append((call.started_at, call.call_key, True))
    found = {}
    for party_id, story in told.items():
        tries: list[Call] = []
        for _at, call_key, is_try in sorted(story):
            tries = [*tries, calls[call_key]] if is_try else []
        if tries:
            last = tries[-1]
            found[party_id] = (
                tries[0].started_at, last.started_at, last.call_key, last.pbx_id, last.did_id, len(tries),
                max(call.ring_seconds for call in tries), any(call.outcome == Outcome.VOICEMAIL for call in tries),
            )  # fmt: skip
    return found


def stored(harbour: Importing) -> dict[int, tuple[Any, ...]]:
    return {
        each.party_id: (
            each.first_at, each.last_at, each.last_call_key, each.pbx_id, each.did_id, each.tries, each.wait_seconds,
            each.voicemail,
        )
        for each in harbour.all(CallToReturn)
    }  # fmt: skip


def only(harbour: Importing) -> CallToReturn:
    [found] = harbour.all(CallToReturn)
    assert isinstance(found, CallToReturn)
    return found


def say(harbour: Importing, **values: Any) -> None:
    """What people write into the one row."""
    with writing_session(harbour.database, harbour.organization.id) as session:
        found = session.get_one(CallToReturn, (harbour.organization.id, only(harbour).party_id))
        for name, value in values.items():
            setattr(found, name, value)
        session.commit()


# ------------------------------------------------------------------------------------------------ one thing at a time


def test_a_missed_caller_is_one_row_until_they_are_reached(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, row("missed", ago=timedelta(hours=5), ring=31))
    harbour.load(pbx, row("voicemail", ago=timedelta(hours=3), turn=2) + row("tried", ago=timedelta(hours=2), turn=3))
    found = only(harbour)
    assert (found.tries, found.wait_seconds, found.voicemail, found.assigned_to, found.note) == (2, 31, True, None, "")
    assert found.first_at == PRESENT - timedelta(hours=5)
    assert found.last_at == PRESENT - timedelta(hours=3)
    assert found.did_id is not None
    harbour.load(pbx, row("back", ago=timedelta(hours=1), turn=4))
    assert stored(harbour) == {}


@pytest.mark.parametrize("kind", ["answered", "back"])
def test_whoever_got_through_later_is_no_row_however_the_records_come(harbour: Importing, kind: str) -> None:
    pbx, other = harbour.pbx(), harbour.pbx()
    harbour.load(other, row(kind, ago=timedelta(hours=1)))
    harbour.load(pbx, row("missed", ago=timedelta(hours=2)))
    assert stored(harbour) == {}
    harbour.load(pbx, row("missed", ago=timedelta(minutes=30), turn=2))
    assert only(harbour).tries == 1


def test_an_undo_brings_back_whoever_had_got_through(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, row("missed", ago=timedelta(hours=4)) + row("missed", ago=timedelta(hours=3), turn=2))
    answered = harbour.load(pbx, row("answered", ago=timedelta(hours=1), turn=3))
    assert stored(harbour) == {}
    harbour.undo(answered.id)
    assert only(harbour).tries == 2


def test_a_late_record_that_tells_who_answered_takes_the_row_away(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, row("missed", linked="1784545200.77"))
    assert only(harbour).tries == 1
    harbour.load(pbx, row("answered", linked="1784545200.77", turn=2))
    assert len(harbour.calls()) == 1
    assert stored(harbour) == {}


def test_withheld_callers_and_colleagues_are_no_rows(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, row("missed", caller="anonymous") + row("inside", turn=2) + row("missed", caller="203", turn=3))
    assert len(harbour.calls()) == 3
    assert stored(harbour) == {}


def test_what_people_wrote_outlives_a_later_try_which_opens_it_again(harbour: Importing) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, row("missed", ago=timedelta(hours=3)))
    say(harbour, assigned_to=7, note="asks for Friday", done_at=PRESENT, done_by=7)
    harbour.load(pbx, row("missed", ago=timedelta(hours=4), turn=2))
    assert (only(harbour).tries, only(harbour).done_by) == (2, 7)  # an earlier one, come late, opens nothing
    harbour.load(pbx, row("missed", ago=timedelta(hours=1), turn=3))
    found = only(harbour)
    assert (found.tries, found.assigned_to, found.note, found.done_at, found.done_by) == (
        3,
        7,
        "asks for Friday",
        None,
        None,
    )


def test_a_time_in_the_future_holds_nobody_on_the_list(harbour: Importing) -> None:
    """No later call would ever be later."""
    pbx = harbour.pbx()
    harbour.load(pbx, row("missed", ago=timedelta(days=-400)))
    assert len(harbour.calls()) == 1
    assert stored(harbour) == {}


def test_past_months_cost_no_statement(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def listening(kept: Callable[..., Any]) -> Callable[..., Any]:
        def listen(self: BulkTransaction, sql: str, *values: Any, **options: Any) -> Any:
            asked.append(sql)
            return kept(self, sql, *values, **options)

        return listen

    for name in ("rows", "rows_in", "execute_many", "insert"):
        monkeypatch.setattr(BulkTransaction, name, listening(getattr(BulkTransaction, name)))
    pbx, past = harbour.pbx(), timedelta(days=LOOK_BACK_DAYS, minutes=1)
    loaded = harbour.load(pbx, row("missed", ago=past) + row("answered", CALLERS[1], past, 2))
    harbour.load(pbx, row("missed", ago=past + timedelta(days=1), turn=3))
    harbour.undo(loaded.id)
    assert not [sql for sql in asked if "call_to_return" in sql]
    harbour.load(pbx, row("missed", turn=4))
    assert [sql for sql in asked if "call_to_return" in sql]


def test_the_sweep_takes_what_is_too_long_ago(harbour: Importing, clock: time_machine.Traveller) -> None:
    pbx = harbour.pbx()
    harbour.load(pbx, row("missed", ago=timedelta(days=29)) + row("missed", ago=timedelta(days=20), turn=2))
    harbour.load(pbx, row("missed", CALLERS[1], ago=timedelta(days=29), turn=3))
    say_note = harbour.all(CallToReturn)
    assert sorted(each.tries for each in say_note) == [1, 2]
    clock.move_to(PRESENT + timedelta(days=2))
    sweep_calls_to_return(harbour.database)
    assert stored(harbour) == expected(harbour)
    assert only(harbour).tries == 1
    clock.move_to(PRESENT + timedelta(days=12))
    sweep_calls_to_return(harbour.database)
    assert stored(harbour) == {}


# ----------------------------------------------------------------------------------------------------- whatever comes


@pytest.mark.parametrize("seed", range(12))
def test_rows_are_what_all_calls_say_after_any_story(harbour: Importing, seed: int) -> None:
    """Two phone systems, three callers, records of one call in two files, rows again, files undone, in any order."""
    chance = random.Random(seed)
    pbxes = [harbour.pbx(), harbour.pbx()]
    kinds = ["missed", "missed", "voicemail", "answered", "back", "tried", "inside"]
    story = []
    for turn in range(1, 41):
        ago = timedelta(minutes=chance.choice([chance.randrange(1, 300), chance.randrange(1, 46_000)]))
        linked = f"1784545200.{turn}" if chance.random() < 0.25 else ""
        story.append((chance.choice(pbxes), row(chance.choice(kinds), chance.choice(CALLERS), ago, turn, linked)))
        if linked:  # another leg of the same call
            leg = row(chance.choice(["missed", "answered"]), CALLERS[0], ago, turn + 100, linked, ring=25)
            story.append((story[-1][0], leg))
    loaded: list[int] = []
    for _step in range(14):
        if loaded and chance.random() < 0.3:
            harbour.undo(loaded.pop(chance.randrange(len(loaded))))
        else:
            pbx = chance.choice(pbxes)
            mine = [content for of_pbx, content in story if of_pbx == pbx]
            some = chance.sample(mine, chance.randrange(1, min(len(mine), 12)))
            loaded.append(harbour.load(pbx, b"".join(some)).id)
        assert stored(harbour) == expected(harbour)
    harbour.check()


def test_the_search_through_all_calls_would_notice(harbour: Importing) -> None:
    harbour.load(harbour.pbx(), row("missed"))
    assert stored(harbour) == expected(harbour) != {}
    say(harbour, tries=2)
    assert stored(harbour) != expected(harbour)
    assert from_ms(to_ms(PRESENT)) == PRESENT
