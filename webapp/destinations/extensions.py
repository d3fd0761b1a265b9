"""Extensions as people write and read them: the lines of a form that narrow somebody, and "You see extensions ...".

The reading of the lines is one for the invitation form and for "See what they will see".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import select

from webapp.clock import to_ms
from webapp.destinations.models import Party, PartyKind
from webapp.formatting import format_date
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.narrowing import Narrowing, PartyDays

MOST_LINES = 100
_LINE = re.compile(r"([0-9*#]{1,20})(?:\s+from\s+(\S+))?(?:\s+until\s+(\S+))?", re.IGNORECASE)
_SHAPE = "Write the extension, and a day where it begins later: 204 from 2026-05-03."


@dataclass(frozen=True)
class ReadExtensions:
    """What lines of extensions open; `errors` has a sentence for each line that is wrong."""

    windows: tuple[PartyDays, ...]
    errors: tuple[str, ...]

    @property
    def narrowing(self) -> Narrowing:
        return Narrowing(self.windows)


def read_extensions(session: LockedSession, text: str, zone: ZoneInfo) -> ReadExtensions:
    """Lines like `204`, `204 from 2026-05-03`, `204 until 2026-06-30` (that day included), days of `zone`.

    An extension that several phone systems have opens all of them. Raises nothing on content.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ReadExtensions((), ("Write at least one extension, each on a line of its own.",))
    if len(lines) > MOST_LINES:
        return ReadExtensions((), (f"Write at most {MOST_LINES} extensions.",))
    read = [_read_line(line, zone) for line in lines]
    errors = [each for each in read if isinstance(each, str)]
    known = _find(session, {each.digits for each in read if isinstance(each, _Line)})
    windows: list[PartyDays] = []
    for each in read:
        if isinstance(each, _Line):
            windows += [PartyDays(party_id, each.from_ms, each.until_ms) for party_id in known.get(each.digits, ())]
            if each.digits not in known:
                errors.append(f"There is no call of extension {each.digits} yet. Check it, or leave it out for now.")
    return ReadExtensions(tuple(sorted(set(windows), key=lambda each: (each.party_id, each.from_ms))), tuple(errors))


@dataclass(frozen=True)
class _Line:
    digits: str
    from_ms: int
    until_ms: int | None


def _read_line(line: str, zone: ZoneInfo) -> _Line | str:
    """The line, or what is wrong with it."""
    shape = _LINE.fullmatch(line)
    if shape is None:
        return f"“{line[:40]}” is not an extension. {_SHAPE}"
    try:
        first, last = (None if text is None else date.fromisoformat(text) for text in (shape[2], shape[3]))
        from_ms = 0 if first is None else max(0, to_ms(_start_of(first, zone)))
        until_ms = None if last is None else to_ms(_start_of(date.fromordinal(last.toordinal() + 1), zone))
    except (ValueError, OverflowError):
        return f"“{line[:40]}” names no day. Write it like 2026-05-03."
    if until_ms is not None and until_ms <= from_ms:
        return f"“{line[:40]}” ends before it begins."
    return _Line(shape[1], from_ms, until_ms)


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _find(session: LockedSession, digits: set[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    rows = select(Party.digits, Party.id).where(Party.kind == PartyKind.EXTENSION, Party.digits.in_(sorted(digits)))
    for each, party_id in session.execute(rows):
        found.setdefault(each, []).append(party_id)
    return found


def tell_opened(session: LockedSession, narrowing: Narrowing, zone: ZoneInfo) -> str:
    """What somebody sees: "extensions 201 and 202", "extension 204 from 3 May 2026", "no extension yet"."""
    digits = _digits_of(session, narrowing)
    told = sorted({_tell(digits[each.party_id], each, zone) for each in narrowing.windows if each.party_id in digits})
    if not told:
        return "no extension yet"
    return f"extension{'s' if len(told) > 1 else ''} {_joined(told)}"


def _digits_of(session: LockedSession, narrowing: Narrowing) -> dict[int, str]:
    rows = session.execute(select(Party.id, Party.digits).where(Party.id.in_(sorted(narrowing.party_ids))))
    return {row.id: row.digits for row in rows}


def _tell(digits: str, window: PartyDays, zone: ZoneInfo) -> str:
    begins = "" if window.start is None else f" from {format_date(window.start.astimezone(zone).date())}"
    ends = "" if window.end is None else f" until {format_date(_last_day(window.end, zone))}"
    return f"{digits}{begins}{ends}"


def _last_day(end: datetime, zone: ZoneInfo) -> date:
    local = end.astimezone(zone)
    return date.fromordinal(local.toordinal() - 1) if local.time() == time.min else local.date()


def _joined(parts: Iterable[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def spell_extensions(session: LockedSession, narrowing: Narrowing, zone: ZoneInfo) -> str:
    """The lines that read_extensions() reads, for a form that shows what is set."""
    digits = _digits_of(session, narrowing)
    lines = []
    for each in narrowing.windows:
        begins = "" if each.start is None else f" from {each.start.astimezone(zone).date().isoformat()}"
        ends = "" if each.end is None else f" until {_last_day(each.end, zone).isoformat()}"
        if each.party_id in digits:
            lines.append(f"{digits[each.party_id]}{begins}{ends}")
    return "\n".join(dict.fromkeys(sorted(lines)))
