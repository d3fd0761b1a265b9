"""Extensions as people write them in a form, one a line, and as parties with days: both ways.

    204
    205 from 2026-05-03
    206 until 2026-05-03

"from" is the first day and "until" the last one, both of them included. Days are the organization's.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.destinations.models import Party, PartyKind
from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.organizations.offers import ALWAYS
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.narrowing import Narrowing, PartyDays

_LINE = re.compile(r"(?P<digits>[0-9*#]{1,20})(?:\s+from\s+(?P<since>\S+))?(?:\s+until\s+(?P<until>\S+))?", re.I)
_LINES_AT_MOST = 200
_OFFERED_AT_MOST = 300
_FIELD = "extensions"


@dataclass(frozen=True)
class Read:
    """What was written, as spans; `notes` are what the reader should be told about it."""

    spans: tuple[PartyDays, ...]
    notes: tuple[str, ...]


def read_extensions(session: LockedSession, text: str, time_zone: str) -> Read:
    """The parties that the lines name. Raises Refused for what is no line, no day, or no known extension."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _LINES_AT_MOST:
        raise Refused(f"Name at most {_LINES_AT_MOST} extensions.", _FIELD)
    written = [_read_line(line, ZoneInfo(time_zone)) for line in lines]
    known = _find(session, {digits for digits, _since, _until in written})
    unknown = sorted({digits for digits, _since, _until in written if digits not in known})
    if unknown:
        raise Refused(
            f"No phone system here has had a call of extension {', '.join(unknown)}. Check the digits; an extension is "
            "known once it took part in a call that was imported.",
            _FIELD,
        )
    spans = _widest(
        PartyDays.between(party.id, since, until) for digits, since, until in written for party in known[digits]
    )
    notes = [
        f"Extension {digits} is in {len(parties)} phone systems: it stands for all of them."
        for digits, parties in sorted(known.items())
        if len(parties) > 1
    ]
    return Read(spans, tuple(notes))


def _widest(spans: Iterable[PartyDays]) -> tuple[PartyDays, ...]:
    """Of two lines that begin alike the one that ends later: a party has one span from an instant on."""
    kept: dict[tuple[int, datetime], PartyDays] = {}
    for span in spans:
        known = kept.get((span.party_id, span.from_at))
        if known is None or span.holds(known):
            kept[(span.party_id, span.from_at)] = span
    return tuple(kept.values())


def _read_line(line: str, zone: ZoneInfo) -> tuple[str, datetime, datetime | None]:
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
    return found["digits"], since, until


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


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
