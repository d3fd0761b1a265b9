"""Assembly as pure code: one record or many, in any order."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.calls.models import PartyRole
from webapp.calls.outcomes import Direction, LegKind, LegResult, Outcome
from webapp.ingest.assembly import assemble, assemble_many
from webapp.ingest.normalize import NormalRecord
from webapp.ingest.numbers import NumberPlan
from webapp.ingest.settings import PbxSettings

NOON = 1_784_116_800_000
PLAN = NumberPlan(PbxSettings(7, "Europe/London", "GB", extension_digits=frozenset({3}), outside_lines=frozenset()))
NUMBERS = st.sampled_from(["", "201", "202", "600", "02079460123", "07700900461", "anonymous", "*97", "s"])


def record(**fields: object) -> NormalRecord:
    values = dict.fromkeys(NormalRecord._fields, "") | {
        "record_key": 1, "id_hash": 1, "content_hash": 1, "link_keys": (), "line_number": 1, "started_at": NOON,
        "answered_at": NOON + 8000, "ended_at": NOON + 68_000, "duration": 68, "billsec": 60, "kind": LegKind.PHONE,
        "result": LegResult.ANSWERED, "direction": Direction.INBOUND, "flags": 0, "hangup_cause": None,
        "caller": "02079460123", "dialed": "02079460100", "reached": "201", "raw": b"",
    }  # fmt: skip
    return NormalRecord(**(values | fields))  # type: ignore[arg-type]


records = st.builds(
    record,
    started_at=st.integers(NOON, NOON + 60_000),
    answered_at=st.none() | st.integers(NOON + 60_000, NOON + 90_000),
    duration=st.integers(0, 300),
    billsec=st.integers(0, 300),
    kind=st.sampled_from(LegKind),
    result=st.sampled_from(LegResult),
    direction=st.sampled_from(Direction),
    flags=st.sampled_from([0, 1, 4, 8]),
    caller=NUMBERS,
    dialed=NUMBERS,
    reached=NUMBERS,
    did=st.sampled_from(["", "02079460100"]),
    leg_id=st.sampled_from(["", "a", "b"]),
    peer_leg_id=st.sampled_from(["", "b", "c"]),
)


@given(records)
@settings(max_examples=600, deadline=None)
def test_the_short_way_for_one_record_is_the_general_one(one: NormalRecord) -> None:
    assert assemble([one], PLAN) == assemble_many([one], PLAN)


@given(st.lists(records, min_size=1, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_the_order_of_records_does_not_matter(several: list[NormalRecord], shuffler: random.Random) -> None:
    several = [each._replace(record_key=place, line_number=place) for place, each in enumerate(several)]
    mixed = list(several)
    shuffler.shuffle(mixed)
    assert assemble(several, PLAN) == assemble(mixed, PLAN)
    assert assemble(several, PLAN).record_count == len(several)


@given(st.lists(records, min_size=1, max_size=6))
@settings(max_examples=300, deadline=None)
def test_nobody_talked_longer_than_the_call_or_without_being_in_it(several: list[NormalRecord]) -> None:
    call = assemble([each._replace(record_key=place, line_number=place) for place, each in enumerate(several)], PLAN)
    assert call.talks.keys() <= call.roles.keys()
    assert all(0 <= talked <= call.talk_seconds for talked in call.talks.values())
    if call.talks and call.caller is not None:
        assert call.talks[call.caller] == call.talk_seconds


def test_a_far_side_knows_who_answered_and_for_how_long() -> None:
    outer = record(peer_leg_id="Local/205@phones-1", answered_at=NOON, billsec=68, reached="205")
    inner = record(
        leg_id="Local/205@phones-1",
        started_at=NOON + 1000,
        answered_at=NOON + 11_000,
        billsec=57,
        reached="205",
        record_key=2,
    )
    call = assemble([outer, inner], PLAN)
    assert (call.outcome, call.ring_seconds, call.talk_seconds) == (Outcome.ANSWERED, 11, 57)


def test_a_menu_that_picked_up_is_no_answer() -> None:
    assert assemble([record(kind=LegKind.SYSTEM, reached="")], PLAN).outcome == Outcome.NO_ANSWER


def test_a_mailbox_after_a_phone_that_nobody_took_is_voicemail() -> None:
    phone = record(result=LegResult.NO_ANSWER, answered_at=None, billsec=0, duration=20)
    box = record(kind=LegKind.VOICEMAIL, started_at=NOON + 20_000, answered_at=NOON + 20_000, record_key=2)
    call = assemble([phone, box], PLAN)
    assert (call.outcome, call.ring_seconds, call.talk_seconds, call.answered_by) == (Outcome.VOICEMAIL, 20, 0, None)
    assert call.callee is not None and call.callee.digits == "201"


def test_a_transferred_call_counts_once_and_its_talks_add_up() -> None:
    first = record(reached="201", billsec=60)
    second = record(
        reached="204", started_at=NOON + 70_000, answered_at=NOON + 75_000, duration=35, billsec=30, record_key=2
    )
    call = assemble([first, second], PLAN)
    assert (call.talk_seconds, call.ring_seconds, call.record_count) == (90, 8, 2)
    assert call.answered_by is not None and call.answered_by.digits == "201"
    answered = {party.digits for party, roles in call.roles.items() if roles & PartyRole.ANSWERED}
    assert answered == {"201", "204"}
    assert {party.digits: talked for party, talked in call.talks.items()} == {"442079460123": 90, "201": 60, "204": 30}


def test_where_nobody_knows_who_answered_the_own_number_talked() -> None:
    unknown = record(reached="", dialed="", did="02079460100")
    for call in (assemble([unknown], PLAN), assemble_many([unknown], PLAN)):
        assert call.answered_by is not None and not call.roles[call.answered_by] & PartyRole.ANSWERED
        assert {party.digits: talked for party, talked in call.talks.items()} == {
            "442079460123": 60,
            "442079460100": 60,
        }


def test_who_comes_back_has_the_sum_of_both_talks() -> None:
    went, came = NOON + 70_000, NOON + 105_000
    call = assemble(
        [
            record(reached="201", billsec=60),
            record(reached="204", started_at=went, answered_at=went + 5000, duration=35, billsec=30, record_key=2),
            record(reached="201", started_at=came, answered_at=came, duration=15, billsec=15, record_key=3),
        ],
        PLAN,
    )
    talks = {party.digits: talked for party, talked in call.talks.items()}
    assert talks == {"442079460123": call.talk_seconds, "201": 75, "204": 30}
    assert call.talk_seconds == 105


def test_two_records_of_one_talk_count_once() -> None:
    call = assemble([record(), record(record_key=2)], PLAN)
    assert call.talk_seconds == 60
    assert set(call.talks.values()) == {60}
