"""The refused lines of a file of contacts as CSV: which, why, and what stands there, to be put right and sent again.

Worked out anew while the file waits for its yes: afterwards it is not kept any more. Called by csv_views.py.
"""

import io
from collections.abc import Iterator
from itertools import islice

from webapp.csv_out import CsvRow, guard_cell
from webapp.database.engine import Database
from webapp.destinations.contact_export import check_standing
from webapp.destinations.contact_import import REFUSED_KEPT, Batch, Tally
from webapp.destinations.contact_known import Directory
from webapp.destinations.contact_rows import read_contacts, read_heading
from webapp.destinations.patterns import Plan
from webapp.jobs.stored_files import open_stored_file
from webapp.tenancy.sessions import reading_session

_BESIDE = ("line", "why")  #: columns that no import reads


def refused_header(database: Database, organization_id: int, stored_file_id: int) -> CsvRow:
    """Of the file, behind those that are added. Raises FileNotFoundError where it was thrown away."""
    stream = open_stored_file(database, organization_id, stored_file_id)
    return (*_BESIDE, *map(guard_cell, read_heading(io.BufferedReader(stream)).cells))


def list_refused_lines(
    database: Database, organization_id: int, reader_id: int, stored_file_id: int, plan: Plan
) -> Iterator[list[CsvRow]]:
    """A piece of the file at a time, in short transactions; each asks again whether the reader still may have it."""
    contacts = read_contacts(io.BufferedReader(open_stored_file(database, organization_id, stored_file_id)), plan)
    with reading_session(database, organization_id) as session:
        directory = Directory(session)
    while lines := list(islice(contacts, REFUSED_KEPT)):
        tally = Tally()
        with reading_session(database, organization_id) as session:
            check_standing(session, reader_id)
            Batch(session, directory, lines).look(tally)
        yield [(bad.line, guard_cell(bad.reason), *map(guard_cell, bad.cells)) for bad in tally.bad]
