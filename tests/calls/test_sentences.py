"""The one sentence about a call and those about its steps, as a table of cases."""

import pytest

from webapp.calls.models import RecordFlag
from webapp.calls.outcomes import Direction, LegKind, LegResult, Outcome
from webapp.calls.sentences import CallStory, tell_call, tell_flags, tell_step


def story(**changes: object) -> CallStory:
    """An outside call that nobody has answered yet."""
    plain = {
        "direction": Direction.INBOUND,
        "outcome": Outcome.NO_ANSWER,
        "caller": "+44 20 7946 0123",
        "dialed": "",
        "own_number": "",
        "rang": (),
        "answered_by": "",
        "transferred_to": (),
        "waited_in": "",
        "ring_seconds": 0,
        "wait_seconds": 0,
        "talk_seconds": 0,
        "talk_follows": False,
        "voicemail_seconds": 0,
    }
    return CallStory(**{**plain, **changes})  # type: ignore[arg-type]


MENU = "The caller was in a menu, queue or announcement (Grace (201)) for 23 s"
IN, OUT, INSIDE, SOMEHOW = Direction.INBOUND, Direction.OUTBOUND, Direction.INTERNAL, Direction.UNKNOWN

CASES = [
    (
        story(
            outcome=Outcome.ANSWERED,
            rang=("Reception",),
            answered_by="extension 201",
            transferred_to=("Sales",),
            ring_seconds=12,
            talk_seconds=180,
        ),
        "Outside call from +44 20 7946 0123 rang Reception for 12 s, was answered at extension 201, talked 3 min "
        "and was transferred to Sales.",
    ),
    (
        story(
            outcome=Outcome.ANSWERED,
            answered_by="a colleague",
            transferred_to=("extension 201",),
            talk_seconds=180,
            talk_follows=True,
        ),
        "Outside call from +44 20 7946 0123 was answered by a colleague, was transferred to extension 201 and talked "
        "3 min.",
    ),
    (
        story(
            outcome=Outcome.ANSWERED, rang=("Grace (201)",), answered_by="Grace (201)", ring_seconds=8, talk_seconds=72
        ),
        "Outside call from +44 20 7946 0123 rang Grace (201) for 8 s, was answered and talked 1 min 12 s.",
    ),
    (
        story(outcome=Outcome.ANSWERED, answered_by="Grace (201)", own_number="020 7946 0100", talk_seconds=3900),
        "Outside call from +44 20 7946 0123 to 020 7946 0100 was answered by Grace (201) and talked 1 h 5 min.",
    ),
    (
        story(rang=("Priya (202)", "Tom (203)", "Hannah (205)"), ring_seconds=24),
        "Outside call from +44 20 7946 0123 rang Priya (202), Tom (203) and Hannah (205) for 24 s and was missed: "
        "nobody answered.",
    ),
    (
        story(rang=("a", "b", "c", "d", "e"), ring_seconds=24),
        "Outside call from +44 20 7946 0123 rang a, b and 3 more for 24 s and was missed: nobody answered.",
    ),
    (
        story(wait_seconds=40, ring_seconds=40, outcome=Outcome.CANCELLED, waited_in="the queue support"),
        "Outside call from +44 20 7946 0123 waited 40 s in the queue support and was missed: the caller hung up before "
        "anybody answered.",
    ),
    (
        story(
            wait_seconds=40, ring_seconds=52, rang=("Ahmed (212)",), answered_by="Ahmed (212)", outcome=Outcome.ANSWERED
        ),
        "Outside call from +44 20 7946 0123 waited 40 s in a queue or menu, rang Ahmed (212) for 12 s and was "
        "answered.",
    ),
    (story(outcome=Outcome.BUSY), "Outside call from +44 20 7946 0123 was missed: the line was busy."),
    (story(outcome=Outcome.FAILED), "Outside call from +44 20 7946 0123 was missed: it could not be connected."),
    (
        story(outcome=Outcome.UNKNOWN),
        "Outside call from +44 20 7946 0123 ended in a way that the phone system does not tell.",
    ),
    (
        story(outcome=Outcome.VOICEMAIL, rang=("Tom (203)",), ring_seconds=20, voicemail_seconds=31),
        "Outside call from +44 20 7946 0123 rang Tom (203) for 20 s and left a voicemail of 31 s.",
    ),
    (story(outcome=Outcome.VOICEMAIL), "Outside call from +44 20 7946 0123 left a voicemail."),
    (
        story(caller="a withheld number", rang=("Tom (203)",), ring_seconds=5),
        "Outside call from a withheld number rang Tom (203) for 5 s and was missed: nobody answered.",
    ),
    (
        story(
            direction=OUT,
            outcome=Outcome.ANSWERED,
            caller="Workshop (204)",
            dialed="0113 496 0871",
            answered_by="0113 496 0871",
            rang=("0113 496 0871",),
            ring_seconds=11,
            talk_seconds=760,
        ),
        "Call from Workshop (204) out to 0113 496 0871 rang for 11 s, was answered and talked 12 min 40 s.",
    ),
    (
        story(direction=OUT, outcome=Outcome.BUSY, caller="Workshop (204)", dialed="0113 496 0871"),
        "Call from Workshop (204) out to 0113 496 0871 met a busy line.",
    ),
    (
        story(
            direction=INSIDE,
            outcome=Outcome.NO_ANSWER,
            caller="extension 204",
            dialed="extension 201",
            ring_seconds=9,
            rang=("extension 201",),
        ),
        "Inside call from extension 204 to extension 201 rang for 9 s and was not answered.",
    ),
    (
        story(direction=SOMEHOW, outcome=Outcome.CANCELLED, caller="204", dialed="0113 496 0871"),
        "Call from 204 to 0113 496 0871 was given up before anybody answered.",
    ),
]


@pytest.mark.parametrize(("told", "sentence"), CASES)
def test_the_sentence_about_a_call(told: CallStory, sentence: str) -> None:
    assert tell_call(told) == sentence


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_direction_and_outcome_has_a_sentence(direction: Direction, outcome: Outcome) -> None:
    sentence = tell_call(story(direction=direction, outcome=outcome))
    assert sentence.endswith(".")
    assert "  " not in sentence
    missed = direction == IN and outcome in (Outcome.NO_ANSWER, Outcome.BUSY, Outcome.CANCELLED, Outcome.FAILED)
    assert ("missed" in sentence) == missed


@pytest.mark.parametrize(
    ("kind", "result", "rang", "talked", "sentence"),
    [
        (LegKind.PHONE, LegResult.ANSWERED, 8, 192, "Grace (201) answered after 8 s and talked 3 min 12 s"),
        (LegKind.PHONE, LegResult.ANSWERED, 0, 5, "Grace (201) answered at once and talked 5 s"),
        (LegKind.PHONE, LegResult.NO_ANSWER, 24, 0, "Grace (201) rang for 24 s, nobody answered"),
        (LegKind.PHONE, LegResult.BUSY, 0, 0, "Grace (201) was busy"),
        (LegKind.PHONE, LegResult.CANCELLED, 5, 0, "Grace (201) rang for 5 s until the caller hung up"),
        (LegKind.PHONE, LegResult.FAILED, 0, 0, "Grace (201) could not be reached"),
        (LegKind.PHONE, LegResult.TAKEN_ELSEWHERE, 8, 0, "Grace (201) rang for 8 s; the call was taken elsewhere"),
        (LegKind.PHONE, LegResult.UNKNOWN, 8, 0, "Grace (201): the phone system does not tell how this ended"),
        (LegKind.VOICEMAIL, LegResult.ANSWERED, 0, 31, "Voicemail of Grace (201) took the call for 31 s"),
        (LegKind.SYSTEM, LegResult.ANSWERED, 0, 23, MENU),
        (LegKind.PLUMBING, LegResult.ANSWERED, 0, 23, "The phone system joined its own lines, 23 s"),
    ],
)
def test_the_sentence_about_a_step(kind: LegKind, result: LegResult, rang: int, talked: int, sentence: str) -> None:
    assert tell_step(kind, result, "Grace (201)", rang, talked) == sentence


def test_every_flag_is_explained() -> None:
    assert tell_flags(0) == []
    for flag in RecordFlag:
        (sentence,) = tell_flags(flag)
        assert sentence.endswith(".")
    assert len(tell_flags(sum(RecordFlag))) == len(RecordFlag)
    assert "hour that the clocks repeat" in tell_flags(RecordFlag.REPEATED_HOUR)[0]
