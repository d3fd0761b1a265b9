"""Whose calls somebody sees, as people write it in a form, one a line, and as spans: both ways.

    Ann Archer
    Sales until 2026-05-03
    204 from 2026-05-03

"from" is the first day and "until" the last one, both included, in the zone of the organization.
What a line may name stands in subjects.py.
A line that stands for parties or destinations already goes on to stand for those, though other phone systems have the
same extension, or somebody else the same name. Only what is new is looked up.
"""

import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.errors import Refused
from webapp.formatting import format_date
from webapp.invitations.subjects import (
    FIELD,
    Thing,
    find_subjects,
    is_extension,
    is_name,
    key_of,
    names_of,
    thing_of,
)
from webapp.organizations.offers import ALWAYS, Offer
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.members import in_order, open_spans
from webapp.tenancy.narrowing import MOST_WINDOWS, Span, holds, id_of
from webapp.tenancy.reader import Reader

_LINE = re.compile(r"(?P<subject>.+?)(?: from (?P<since>\S+))?(?: until (?P<until>\S+))?", re.IGNORECASE)
_LINES_AT_MOST = 200
_NONE_YET = "no extension yet"


class Line(NamedTuple):
    """One line, its subject by key_of(). `since` is ALWAYS and `until` None where it names no day."""

    subject: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Read:
    """What was written, as spans; `narrowed` if only their calls are meant. `notes` are to be told to the reader."""

    narrowed: bool
    spans: tuple[Span, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Spelt:
    """What the lines of a form were spelt from.

    `held`: somebody has it already. They keep what the reader cannot see of it; and if it is nothing at all, a field
    that is empty and stays so opens nothing to them. `masked`: numbers were spelt with dots.
    """

    spans: tuple[Span, ...] = ()
    held: bool = False
    masked: bool = True


def spelt_from(offer: Offer, *, held: bool, masked: bool) -> Spelt:
    """Of somebody who is not narrowed there is nothing to keep."""
    return Spelt(offer.spans, held and offer.narrowed, masked)


def read_extensions(session: LockedSession, text: str, time_zone: str, spelt: Spelt | None = None) -> Read:
    """What the lines name: that which they were spelt from, as long as the names stay the same.

    Raises Refused for what is no line, no day, or nothing that is known here.
    """
    zone, spelt = ZoneInfo(time_zone), spelt or Spelt()
    before, unseen = _split(session, spelt, zone)
    written = _read_lines(session, text, zone, before.keys())
    spans = [*unseen] if spelt.held else []
    spans += (span for line in written for span in before.get(line, ()))
    changed = [line for line in written if line not in before]
    known = _stood_for(before, gone=before.keys() - written.keys())
    new = find_subjects(session, {line.subject: written[line] for line in changed if line.subject not in known})
    known |= new
    spans += (of.between(id_, line.since, line.until) for line in changed for of, id_ in known[line.subject])
    _refuse_too_many(session, spans)
    notes = [
        f"Extension {subject} is in {len(things)} phone systems: it stands for all of them."
        for subject, things in sorted(new.items())
        if len(things) > 1
    ]
    narrowed = bool(spans) or (spelt.held and not spelt.spans)
    return Read(narrowed, _widest(spans), tuple(notes))


def _split(session: LockedSession, spelt: Spelt, zone: ZoneInfo) -> tuple[dict[Line, list[Span]], list[Span]]:
    """The spans by the line that spells them, and those of which the reader sees no line."""
    spans, names = spelt.spans, names_of(session, spelt.spans, masked=spelt.masked)
    lines: dict[Line, list[Span]] = {}
    for span in spans:
        if id_of(span) in names:
            lines.setdefault(_line_of(span, names[id_of(span)], zone), []).append(span)
    return lines, [span for span in spans if id_of(span) not in names]


def _line_of(span: Span, name: str, zone: ZoneInfo) -> Line:
    """As the line that spells it is read: in whole days."""
    until = None if span.until_at is None else _start_of(_last_day(span.until_at, zone) + timedelta(days=1), zone)
    since = ALWAYS if span.from_at == ALWAYS else _start_of(span.from_at.astimezone(zone).date(), zone)
    return Line(key_of(name), since, until)


def _stood_for(before: dict[Line, list[Span]], gone: Set[Line]) -> dict[str, list[Thing]]:
    """What the name of a changed line goes on to stand for: what it does in the lines that it replaces."""
    found: dict[str, list[Thing]] = {}
    for lines in (gone, before.keys()):
        things: dict[str, dict[Thing, None]] = {}
        for line in lines:
            things.setdefault(line.subject, {}).update((thing_of(span), None) for span in before[line])
        for subject, ids in things.items():
            found.setdefault(subject, list(ids))
    return found


def _widest(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Of two lines that begin alike the one that ends later: of one thing there is one span from an instant on."""
    kept: dict[tuple[Thing, int], Span] = {}
    for span in spans:
        key = thing_of(span), span.from_ms
        known = kept.get(key)
        if known is None or holds(span, known):
            kept[key] = span
    return in_order(kept.values())


def _refuse_too_many(session: LockedSession, spans: Iterable[Span]) -> None:
    """Who is narrowed gives no more than they have."""
    if session.narrowing is not None:
        return
    opened = open_spans(session, spans)
    if opened.is_cut:
        raise Refused(
            f"These have more than {MOST_WINDOWS} numbers and extensions between them, more than somebody can be "
            "narrowed to. Name fewer of them, or leave the field empty for all calls.",
            FIELD,
        )


def _read_lines(session: LockedSession, text: str, zone: ZoneInfo, before: Set[Line]) -> dict[Line, str]:
    """The lines, each with its subject as it is written."""
    lines = [line for each in text.splitlines() if (line := " ".join(each.split()))]
    if len(lines) > _LINES_AT_MOST:
        raise Refused(f"Write at most {_LINES_AT_MOST} lines.", FIELD)
    held = {line.subject for line in before}
    found: dict[Line, str] = {}
    for line in lines:
        try:
            read, subject = _read_line(line, zone)
        except Refused:
            if key_of(line) not in held and not is_name(session, line):
                raise
            read, subject = Line(key_of(line), ALWAYS, None), line  # "from" is a word of the name
        found[read] = subject
    return found


def _read_line(line: str, zone: ZoneInfo) -> tuple[Line, str]:
    found = _LINE.fullmatch(line)
    assert found is not None
    since = _start_of(_read_day(found["since"]), zone) if found["since"] else ALWAYS
    until = _start_of(_read_day(found["until"]) + timedelta(days=1), zone) if found["until"] else None
    if until is not None and until <= since:
        raise Refused(f"“{line[:60]}” ends before it begins.", FIELD)
    return Line(key_of(found["subject"]), since, until), found["subject"]


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _last_day(until: datetime, zone: ZoneInfo) -> date:
    return (until - timedelta(milliseconds=1)).astimezone(zone).date()


def _read_day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(f"“{text[:30]}” is no day. Write it as 2026-05-03.", FIELD) from None
    if not 1970 < day.year < 2200:
        raise Refused(f"“{text}” is too far away.", FIELD)
    return day


def spell_extensions(spans: Iterable[Span], names: dict[int, str], time_zone: str) -> str:
    """The lines that read_extensions() takes, each once. `names` as names_of() gives them."""
    called, extensions = _tell_spans(
        spans, names, lambda instant: instant.astimezone(ZoneInfo(time_zone)).date().isoformat()
    )
    return "\n".join((*called, *extensions))


def name_extensions(spans: Iterable[Span], names: dict[int, str], time_zone: str) -> str:
    """In a sentence: "Ann Archer and Sales; extensions 204 and 205 from 3 May 2026"."""
    spans = list(spans)
    called, extensions = _tell_spans(
        spans, names, lambda instant: format_date(instant.astimezone(ZoneInfo(time_zone)).date())
    )
    hidden = sum(id_of(span) not in names for span in spans)
    (extensions or called).extend([f"{hidden} more"] if hidden else [])
    parts = [_list_words(called)] if called else []
    if extensions:
        parts.append(f"extension{'s' if len(extensions) > 1 else ''} {_list_words(extensions)}")
    return "; ".join(parts) or "no extension"


def _list_words(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _tell_spans(
    spans: Iterable[Span], names: dict[int, str], spell: Callable[[datetime], str]
) -> tuple[list[str], list[str]]:
    """Those that the reader may see, each once: what has a name, by name; and extensions, the shortest first."""
    seen = [(names[id_of(span)], span) for span in spans if id_of(span) in names]
    called: dict[str, None] = {}
    extensions: dict[str, None] = {}
    for name, span in sorted(seen, key=lambda pair: (len(pair[0]), pair[0], pair[1].from_at)):
        since = "" if span.from_at == ALWAYS else f" from {spell(span.from_at)}"
        until = "" if span.until_at is None else f" until {spell(span.until_at - timedelta(milliseconds=1))}"
        (extensions if is_extension(name) else called)[f"{name}{since}{until}"] = None
    return sorted(called, key=str.casefold), list(extensions)


def tell_opened(session: LockedSession, reader: Reader, time_zone: str) -> str:
    """What a reader who is narrowed sees: "Ann Archer; extensions 201 and 202", "no extension yet"."""
    assert reader.narrowing is not None
    spans = reader.narrowing.spans
    return name_extensions(spans, names_of(session, spans, masked=reader.is_masked), time_zone) if spans else _NONE_YET
