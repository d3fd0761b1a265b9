"""Extensions as people write them in a form, one a line, and as parties with days: both ways.

    204
    205 from 2026-05-03
    206 until 2026-05-03

"from" is the first day and "until" the last one, both of them included. Days are the organization's.

A narrowing holds parties, not digits: a line that stands for some parties already goes on to stand for those, though
other phone systems have the same extension. Only digits that are new are looked up.
"""

import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.destinations.models import Party, PartyKind
from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.organizations.offers import ALWAYS, Offer
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.narrowing import Narrowing, PartyDays

_LINE = re.compile(r"(?P<digits>[0-9*#]{1,20})(?:\s+from\s+(?P<since>\S+))?(?:\s+until\s+(?P<until>\S+))?", re.I)
_LINES_AT_MOST = 200
_OFFERED_AT_MOST = 300
_FIELD = "extensions"


class Line(NamedTuple):
    """One line. `since` is ALWAYS and `until` None where it names no day."""

    digits: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Read:
    """What was written, as spans; `narrowed` if only their calls are meant. `notes` are to be told to the reader."""

    narrowed: bool
    spans: tuple[PartyDays, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Spelt:
    """What the lines of a form were spelt from.

    `held`: somebody has it already. They keep what the reader cannot see of it; and if it is nothing at all, a field
    that is empty and stays so opens nothing to them.
    """

    spans: tuple[PartyDays, ...] = ()
    held: bool = False


def spelt_from(offer: Offer, *, held: bool) -> Spelt:
    """Of somebody who is not narrowed there is nothing to keep."""
    return Spelt(offer.spans, held and offer.narrowed)


def read_extensions(session: LockedSession, text: str, time_zone: str, spelt: Spelt | None = None) -> Read:
    """The parties that the lines name: those that they were spelt from, as long as the digits stay the same.

    Raises Refused for what is no line, no day, or no known extension.
    """
    zone, spelt = ZoneInfo(time_zone), spelt or Spelt()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES_AT_MOST:
        raise Refused(f"Name at most {_LINES_AT_MOST} extensions.", _FIELD)
    written = [_read_line(line, zone) for line in lines]
    before, unseen = _split(session, spelt.spans, zone)
    spans = [*unseen] if spelt.held else []
    spans += (span for line in written for span in before.get(line, ()))
    changed = [line for line in written if line not in before]
    known = _stood_for(before, gone=before.keys() - set(written))
    new = _find(session, {line.digits for line in changed} - known.keys())
    _refuse_unknown({line.digits for line in changed} - known.keys() - new.keys())
    known |= {digits: [party.id for party in parties] for digits, parties in new.items()}
    spans += (PartyDays.between(each, line.since, line.until) for line in changed for each in known[line.digits])
    notes = [
        f"Extension {digits} is in {len(parties)} phone systems: it stands for all of them."
        for digits, parties in sorted(new.items())
        if len(parties) > 1
    ]
    narrowed = bool(spans) or (spelt.held and not spelt.spans)
    return Read(narrowed, _widest(spans), tuple(notes))


def _split(
    session: LockedSession, spans: Iterable[PartyDays], zone: ZoneInfo
) -> tuple[dict[Line, list[PartyDays]], list[PartyDays]]:
    """The spans by the line that spells them, and those of which the reader sees no line."""
    spans = list(spans)
    digits = digits_of(session, spans)
    lines: dict[Line, list[PartyDays]] = {}
    for span in spans:
        if span.party_id in digits:
            lines.setdefault(_line_of(span, digits[span.party_id], zone), []).append(span)
    return lines, [span for span in spans if span.party_id not in digits]


def _line_of(span: PartyDays, digits: str, zone: ZoneInfo) -> Line:
    """As the line that spells it is read: in whole days."""
    until = None if span.until_at is None else _start_of(_last_day(span.until_at, zone) + timedelta(days=1), zone)
    since = ALWAYS if span.from_at == ALWAYS else _start_of(span.from_at.astimezone(zone).date(), zone)
    return Line(digits, since, until)


def _stood_for(before: dict[Line, list[PartyDays]], gone: Set[Line]) -> dict[str, list[int]]:
    """Which parties the digits of a changed line go on to stand for: those of the lines that it replaces."""
    found: dict[str, list[int]] = {}
    for lines in (gone, before.keys()):
        parties: dict[str, set[int]] = {}
        for line in lines:
            parties.setdefault(line.digits, set()).update(span.party_id for span in before[line])
        for digits, ids in parties.items():
            found.setdefault(digits, sorted(ids))
    return found


def _refuse_unknown(unknown: Set[str]) -> None:
    if unknown:
        raise Refused(
            f"No phone system here has had a call of extension {', '.join(sorted(unknown))}. Check the digits; an "
            "extension is known once it took part in a call that was imported.",
            _FIELD,
        )


def _widest(spans: Iterable[PartyDays]) -> tuple[PartyDays, ...]:
    """Of two lines that begin alike the one that ends later: a party has one span from an instant on."""
    kept: dict[tuple[int, datetime], PartyDays] = {}
    for span in spans:
        known = kept.get((span.party_id, span.from_at))
        if known is None or span.holds(known):
            kept[(span.party_id, span.from_at)] = span
    return tuple(kept.values())


def _read_line(line: str, zone: ZoneInfo) -> Line:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Refused(
            f"“{line[:60]}” cannot be read. Write one extension a line, such as 204, 204 from 2026-05-03 or 204 until "
            "2026-05-03.",
            _FIELD,
        )
    since = _start_of(_read_day(found["since"]), zone) if found["since"] else ALWAYS
    until = _start_of(_read_day(found["until"]) + timedelta(days=1), zone) if found["until"] else None
    if until is not None and until <= since:
        raise Refused(f"“{line}” ends before it begins.", _FIELD)
    return Line(found["digits"], since, until)


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _last_day(until: datetime, zone: ZoneInfo) -> date:
    return (until - timedelta(milliseconds=1)).astimezone(zone).date()


def _read_day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(f"“{text[:30]}” is no day. Write it as 2026-05-03.", _FIELD) from None
    if not 1970 < day.year < 2200:
        raise Refused(f"“{text}” is too far away.", _FIELD)
    return day


def _find(session: LockedSession, digits: set[str]) -> dict[str, list[Party]]:
    found: dict[str, list[Party]] = {}
    for party in session.scalars(
        select(Party).where(Party.kind == PartyKind.EXTENSION, Party.digits.in_(digits)).order_by(Party.id)
    ):
        found.setdefault(party.digits, []).append(party)
    return found


def list_extensions(session: LockedSession) -> list[tuple[str, str]]:
    """(digits, name or "") of the extensions that are known, each once, to be offered."""
    found: dict[str, str] = {}
    for party in session.scalars(
        select(Party).where(Party.kind == PartyKind.EXTENSION).order_by(Party.digits, Party.id).limit(_OFFERED_AT_MOST)
    ):
        found[party.digits] = found.get(party.digits) or party.name
    return sorted(found.items(), key=lambda pair: (len(pair[0]), pair[0]))


def digits_of(session: LockedSession, spans: Iterable[PartyDays]) -> dict[int, str]:
    """The digits of the parties, by id, as far as the reader may see them."""
    ids = {span.party_id for span in spans}
    if not ids:
        return {}
    return {party.id: party.digits for party in session.scalars(select(Party).where(Party.id.in_(ids)))}


def spell_extensions(spans: Iterable[PartyDays], digits: dict[int, str], time_zone: str) -> str:
    """The lines that read_extensions() takes, each once."""
    lines = _tell_spans(spans, digits, lambda instant: instant.astimezone(ZoneInfo(time_zone)).date().isoformat())
    return "\n".join(lines)


def name_extensions(spans: Iterable[PartyDays], digits: dict[int, str], time_zone: str) -> str:
    """In a sentence: "extensions 204 and 205 from 3 May 2026"."""
    spans = list(spans)
    told = _tell_spans(spans, digits, lambda instant: format_date(instant.astimezone(ZoneInfo(time_zone)).date()))
    hidden = sum(span.party_id not in digits for span in spans)
    if hidden:
        told.append(f"{hidden} more")
    if not told:
        return "no extension"
    return f"extension {told[0]}" if len(told) == 1 else f"extensions {', '.join(told[:-1])} and {told[-1]}"


def _tell_spans(spans: Iterable[PartyDays], digits: dict[int, str], spell: Callable[[datetime], str]) -> list[str]:
    """Those that the reader may see, shortest first, each once."""
    seen = [span for span in spans if span.party_id in digits]
    seen.sort(key=lambda span: (len(digits[span.party_id]), digits[span.party_id], span.from_at))
    lines: dict[str, None] = {}
    for span in seen:
        since = "" if span.from_at == ALWAYS else f" from {spell(span.from_at)}"
        until = "" if span.until_at is None else f" until {spell(span.until_at - timedelta(milliseconds=1))}"
        lines[f"{digits[span.party_id]}{since}{until}"] = None
    return list(lines)


def tell_opened(session: LockedSession, narrowing: Narrowing, time_zone: str) -> str:
    """What somebody who is narrowed sees: "extensions 201 and 202", "no extension yet"."""
    if not narrowing.windows:
        return "no extension yet"
    return name_extensions(narrowing.windows, digits_of(session, narrowing.windows), time_zone)
