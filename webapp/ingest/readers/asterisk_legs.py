"""What Asterisk's channel names, applications and dispositions say about one row.

Called by the readers of Asterisk's and FreePBX's files, and by whatever reads its `cdr` table. Sources: FORMATS
sections 1 and 4, Asterisk's cdr_csv.c, captured rows.
"""

import re
from typing import NamedTuple

from webapp.ingest.records import LegKind, LegResult, maker

RESULTS = {
    "ANSWERED": LegResult.ANSWERED,
    "NO ANSWER": LegResult.NO_ANSWER,
    "NOANSWER": LegResult.NO_ANSWER,
    "BUSY": LegResult.BUSY,
    "FAILED": LegResult.FAILED,
    "CONGESTION": LegResult.FAILED,
    "CANCEL": LegResult.CANCELLED,
}

#: Two rows of one call without linkedid may be born this far apart: the buckets below hold for half of 8 and less.
_BUCKET_SECONDS = 8

_VOICEMAIL_APPS = frozenset({"voicemail", "voicemailmain", "minivmrecord", "vmauthenticate"})
#: Applications that talk to the caller themselves even on the far side of a Local channel.
_MENU_APPS = frozenset({"queue", "background", "waitexten", "read", "directory"})
_FREEPBX_MAILBOX = re.compile(r"vm[usbi](\d+)")
_MAILBOX = re.compile(r"(?:su|us|sb|bs|[usb])?(.*)")
_FREEPBX_LOCAL = re.compile(r"(?:FM[A-Z]{2}|RG-[^-]+)-(.+?)#?")
_DIALABLE = re.compile(r"[+0-9*#][0-9*#.()\- ]*")
_ISDN_SPAN = re.compile(r"((?:DAHDI|Zap)/i\d+)/.*")
_CLID = re.compile(r'\s*(?:"(?P<quoted>.*)"|(?P<bare>[^<]*?))\s*(?:<(?P<number>[^<>]*)>)?\s*', re.DOTALL)
#: Names repeat for every call of a phone; a firm has hundreds, a hostile file millions. What outside callers are
#: called, and the numbers dialled, seldom come again soon: ten times as many are met hardly more often.
_CACHED_VALUES = 1000
#: By name: to ask the enum for its members costs more than the rest of `_kind`.
_VOICEMAIL, _PHONE, _SYSTEM, _PLUMBING = LegKind.VOICEMAIL, LegKind.PHONE, LegKind.SYSTEM, LegKind.PLUMBING


class Leg(NamedTuple):
    """The part of a record that hangs on its two channels."""

    leg_id: str
    peer_leg_id: str
    line: str
    peer_line: str
    kind: LegKind
    reached: str


_leg = maker(Leg)


class CallerIds:
    """Splits `"Name" <number>`; keeps what it has split."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str]] = {}

    def name_and_number(self, clid: str) -> tuple[str, str]:
        known = self._known.get(clid)
        if known is None:
            if len(self._known) >= _CACHED_VALUES:
                self._known.clear()
            known = self._known[clid] = _name_and_number(clid)
        return known


def _name_and_number(clid: str) -> tuple[str, str]:
    match = _CLID.fullmatch(clid)
    if match is None:
        return clid.strip(), ""
    name = match["quoted"] if match["quoted"] is not None else match["bare"]
    number = match["number"] or ""
    if match["number"] is None and match["quoted"] is None and _DIALABLE.fullmatch(name):
        return "", name  # a clid may be a number alone
    return name.replace('\\"', '"').replace("\\\\", "\\").strip(), number.strip()


class Legs:
    """Works out the Leg of each row; keeps the far ends and the numbers in Dial's arguments that it has found."""

    def __init__(self) -> None:
        self._ends: dict[str, str] = {}
        self._dialed: dict[tuple[str, str], str] = {}

    def of(self, dst: str, channel: str, dstchannel: str, app: str, data: str, duration: int) -> Leg:
        if dstchannel == "NOT_AVAILABLE":
            dstchannel = ""
        if channel == "NOT_AVAILABLE":
            channel = ""
        leg_id, line = channel, line_of(channel)
        far_side = channel.endswith(";2") and channel.startswith("Local/")
        if far_side:
            leg_id = channel[:-2]
        peer_leg_id, peer_line = dstchannel, line_of(dstchannel)
        if dstchannel.endswith(";1") and dstchannel.startswith("Local/"):
            peer_leg_id = dstchannel[:-2]
        kind = _kind(dst, peer_line, app, duration, far_side)
        if kind is _VOICEMAIL:
            reached = _mailbox(dst, app, data)
        elif far_side and not peer_line:
            reached = _extension_in_local(line)
        else:
            reached = self._far_end(dst, peer_line, app, data)
        return _leg((leg_id, peer_leg_id, line, peer_line, kind, reached))

    def _far_end(self, dst: str, peer_line: str, app: str, data: str) -> str:
        end = self._ends.get(peer_line)
        if end is None:
            if len(self._ends) >= _CACHED_VALUES:
                self._ends.clear()
            end = self._ends[peer_line] = _extension_on(peer_line)
        if end or app != "Dial" or peer_line.startswith("Local/"):
            return end or dst
        known = self._dialed.get((data, peer_line))
        if known is None:
            if len(self._dialed) >= _CACHED_VALUES:
                self._dialed.clear()
            known = self._dialed[data, peer_line] = _number_in_dial(data, peer_line)
        return known or dst


def _extension_on(peer_line: str) -> str:
    """ "PJSIP/201" -> "201", "Local/204@phones" -> "204"; "" of a line that leads to more than one number."""
    if peer_line.startswith("Local/"):
        return _extension_in_local(peer_line)
    device = peer_line.rpartition("/")[2]
    is_phone = device.isdecimal() and peer_line.count("/") == 1 and not peer_line.startswith(("DAHDI/", "Zap/"))
    return device if is_phone else ""


def line_of(channel: str) -> str:
    """What the channel hangs on: its name without the per-call suffix. "PJSIP/201-0000002a" -> "PJSIP/201"."""
    name = channel.rpartition("-")[0] or channel
    if "/i" in name and (span := _ISDN_SPAN.fullmatch(name)):
        return span[1]  # DAHDI/i1/07700900123-5: the number changes with every call
    return name


def _kind(dst: str, peer_line: str, app: str, duration: int, far_side: bool) -> LegKind:
    word = app.lower()
    if word in _VOICEMAIL_APPS or (dst.startswith("vm") and _FREEPBX_MAILBOX.fullmatch(dst)):
        return _VOICEMAIL
    if peer_line or word == "dial":  # Dial without a far channel: nobody was reached, or the log does not say
        return _PHONE
    if word in ("appdial", "appdial2", "appqueue") and not dst and duration == 0:
        return _PLUMBING
    if far_side and word not in _MENU_APPS:
        return _PHONE  # it stands for the phone that the other half of the Local channel rang
    return _SYSTEM


def _mailbox(dst: str, app: str, data: str) -> str:
    """ "201@default,us" -> "201"; FreePBX "vmu201" as dialled number -> "201"; else what was dialled."""
    if (box := _FREEPBX_MAILBOX.fullmatch(dst)) is not None:
        return box[1]
    if app.lower() not in _VOICEMAIL_APPS:
        return dst
    first = re.split(r"[,|&@]", data, maxsplit=1)[0]
    flagged = _MAILBOX.fullmatch(first)  # Asterisk 1.2 wrote its options before the box: "u201"
    box_name = flagged[1] if flagged is not None and flagged[1].isdecimal() else first
    return box_name or dst


def _extension_in_local(line: str) -> str:
    """ "Local/204@phones" -> "204"; FreePBX's follow-me "Local/FMGL-205#@..." and ring group "RG-600-205" -> "205"."""
    name = line[len("Local/") :].partition("@")[0]
    wrapped = _FREEPBX_LOCAL.fullmatch(name)
    return wrapped[1] if wrapped is not None else name


def _first_argument(data: str) -> str:
    """Of an application: "support" of "support,t,,,60". Asterisk before 1.6 wrote bars."""
    return data.partition(",")[0].partition("|")[0]


def _number_in_dial(data: str, peer_line: str) -> str:
    """The number that Dial sent to the far line; "" where its argument names a device only.

    "IAX2/office:x@127.0.0.1/07700900123,10", "SIP/7001@sip0,,gT", "PJSIP/trunk/sip:02079460999@host". With several
    targets ("&") the one whose text holds the far line's name is meant, else none.
    """
    targets = _first_argument(data).split("&")
    if len(targets) > 1:
        peer = peer_line.partition("/")[2]
        targets = [target for target in targets if peer and peer in target.partition("/")[2]]
    if len(targets) != 1:
        return ""
    pieces = targets[0].split("/")[1:]
    if len(pieces) > 1:
        number = pieces[-1]
    elif pieces and ("@" in pieces[0] or not peer_line):
        number = pieces[0]
    else:
        return ""
    number = number.removeprefix("sip:").partition("@")[0].strip()
    return number if _DIALABLE.fullmatch(number) else ""


def link_ids(uniqueid: str, linkedid: str, born: int | None) -> tuple[str, ...]:
    """The ids by which a row names its call: its linkedid, else two that its parallel rows share.

    Without linkedid, rows of one call have uniqueids with the same serial (after the dot) and epochs up to 2 s
    apart. Each epoch lies in two buckets of 8 s that overlap by half, so two such rows share one at least. A serial
    that comes back later (Asterisk restarted) lies in other buckets. `born` is epoch_of(uniqueid).
    """
    if linkedid:
        return (linkedid,)
    if born is None:
        return (uniqueid,) if uniqueid else ()
    before, _, serial = uniqueid.rpartition(".")
    system = before.rpartition("-")[0]
    serial = f"{system}-{serial}" if system else serial
    return (f"{serial}@{born // _BUCKET_SECONDS}", f"{serial}~{(born + _BUCKET_SECONDS // 2) // _BUCKET_SECONDS}")


def epoch_of(uniqueid: str) -> int | None:
    """UTC seconds of the channel's birth: 1795350625 of "1795350625.3" or "pbx1-1795350625.3"."""
    before, _, serial = uniqueid.rpartition(".")
    epoch = before.rpartition("-")[2]
    if 9 <= len(epoch) <= 10 and epoch.isascii() and epoch.isdecimal() and serial.isdecimal():
        return int(epoch)
    return None


def queue_name(app: str, data: str) -> str:
    return _first_argument(data) if app in ("Queue", "queue") else ""
