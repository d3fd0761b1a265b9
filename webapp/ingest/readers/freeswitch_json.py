"""FreeSWITCH's call records as mod_json_cdr writes and posts them, a legs alone or with b legs (log-b-leg).

Read through `READERS`. Source: mod_json_cdr.c and switch_channel.c. `variables` hold what is known of the leg, each
value percent-encoded once more where encode-values is on (which is decoded after the JSON is read); `callflow`, an
object or an array with the newest first, holds what the caller dialled and the times in microseconds.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import unquote

from webapp.calls.outcomes import Direction
from webapp.ingest.readers.freeswitch_causes import Q850, result_of
from webapp.ingest.readers.json_rows import JsonRow, json_rows
from webapp.ingest.readers.written_values import seconds_between, whole_seconds
from webapp.ingest.records import (
    BadLine,
    Head,
    Item,
    LegKind,
    NotACall,
    ParsedRecord,
    Reader,
    ReadOptions,
    SourceLine,
)

_SIGN = re.compile(r'"core-uuid"\s*:|"variables"\s*:\s*\{')
#: What percent-encoding of values leaves in none of them.
_ENCODED_AWAY = re.compile(r'[\s"<>@{}|^\[\]]')
_MAILBOX = re.compile(r"voicemail|vmain|\*9[78]|\*99\d+")
_MAILBOX_VARIABLES = ("voicemail_message_len", "voicemail_file_path", "voicemail_account")
_DIGITS = re.compile(r"[0-9]{7,17}")  # up to the year 5138
_MICROSECONDS = 1_000_000
_QUEUE = ("cc_queue", "cc_queue_name")
_BRIDGED_LATER_SECONDS = 1  #: a menu or a queue answered before a person did
_INSIDE, _OUTSIDE = "sofia/internal", ("sofia/external", "sofia/gateway")


class _Leg(NamedTuple):
    """What one object tells, whatever version wrote it. `first` and `last` are its caller profiles."""

    variables: dict[str, str]
    first: dict[str, Any]
    last: dict[str, Any]
    times: list[dict[str, Any]]

    def get(self, name: str) -> str:
        return self.variables.get(name, "")

    @property
    def originator(self) -> str:
        """The leg that rang this one, "" for an a leg."""
        profiles = _dict(self.last.get("originator")).get("originator_caller_profiles")
        named = _dict(profiles[0]).get("uuid") if isinstance(profiles, list) and profiles else ""
        bonded = self.bridge if self.get("last_bridge_role") == "originatee" else ""
        return self.get("originating_leg_uuid") or self.get("originator") or _text(named) or bonded

    @property
    def bridge(self) -> str:
        return self.get("bridge_uuid") or self.get("last_bridge_to") or self.get("bleg_uuid")


def read(lines: Iterator[SourceLine | BadLine], options: ReadOptions) -> Iterator[Item]:
    for row in json_rows(lines):
        yield BadLine(row.line_number, row.raw, row.problem) if row.problem else _item(row)


def _item(row: JsonRow) -> Item:
    leg = _leg(row.value)
    uuid = leg.get("uuid") or _text(leg.last.get("uuid"))
    if not uuid:
        return BadLine(row.line_number, row.raw, "This record has no variables.uuid, so it cannot be told from others.")
    started = _instant(leg, "start", "created_time")
    if started is None:
        return BadLine(row.line_number, row.raw, "This record has no start_epoch that is a time.")
    if _text(leg.last.get("context")) == "message" or leg.get("channel_name").startswith("message/"):
        return NotACall(row.line_number, row.raw, "A text message, not a call.")
    if leg.get("hangup_cause") == "LOSE_RACE" and not leg.originator:
        # Nothing joins it to its call: kept, it would be a missed call of its own.
        return NotACall(row.line_number, row.raw, "Another phone of the group answered this call.")
    return _record(row, leg, uuid, started)


def _record(row: JsonRow, leg: _Leg, uuid: str, started: datetime) -> ParsedRecord:
    ended = _instant(leg, "end", "hangup_time")
    answered, billsec = _answer(leg, ended)
    cause = leg.get("hangup_cause")
    dialed = _text(leg.first.get("destination_number"))
    application = leg.get("last_app")
    kind = _kind(leg, dialed, answered)
    duration = whole_seconds(leg.get("duration"))
    return ParsedRecord(
        row.line_number,
        row.raw,
        uuid,
        tuple(dict.fromkeys(name for name in (uuid, leg.originator, leg.bridge) if name)),
        uuid,
        leg.bridge if not leg.originator else "",
        started,
        answered,
        ended,
        None,
        duration if duration is not None else seconds_between(started, ended) or 0,
        billsec,
        kind,
        result_of(cause, answered is not None),
        cause,
        Q850.get(cause),
        _text(leg.first.get("caller_id_number")) or leg.get("sip_from_user"),
        _text(leg.first.get("caller_id_name")),
        dialed,
        _reached(leg, dialed, kind),
        "",
        _line_of(leg.get("channel_name") or _text(leg.last.get("chan_name"))),
        _line_of(leg.get("bridge_channel")),
        _text(leg.first.get("context")),
        application,
        next((leg.get(name).split("@")[0] for name in _QUEUE if leg.get(name)), ""),
        leg.get("accountcode"),
        _direction(leg),
    )


def _answer(leg: _Leg, ended: datetime | None) -> tuple[datetime | None, int]:
    """When a person answered, as far as this leg tells, and for how long it lasted from then.

    A leg that a menu or a queue answered before it was bridged to somebody begins to talk with the bridge.
    """
    answered, bridged = _instant(leg, "answer", "answered_time"), _instant(leg, "bridge", "bridged_time")
    told = whole_seconds(leg.get("billsec"))
    if answered is None:
        return None, told or 0
    waited = seconds_between(answered, bridged) or 0
    if bridged is not None and waited > _BRIDGED_LATER_SECONDS:
        return bridged, max(0, told - waited) if told is not None else seconds_between(bridged, ended) or 0
    return answered, told if told is not None else seconds_between(answered, ended) or 0


def _kind(leg: _Leg, dialed: str, answered: datetime | None) -> LegKind:
    """A leg that answered and was never bridged talked to a mailbox, a menu or music; a b leg is somebody's phone."""
    if leg.originator or leg.bridge or answered is None:
        return LegKind.PHONE
    in_mailbox = leg.get("last_app") == "voicemail" or any(leg.get(name) for name in _MAILBOX_VARIABLES)
    return LegKind.VOICEMAIL if in_mailbox or _MAILBOX.fullmatch(dialed) else LegKind.SYSTEM


def _reached(leg: _Leg, dialed: str, kind: LegKind) -> str:
    """The far end: of a b leg its own number, of an a leg whom it was bridged to, else the last that it asked for."""
    last = _text(leg.last.get("destination_number"))
    if leg.originator:
        return leg.get("dialed_user") or _text(leg.last.get("callee_id_number")) or last
    if kind == LegKind.PHONE and leg.bridge:
        profiles = _dict(leg.last.get("originatee")).get("originatee_caller_profiles")
        for profile in profiles if isinstance(profiles, list) else ():
            if _text(_dict(profile).get("uuid")) == leg.bridge:
                return _user_of(_text(_dict(profile).get("chan_name"))) or last
        return _user_of(leg.get("bridge_channel")) or last
    return last or dialed


def _user_of(channel: str) -> str:
    """ "sofia/internal/204@192.0.2.7:5060" -> "204"; "" where no number stands there."""
    user = channel.split("/")[-1].split("@")[0].removeprefix("sip:")
    return user if user.lstrip("+").isdigit() else ""


def _direction(leg: _Leg) -> Direction:
    """Of the call, where an a leg leaves no doubt; the set-up's outside lines decide the rest."""
    if leg.originator:
        return Direction.UNKNOWN
    is_ours = leg.get("sip_authorized") == "true" or bool(leg.get("user_name"))
    far = _line_of(leg.get("bridge_channel"))
    if is_ours and far:
        return Direction.OUTBOUND if far.startswith(_OUTSIDE) else Direction.INTERNAL
    if not is_ours and leg.get("sofia_profile_name") == "external":
        return Direction.INBOUND
    return Direction.UNKNOWN


def _line_of(channel: str) -> str:
    """ "sofia/external/07700900123@192.0.2.1" -> "sofia/external": what is left changes with every call."""
    return "/".join(channel.split("/")[:2])


def _leg(value: dict[str, Any]) -> _Leg:
    variables = {name: _text(each) for name, each in _dict(value.get("variables")).items()}
    if not any(_ENCODED_AWAY.search(text) for text in variables.values()):
        variables = {name: unquote(text) if "%" in text else text for name, text in variables.items()}
    flow = value.get("callflow")
    steps = [_dict(step) for step in (flow if isinstance(flow, list) else [flow]) if step]
    profiles = [profile for step in steps if (profile := _dict(step.get("caller_profile")))] or [{}]
    times = [_dict(step.get("times")) for step in steps] + [_dict(value.get("times"))]
    return _Leg(variables, profiles[-1], profiles[0], times)


def _instant(leg: _Leg, name: str, in_times: str) -> datetime | None:
    """To the millisecond, from the variables, else from the call flow; None for "never", which is written as 0."""
    microseconds = [leg.get(f"{name}_uepoch"), *(_text(times.get(in_times)) for times in leg.times)]
    for text in (*microseconds, f"{leg.get(f'{name}_epoch')}000000"):
        if _DIGITS.fullmatch(text) and int(text) >= _MICROSECONDS:
            return datetime.fromtimestamp(int(text) // _MICROSECONDS, UTC) + timedelta(
                milliseconds=int(text) % _MICROSECONDS // 1000
            )
    return None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40 else ""


def recognise(head: Head) -> float:
    text = "\n".join(head.lines)
    return 0.98 if text.lstrip()[:1] in ("{", "[") and _SIGN.search(text) else 0.0


READER = Reader(
    name="freeswitch_json",
    title="FreeSWITCH JSON (mod_json_cdr)",
    where=(
        "On the FreeSWITCH server: files that end in .cdr.json, often in /var/log/freeswitch/json_cdr. It can send "
        "them by itself too: see the phone system's page."
    ),
    recognise=recognise,
    read=read,
    sign="JSON with a core-uuid and variables, as FreeSWITCH's mod_json_cdr writes it.",
)
