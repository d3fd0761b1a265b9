"""Which column of a generic CSV holds what, guessed from its head. Called by the mapping page and the command line.

A guess is offered, never used unseen: `ColumnGuess.sure` says whether it may be preselected without a warning.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webapp.calls.outcomes import Direction
from webapp.ingest.readers.column_words import COLUMN_NAMES, direction_of, is_voicemail, plain, result_of_word
from webapp.ingest.readers.csv_rows import split_line
from webapp.ingest.readers.written_times import day_and_month, parse_clock, parse_moment, parse_seconds
from webapp.ingest.records import ColumnMap, Head, LegResult

_DELIMITERS = ",;\t|"
_SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
_SAMPLE_ROWS = 100
_PHONE = re.compile(r"\+?[0-9*#][0-9*#()./\- ]{1,24}|anonymous|unknown|private|withheld", re.IGNORECASE)


@dataclass(frozen=True)
class ColumnGuess:
    """`notes`: sentences for the mapping page, each a thing to look at."""

    columns: ColumnMap
    sure: bool
    notes: tuple[str, ...]


def guess_columns(head: Head) -> ColumnGuess:
    """Delimiter, header, columns and date order of a CSV file. Never fails; what is not found is not in the map."""
    lines = list(head.lines)
    delimiter = separator_of(lines[0]) if lines else ""
    if delimiter:
        lines = lines[1:]
    delimiter = delimiter or _delimiter(lines)
    rows = [row for line in lines[: _SAMPLE_ROWS + 1] if (row := split_line(line, delimiter))]
    if not rows:
        return ColumnGuess(ColumnMap(delimiter, False, {}, "ymd"), False, ("No rows were found in this file.",))
    has_header = _is_header(rows)
    data = rows[1:] if has_header else rows
    notes: list[str] = []
    columns = _by_names(rows[0], data) if has_header else {}
    named = len(columns)
    if "id" in columns and not _all_differ(data, columns["id"]):
        del columns["id"]  # as the id of every row it would make one row of all
    if "call_id" in columns and _all_same(data, columns["call_id"]):
        del columns["call_id"]  # it would make one call of all
    _settle_times(columns, data)
    _by_content(columns, data)
    if not has_header:
        notes.append("This file has no header: the columns were guessed from what stands in them. Look at each.")
    elif not named:
        notes.append("None of the column names is known: the columns were guessed from what stands in them.")
    if not {"started"} <= columns.keys() and not {"date", "time"} <= columns.keys():
        notes.append("No column with the start of the call was found. Choose it.")
    if not {"caller", "dialed"} & columns.keys():
        notes.append("No column with the caller or the number dialled was found. Choose them.")
    order, order_note = _date_order(columns, data)
    if order_note:
        notes.append(order_note)
    return ColumnGuess(ColumnMap(delimiter, has_header, columns, order), not notes, tuple(notes))


def misused_column(head: Head, columns: ColumnMap) -> str:
    """Why a column that somebody chose for an id cannot be one, as the head of the file shows; "" where it can."""
    lines = head.lines[1:] if head.lines and separator_of(head.lines[0]) else head.lines
    rows = [row for line in lines if (row := split_line(line, columns.delimiter))]
    data = rows[1:] if columns.has_header else rows
    record_id, call_id = columns.columns.get("id"), columns.columns.get("call_id")
    if record_id is not None and len(data) > 1 and not _all_differ(data, record_id):
        return (
            "The column chosen for the id of a record is empty in some rows or holds the same in several: those would "
            "be taken for one record. Choose another, or none."
        )
    if call_id is not None and _all_same(data, call_id):
        return (
            "The column chosen for the call id holds the same in every row: all would become one call. Choose another, "
            "or none."
        )
    return ""


def separator_of(line: str) -> str:
    """The delimiter that Excel's first line `sep=;` names, else ""."""
    match = _SEPARATOR_LINE.fullmatch(line.strip('\ufeff \r\n"'))
    return match[1] if match is not None else ("\t" if line.strip('\ufeff\r\n"') == "sep=\t" else "")


def _delimiter(lines: Sequence[str]) -> str:
    """The one that cuts the most rows into the same number of fields, and into the most."""

    def fit(delimiter: str) -> tuple[float, int]:
        widths = [len(split_line(line, delimiter) or []) for line in lines[:50]]
        usual = max(set(widths), key=widths.count, default=0)
        return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)

    return max(_DELIMITERS, key=fit)


def _is_header(rows: list[list[str]]) -> bool:
    """A header has known names and no times or numbers, or is the only row without a time."""
    first = rows[0]
    if any(_is_moment(cell) or _PHONE.fullmatch(cell.strip()) for cell in first if len(cell.strip()) > 3):
        return False
    known = {name for names in COLUMN_NAMES.values() for name in names}
    if sum(plain(cell) in known for cell in first) >= 2:
        return True
    return len(rows) > 1 and any(_is_moment(cell) for cell in rows[1])


def _by_names(header: list[str], data: list[list[str]]) -> dict[str, int]:
    """Fields whose column has one of their names; then those whose column's name holds one, as in "Duration (sec)"."""
    names = [plain(cell) for cell in header]
    filled = {column for column in range(len(names)) if any(_cell(row, column).strip() for row in data)}
    columns: dict[str, int] = {}
    for exact in (True, False):
        for field, words in COLUMN_NAMES.items():
            if field in columns:
                continue
            for word in words if exact or field != "id" else ():
                free = [
                    column
                    for column, name in enumerate(names)
                    if column not in columns.values()
                    and (column in filled or not data)
                    and (name == word if exact else len(word) > 3 and f" {word} " in f" {name} ")
                ]
                if free:
                    columns[field] = free[0]
                    break
    return columns


def _settle_times(columns: dict[str, int], data: list[list[str]]) -> None:
    """Put right what a name alone cannot say: a "Date" that holds the time too, a "Start" that is a time of day."""
    started = columns.get("started")
    if started is not None and not _mostly(data, started, _is_moment) and _mostly(data, started, _is_clock):
        columns.setdefault("time", columns.pop("started"))
    if "started" in columns and "time" in columns and "date" not in columns and _all_midnight(data, columns["started"]):
        columns["date"] = columns.pop("started")
    if "started" in columns:
        for field in ("date", "time"):
            columns.pop(field, None)
        return
    for field in ("date", "time"):
        column = columns.get(field)
        if column is None or not _mostly(data, column, _is_moment):
            continue
        if field == "time" or "time" not in columns or not _all_midnight(data, column):
            columns["started"] = column
            columns.pop("date", None)
            columns.pop("time", None)
            return


def _by_content(columns: dict[str, int], data: list[list[str]]) -> None:
    """Fill the fields that no name gave from what the other columns hold."""
    width = max((len(row) for row in data), default=0)
    has_start = "started" in columns or {"date", "time"} <= columns.keys()
    by_names_alone = has_start and {"caller", "dialed"} <= columns.keys()
    for column in range(width):
        if column in columns.values() or by_names_alone:
            continue
        field = _field_of_content(columns, data, column)
        if field:
            columns[field] = column
    if "date" in columns and "time" not in columns and "started" not in columns:
        columns["started"] = columns.pop("date")


def _field_of_content(columns: dict[str, int], data: list[list[str]], column: int) -> str:
    """The field that this column fills best, "" if none that is still free."""
    has_start = "started" in columns or "date" in columns
    tests: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("date", _is_day),
        ("started", _is_moment),
        ("time", _is_clock),
        ("direction", lambda text: direction_of(text) != Direction.UNKNOWN and not text.strip().isdigit()),
        ("outcome", lambda text: result_of_word(text) != LegResult.UNKNOWN or is_voicemail(text)),
    )
    for field, test in tests:
        if field in columns or (field in ("date", "started") and has_start):
            continue
        if field == "time" and ("date" not in columns or "started" in columns):
            continue
        if _mostly(data, column, test):
            return field
    numbers = [_cell(row, column).strip() for row in data if _cell(row, column).strip()]
    longest = max((len(number) for number in numbers), default=0)
    if longest >= 3 and _mostly(data, column, _is_phone):
        free = [field for field in ("caller", "dialed") if field not in columns]
        if free:
            return free[0]
    if has_start and "caller" in columns and _mostly(data, column, lambda text: parse_seconds(text) is not None):
        return next((field for field in ("duration", "billsec") if field not in columns), "")
    return ""


def _date_order(columns: dict[str, int], data: list[list[str]]) -> tuple[str, str]:
    """ "ymd", "dmy" or "mdy", and a note where the head does not prove it."""
    column = columns.get("started", columns.get("date"))
    if column is None:
        return "ymd", ""
    dates = [found for row in data if (found := day_and_month(_cell(row, column))) is not None]
    if not dates:
        return "ymd", ""
    day_first = any(first > 12 for first, _, _ in dates)
    month_first = any(second > 12 for _, second, _ in dates)
    if day_first and month_first:
        return "dmy", "Some dates put the day first and some the month. Choose which; the others will be refused."
    if day_first or month_first:
        return ("dmy", "") if day_first else ("mdy", "")
    if all(separator == "." for _, _, separator in dates):
        return "dmy", ""  # nobody writes month.day.year
    return "dmy", "No day in the beginning of this file is above 12: choose whether the day or the month comes first."


def _cell(row: list[str], column: int) -> str:
    return row[column] if column < len(row) else ""


def _mostly(data: list[list[str]], column: int, test: Callable[[str], bool]) -> bool:
    """Nine tenths of the filled cells pass, and there are some."""
    cells = [cell for row in data if (cell := _cell(row, column).strip())]
    return bool(cells) and sum(test(cell) for cell in cells) * 10 >= len(cells) * 9


def _is_moment(text: str) -> bool:
    return parse_moment(text, "dmy") is not None or parse_moment(text, "mdy") is not None


def _is_day(text: str) -> bool:
    """A date without a time of day; an epoch is no such date."""
    return _is_moment(text) and ":" not in text and not text.strip().isdecimal()


def _is_clock(text: str) -> bool:
    return parse_clock(text) is not None


def _is_phone(text: str) -> bool:
    return _PHONE.fullmatch(text.strip()) is not None


def _all_differ(data: list[list[str]], column: int) -> bool:
    values = [_cell(row, column).strip() for row in data]
    return all(values) and len(set(values)) == len(values)


def _all_same(data: list[list[str]], column: int) -> bool:
    """One value in all of several rows. Two calls may well be one, so two rows prove nothing."""
    values = {_cell(row, column).strip() for row in data}
    return len(data) > 2 and len(values) == 1 and "" not in values


def _all_midnight(data: list[list[str]], column: int) -> bool:
    moments = [parse_moment(_cell(row, column), "dmy") or parse_moment(_cell(row, column), "mdy") for row in data]
    return all(moment is None or (moment.hour, moment.minute, moment.second) == (0, 0, 0) for moment in moments)
