"""What a file of contacts says: which of its columns are read, and what its first lines would change, in words. For its
page, before anybody says yes.

Called by csv_views.py. The counts are those of the whole file, and stand in its row; these are worked out anew.
"""

import io
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from webapp.database.engine import Database
from webapp.destinations.contact_import import CHANGES_KEPT, Batch, Change, Tally
from webapp.destinations.contact_known import Directory
from webapp.destinations.contact_models import ContactImport
from webapp.destinations.contact_rows import read_contacts, read_heading
from webapp.destinations.kind_words import COLOUR_NAMES, KIND_LABELS
from webapp.destinations.patterns import Plan, spell_pattern
from webapp.jobs.stored_files import open_stored_file
from webapp.names import clean_name
from webapp.tenancy.lock import LockedSession

LINES_LOOKED_AT = 1000  #: a page waits for no more
_AT_ONCE = 200
_NOTE_SHOWN = 60
_COLUMNS_SHOWN, _COLUMN_SHOWN = 12, 40


class ShownColumns(NamedTuple):
    """As the first line calls them: "Name, Phone"; "" where there is none."""

    read: str = ""
    unread: str = ""


class ShownChange(NamedTuple):
    line: int
    name: str
    what: str


def tell_columns(database: Database, received: ContactImport) -> ShownColumns:
    """Of those that have a name."""
    if received.stored_file_id is None:
        return ShownColumns()
    with suppress(FileNotFoundError):
        stream = open_stored_file(database, received.organization_id, received.stored_file_id)
        cells, columns = read_heading(io.BufferedReader(stream))
        read = _spell_names(cell for place, cell in enumerate(cells) if place in columns)
        return ShownColumns(read, _spell_names(cell for place, cell in enumerate(cells) if place not in columns))
    return ShownColumns()


def _spell_names(cells: Iterable[str]) -> str:
    """ "Fax, Birthday and 3 more"."""
    names = list(dict.fromkeys(name for cell in cells if (name := clean_name(cell))))
    shown = [f"{name[:_COLUMN_SHOWN]}{'…' * (len(name) > _COLUMN_SHOWN)}" for name in names[:_COLUMNS_SHOWN]]
    more = f" and {len(names) - len(shown):,} more" if len(names) > len(shown) else ""
    return ", ".join(shown) + more


def list_changes(session: LockedSession, database: Database, received: ContactImport, plan: Plan) -> list[ShownChange]:
    """What is there already and changes, then what is new: of each the first CHANGES_KEPT, if they are among the first
    LINES_LOOKED_AT lines.
    """
    if received.stored_file_id is None:
        return []
    tally = Tally()
    with suppress(FileNotFoundError):  # thrown away this very moment
        stream = open_stored_file(database, received.organization_id, received.stored_file_id)
        contacts = islice(read_contacts(io.BufferedReader(stream), plan), LINES_LOOKED_AT)
        directory = Directory(session)
        while _misses_some(tally, received) and (lines := list(islice(contacts, _AT_ONCE))):
            Batch(session, directory, lines).look(tally)
    changes = (*tally.first_changed, *tally.first_added)
    return [ShownChange(each.contact.line, each.contact.name, _tell(each, plan)) for each in changes]


def _misses_some(tally: Tally, received: ContactImport) -> bool:
    changed, added = len(tally.first_changed), len(tally.first_added)
    return changed < min(CHANGES_KEPT, received.changed_count) or added < min(CHANGES_KEPT, received.added_count)


def _tell(change: Change, plan: Plan) -> str:
    """ "New customer; 01632 960123", "07700 900123; kind: Person → Customer"."""
    contact, before, after, gained = change
    told = [spell_pattern(pattern, plan) for pattern in gained]
    if before is None:
        told.insert(0, f"New {KIND_LABELS[after.kind].lower()}")
    elif before.kind != after.kind:
        told.append(f"kind: {KIND_LABELS[before.kind]} → {KIND_LABELS[after.kind]}")
    if after.colour != (before.colour if before else 0):
        told.append(f"colour: {COLOUR_NAMES[after.colour]}")
    if after.note != (before.note if before else ""):
        cut = "…" * (len(after.note) > _NOTE_SHOWN)
        told.append(f"note: {' '.join(after.note[:_NOTE_SHOWN].split())}{cut}")
    if after.members - (before.members if before else frozenset()):
        told.append(f"people: {', '.join(contact.members)}")
    if before and before.members - after.members:
        told.append("has no people any more")
    return "; ".join(told)
