"""One call and its steps in plain words. Pure: names and numbers come in finished, sentences go out.

Called by calls/detail.py. What happened is decided by ingest/assembly.py; nothing here decides it again.
"""

from dataclasses import dataclass

from webapp.calls.models import RecordFlag
from webapp.calls.outcomes import Direction, LegKind, LegResult, Outcome, is_missed
from webapp.formatting import format_list, format_seconds

_NAMED_AT_MOST = 3

#: Why a call from outside was missed, after "was missed: ".
_MISSED = {
    Outcome.NO_ANSWER: "nobody answered",
    Outcome.BUSY: "the line was busy",
    Outcome.CANCELLED: "the caller hung up before anybody answered",
    Outcome.FAILED: "it could not be connected",
}
#: The same for a call that one of our own people made, or whose direction is not known.
_NOT_REACHED = {
    Outcome.NO_ANSWER: "was not answered",
    Outcome.BUSY: "met a busy line",
    Outcome.CANCELLED: "was given up before anybody answered",
    Outcome.FAILED: "could not be connected",
    Outcome.UNKNOWN: "ended in a way that the phone system does not tell",
}

FLAG_SENTENCES = {
    RecordFlag.REPEATED_HOUR: "This time falls in the hour that the clocks repeat when summer time ends: it may be one "
    "hour later or earlier than shown.",
    RecordFlag.MISSING_HOUR: "The phone system wrote a time that the clocks skip when summer time begins. It is shown "
    "one hour later, which is what a clock that was not changed meant.",
    RecordFlag.ODD_DURATION: "The phone system wrote a length that cannot be right, negative or longer than a day. It "
    "stands below as it was written and is not counted as talk time.",
    RecordFlag.ODD_TIME: "The phone system wrote a time before 1990 or in the future. Its clock was probably not set; "
    "the call is kept at the time as written.",
}


@dataclass(frozen=True)
class CallStory:
    """What the sentence about a call needs. Every place and number is a finished text, "" where there is none."""

    direction: Direction
    outcome: Outcome
    caller: str
    dialed: str
    own_number: str
    rang: tuple[str, ...]  #: places that rang before a person answered, in order
    answered_by: str
    transferred_to: tuple[str, ...]  #: places that answered after the first one
    waited_in: str  #: the queue by name
    ring_seconds: int  #: from the start until the first person answered, or the end
    wait_seconds: int  #: of it, before any phone rang
    talk_seconds: int
    talk_follows: bool  #: it is the talk of those it was transferred to
    voicemail_seconds: int


def tell_call(story: CallStory) -> str:
    """The one sentence about a call: "Outside call from +44 ... rang Reception for 12 s, was answered ..."."""
    phrases = [*_before_answer(story), *_end(story)]
    return f"{_subject(story)} {format_list(phrases)}."


def tell_flags(flags: int) -> list[str]:
    """A sentence for each thing that is odd about a call or record."""
    return [sentence for flag, sentence in FLAG_SENTENCES.items() if flags & flag]


def tell_step(kind: int, result: int, who: str, rang_seconds: int, talk_seconds: int) -> str:
    """What one record says in words. `who` is the far end, "" if the record does not show it."""
    rang, talked = format_seconds(rang_seconds), format_seconds(talk_seconds)
    if kind == LegKind.PLUMBING:
        return f"The phone system joined its own lines{f', {talked}' if talk_seconds else ''}"
    if kind == LegKind.VOICEMAIL:
        return f"Voicemail{f' of {who}' if who else ''} took the call{f' for {talked}' if talk_seconds else ''}"
    if kind == LegKind.SYSTEM:
        heard = max(talk_seconds, rang_seconds)
        place, length = f" ({who})" if who else "", f" for {format_seconds(heard)}" if heard > 0 else ""
        return f"The caller was in a menu, queue or announcement{place}{length}"
    who = who or "A phone"
    if result == LegResult.ANSWERED:
        answered = f"{who} answered after {rang}" if rang_seconds > 0 else f"{who} answered at once"
        return f"{answered} and talked {talked}" if talk_seconds > 0 else answered
    return _unanswered_step(result, who, f" for {rang}" if rang_seconds > 0 else "")


def tell_colleague(talk_seconds: int, *, follows: bool) -> str:
    """That a colleague of a narrowed reader talked: "Then with a colleague, 3 min", if it `follows` their own part."""
    talked = format_seconds(talk_seconds)
    words = "Then with a colleague" if follows else "Taken by a colleague"
    return f"{words}, {talked}" if talked else words


def _unanswered_step(result: int, who: str, rang: str) -> str:
    words = {
        LegResult.NO_ANSWER: f"{who} rang{rang}, nobody answered",
        LegResult.BUSY: f"{who} was busy",
        LegResult.CANCELLED: f"{who} rang{rang} until the caller hung up",
        LegResult.FAILED: f"{who} could not be reached",
        LegResult.TAKEN_ELSEWHERE: f"{who} rang{rang}; the call was taken elsewhere",
    }
    return words.get(LegResult(result), f"{who}: the phone system does not tell how this ended")


def _subject(story: CallStory) -> str:
    if story.direction == Direction.INBOUND:
        return f"Outside call from {story.caller}{f' to {story.own_number}' if story.own_number else ''}"
    to = story.dialed or story.answered_by
    if story.direction == Direction.OUTBOUND:
        return f"Call from {story.caller} out{f' to {to}' if to else ''}"
    kind = "Inside call" if story.direction == Direction.INTERNAL else "Call"
    return f"{kind} from {story.caller}{f' to {to}' if to else ''}"


def _before_answer(story: CallStory) -> list[str]:
    phrases = []
    if story.wait_seconds > 0:
        phrases.append(f"waited {format_seconds(story.wait_seconds)} in {story.waited_in or 'a queue or menu'}")
    rang_seconds = story.ring_seconds - story.wait_seconds
    if rang_seconds <= 0:
        return phrases
    length = format_seconds(rang_seconds)
    # An outside line that rings is the number dialled, which stands in the subject already.
    if not story.rang or (story.direction != Direction.INBOUND and story.rang == (story.dialed,)):
        if story.rang or story.outcome == Outcome.ANSWERED:
            phrases.append(f"rang for {length}")
        return phrases
    phrases.append(f"rang {_listed(story.rang)} for {length}")
    return phrases


def _end(story: CallStory) -> list[str]:
    if story.outcome == Outcome.ANSWERED:
        return _answered(story)
    if story.outcome == Outcome.VOICEMAIL:
        length = f" of {format_seconds(story.voicemail_seconds)}" if story.voicemail_seconds > 0 else ""
        return [f"left a voicemail{length}"]
    if is_missed(story.direction, story.outcome):
        return [f"was missed: {_MISSED[story.outcome]}"]
    return [_NOT_REACHED[story.outcome]]


def _answered(story: CallStory) -> list[str]:
    place = story.answered_by
    known = not place or story.rang == (place,) or (story.direction != Direction.INBOUND and place == story.dialed)
    at = "at" if place.startswith("extension ") else "by"
    phrases = ["was answered" if known else f"was answered {at} {place}"]
    talked = [f"talked {format_seconds(story.talk_seconds)}"] if story.talk_seconds > 0 else []
    passed = [f"was transferred to {_listed(story.transferred_to)}"] if story.transferred_to else []
    return phrases + (passed + talked if story.talk_follows else talked + passed)


def _listed(places: tuple[str, ...]) -> str:
    if len(places) > _NAMED_AT_MOST:
        shown = places[: _NAMED_AT_MOST - 1]
        return f"{', '.join(shown)} and {len(places) - len(shown)} more"
    return format_list(list(places))
