"""How a phone system is doing, in words. Pure; called by reports/views.py with rows of reports/queries.py."""

from dataclasses import dataclass
from datetime import date
from enum import Enum
from zoneinfo import ZoneInfo

from webapp.calls.models import ImportState
from webapp.formatting import format_calls, format_date, format_day, format_moment
from webapp.reports.queries import PbxHealth

#: A phone system without calls for more days than a long weekend has may have stopped writing.
QUIET_AFTER_DAYS = 4

_UNDER_WAY = {
    ImportState.QUEUED: "waits for its turn",
    ImportState.RUNNING: "is being read now",
    ImportState.UNDOING: "is being taken back now",
}


class Next(Enum):
    """What the reader can do about it; the page makes a link of it."""

    NOTHING = ""
    UPLOAD = "Upload a file"
    ANSWER = "Answer the three questions"
    SEE_IMPORT = "See the import"


@dataclass(frozen=True)
class Health:
    """`mark` is a class of components/outcome.html: its shape goes with the words of `state`."""

    mark: str
    state: str
    note: str
    last_call: str
    last_import: str
    next_step: Next


def tell_health(found: PbxHealth, today: date, zone: ZoneInfo) -> Health:
    mark, state, note, next_step = _state(found, today)
    return Health(mark, state, note, _last_call(found, today, zone), _last_import(found, today, zone), next_step)


def _state(found: PbxHealth, today: date) -> tuple[str, str, str, Next]:
    if found.pbx.closed_at is not None:
        return "cancelled", "Closed", "It takes no more files; its calls stay.", Next.NOTHING
    imported = found.last_import
    if imported is not None and imported.state in _UNDER_WAY:
        return "unknown", "Importing", f"{imported.file_name} {_UNDER_WAY[imported.state]}.", Next.SEE_IMPORT
    if imported is not None and imported.state == ImportState.FAILED:
        note = imported.error or "Its last file could not be read to its end."
        return "failed", "Import failed", note, Next.SEE_IMPORT
    if found.last_day is None:
        note = "Nothing was imported yet." if imported is None else "Its files brought no calls."
        return "unknown", "Empty", note, Next.UPLOAD
    if found.pbx.answered_at is None:
        note = "Which lines lead outside is not known yet: its calls have no direction, and none counts as missed."
        return "unknown", "Questions open", note, Next.ANSWER
    quiet = (today - found.last_day).days
    if quiet > QUIET_AFTER_DAYS:
        return "no_answer", "Quiet", f"No call for {quiet} days. Is there a newer file?", Next.UPLOAD
    return "answered", "Up to date", "", Next.NOTHING


def _last_call(found: PbxHealth, today: date, zone: ZoneInfo) -> str:
    if found.last_quarter is not None:
        return f"about {format_moment(found.last_quarter, zone, today)}"
    if found.last_day is None:
        return "none yet"
    word = format_day(found.last_day, today)
    return word.lower() if word in ("Today", "Yesterday") else format_date(found.last_day, today)


def _last_import(found: PbxHealth, today: date, zone: ZoneInfo) -> str:
    imported = found.last_import
    if imported is None:
        return "none yet"
    when = format_moment(imported.ended_at or imported.created_at, zone, today)
    brought = format_calls(imported.call_count) if imported.state == ImportState.DONE else imported.state.name.lower()
    return f"{when}, {brought}"
