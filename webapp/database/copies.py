"""SQLite: a copy of the database as of one moment, while others write, and what is asked of a copy.

Called by recovery/. VACUUM INTO is one reading transaction: writers go on, and unlike a backup page by page it ends. It
leaves out free pages too, so what was deleted is in no backup.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path


class NotWhole(Exception):
    """SQLite says that a file is damaged. Its words are SQLite's."""


def copy_sqlite(source: Path, target: Path) -> None:
    """Write a copy to `target`, which is not there yet. Raises NotWhole, OSError or sqlite3.Error."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=60)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    check_sqlite(target)


def count_bytes(source: Path) -> int:
    """What a database and its write-ahead log take; a copy takes no more."""
    return sum(path.stat().st_size for path in (source, Path(f"{source}-wal")) if path.exists())


def check_sqlite(path: Path) -> None:
    """Raises NotWhole: SQLite's own check of every page and index found something."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        try:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise NotWhole(found)


def into_one_file(path: Path) -> None:
    """Move what the write-ahead log holds into the file and put all of it on the disk. Nobody else has it open."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("rb") as file:
        os.fsync(file.fileno())
