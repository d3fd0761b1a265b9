"""What the pages show of a file before and after it is read: preview rows, columns with samples, guessed answers.

Called by the import and set-up views. Opens the stored file and looks at its beginning; nothing is stored.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from webapp.calls.models import ImportFile, Pbx
from webapp.calls.outcomes import Direction
from webapp.calls.words import DIRECTION_LABELS, NO_CALLER, ShownOutcome, show_outcome
from webapp.database.engine import Database
from webapp.destinations.masking import mask_name, mask_text
from webapp.formatting import format_number, format_span, format_time
from webapp.ingest.guesses import Answers as GuessedAnswers
from webapp.ingest.guesses import LineGuess, guess_answers
from webapp.ingest.import_plan import read_column_map
from webapp.ingest.preview import Preview, PreviewCall, ZoneProof, preview_file
from webapp.ingest.readers import READERS
from webapp.ingest.readers.column_guess import guess_columns, separator_of
from webapp.ingest.readers.csv_rows import split_line
from webapp.ingest.records import ColumnMap, Head, ParsedRecord, ReadOptions, SourceLine
from webapp.ingest.settings import PbxSettings
from webapp.ingest.source import open_text
from webapp.ingest.source_lines import decode
from webapp.jobs.stored_files import open_stored_file
from webapp.sources.blueprint import bp
from webapp.sources.forms import HIDDEN_LINE, LineChoice
from webapp.tenancy.reader import Reader

_SAMPLES = 4
_LONGEST_SAMPLE = 60


@dataclass(frozen=True)
class ShownCall:
    """A call of a preview in the words of the pages. `caller_e164`, `reached_e164`: "" where there is none."""

    started_at: datetime
    direction: Direction
    direction_label: str
    caller: str
    caller_number: str
    caller_e164: str
    reached: str
    reached_e164: str
    outcome: ShownOutcome
    ring_seconds: int
    talk_seconds: int


@dataclass(frozen=True)
class ShownChange:
    """A call before and after. `changed` names the fields that differ; `words` tells them, "" if none does."""

    before: ShownCall
    after: ShownCall
    changed: frozenset[str]
    words: str


@dataclass(frozen=True)
class Column:
    """A column of a generic CSV: its name in the header, or its number, and values seen in it."""

    name: str
    samples: tuple[str, ...]


def preview_import(database: Database, number_key: bytes, file: ImportFile, pbx: Pbx) -> Preview:
    """The beginning of an uploaded file, read as its import is set to. Raises UnreadableFile, FileNotFoundError."""
    assert file.stored_file_id is not None
    settings = PbxSettings.of(pbx, file.time_zone)
    with open_stored_file(database, file.organization_id, file.stored_file_id) as stream:
        return preview_file(stream, settings, number_key, file.format, read_column_map(file.column_map))


def describe_zone_problem(proof: ZoneProof | None, time_zone: str) -> str:
    """Why the chosen zone cannot be right, where ids in the file prove it; else ""."""
    if proof is None or proof.fits:
        return ""
    hours, minutes = divmod(abs(proof.offset_seconds) // 60, 60)
    parts = [f"{hours} hour{'s' * (hours != 1)}"] * bool(hours) + [f"{minutes} minutes"] * bool(minutes)
    side = "ahead of" if proof.offset_seconds > 0 else "behind"
    clock = f"was {' '.join(parts)} {side} UTC" if parts else "showed UTC"
    zone = time_zone.replace("_", " ")
    return f"Ids in it carry the true time. By them its clock {clock}; the clocks of {zone} did not."


def show_calls(calls: Sequence[PreviewCall], region: str, reader: Reader) -> list[ShownCall]:
    return [show_call(call, region, reader) for call in calls]


def show_call(call: PreviewCall, region: str, reader: Reader) -> ShownCall:
    """`region` is the phone system's."""
    number = _number(call.caller, region, reader) or NO_CALLER[call.caller_reason]
    name = mask_name(call.caller_name, call.caller) if reader.is_masked else call.caller_name
    return ShownCall(
        started_at=call.started_at,
        direction=call.direction,
        direction_label=DIRECTION_LABELS[call.direction],
        caller=name or number,
        caller_number=number if name else "",
        caller_e164=_masked(call.caller, reader) if call.caller.startswith("+") else "",
        reached=_number(call.reached, region, reader),
        reached_e164=_masked(call.reached, reader) if call.reached.startswith("+") else "",
        outcome=show_outcome(call.direction, call.outcome),
        ring_seconds=call.ring_seconds,
        talk_seconds=call.talk_seconds,
    )


def show_change(before: ShownCall, after: ShownCall, zone: ZoneInfo) -> ShownChange:
    pairs = (
        ("started_at", format_time(before.started_at, zone), format_time(after.started_at, zone)),
        ("direction", before.direction_label.lower(), after.direction_label.lower()),
        ("caller", before.caller_number or before.caller, after.caller_number or after.caller),
        ("reached", before.reached, after.reached),
        ("outcome", before.outcome.label.lower(), after.outcome.label.lower()),
        ("ring_seconds", f"rang {format_span(before.ring_seconds)}", f"rang {format_span(after.ring_seconds)}"),
        ("talk_seconds", f"talked {format_span(before.talk_seconds)}", f"talked {format_span(after.talk_seconds)}"),
    )
    words = [
        f"{old or 'nobody'} → {new or 'nobody'}"
        for name, old, new in pairs
        if old != new or getattr(before, name) != getattr(after, name)
    ]
    changed = frozenset(name for name, _, _ in pairs if getattr(before, name) != getattr(after, name))
    return ShownChange(before, after, changed, ", ".join(words))


@bp.app_template_filter("groupby_day")
def group_by_day(calls: Sequence[ShownCall], zone: ZoneInfo) -> list[tuple[date, list[ShownCall]]]:
    """Neighbours of one local day together, in the order they have."""
    days = groupby(calls, key=lambda call: call.started_at.astimezone(zone).date())
    return [(day, list(of_day)) for day, of_day in days]


def _number(text: str, region: str, reader: Reader) -> str:
    return _masked(format_number(text, region) if text.startswith("+") else text, reader)


def _masked(text: str, reader: Reader) -> str:
    """With every number in it masked; an extension is shorter than what is taken for one."""
    return mask_text(text) if reader.is_masked else text


def read_head(database: Database, file: ImportFile) -> Head:
    assert file.stored_file_id is not None
    with open_stored_file(database, file.organization_id, file.stored_file_id) as stream:
        return open_text(stream).head


def list_columns(
    database: Database, file: ImportFile, columns: ColumnMap, reader: Reader
) -> tuple[list[Column], tuple[str, ...]]:
    """The columns of a CSV, cut by `columns.delimiter`, and what is to be looked at in the guess.

    A reader who does not see lines of files sees no samples, and of a header no number.
    """
    head = read_head(database, file)
    lines = head.lines[1:] if head.lines and separator_of(head.lines[0]) else head.lines
    rows = [row for line in lines if (row := split_line(line, columns.delimiter))]
    names = rows[0] if columns.has_header and rows else []
    if not reader.sees_raw and any(letter.isdecimal() for name in names for letter in name):
        names = []  # it may be no header but the first record
    data = rows[1:] if columns.has_header else rows
    width = max((len(row) for row in rows[:50]), default=0)
    shown = [
        Column(
            _masked(names[place].strip(), reader)
            if place < len(names) and names[place].strip()
            else f"Column {place + 1}",
            tuple(row[place].strip()[:_LONGEST_SAMPLE] for row in data if place < len(row) and row[place].strip())[
                : _SAMPLES if reader.sees_raw else 0
            ],
        )
        for place in range(width)
    ]
    return shown, guess_columns(head).notes


def guess_from_file(database: Database, number_key: bytes, file: ImportFile | None, pbx: Pbx) -> GuessedAnswers:
    """The answers to the set-up questions as the newest file suggests them; empty ones where no file is kept."""
    if file is None:
        return GuessedAnswers([], "", "", pbx.region, "")
    return guess_answers(preview_import(database, number_key, file, pbx).first_rows, pbx.region)


def guess_from_rows(rows: Sequence[bytes], reader_name: str, pbx: Pbx) -> GuessedAnswers:
    """The same from raw rows that the phone system sent by itself."""
    lines = (SourceLine(number, raw, decode(raw)) for number, raw in enumerate(rows, start=1))
    items = READERS[reader_name].read(lines, ReadOptions())
    return guess_answers([item for item in items if isinstance(item, ParsedRecord)], pbx.region)


def name_lines(
    guesses: Sequence[LineGuess], known: Sequence[str], reader: Reader, number_key: bytes
) -> list[LineChoice]:
    """Each line to choose from: those of the file, with what was seen on them, then others known."""
    words = {guess.name: _describe(guess) for guess in guesses}
    words |= {name: name for name in known if name not in words}
    return [LineChoice(name, _value_of(name, reader, number_key), _masked(words[name], reader)) for name in words]


def _value_of(name: str, reader: Reader, number_key: bytes) -> str:
    """The name; where a number in it is hidden, a keyed digest: of a plain one the number could be tried out."""
    if _masked(name, reader) == name:
        return name
    return HIDDEN_LINE + hmac.new(number_key, name.encode(), hashlib.sha256).hexdigest()


def _describe(guess: LineGuess) -> str:
    example = f", for example {guess.example}" if guess.example else ""
    kind = "context" if guess.is_context else "line"
    return f"{guess.name} ({kind}, in {guess.rows:,} rows{example})"
