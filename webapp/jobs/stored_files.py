"""Files that people hand in, kept compressed in the database: one lock, one backup and one erasure cover them.

Written by uploads and commands, read by ingest/. Memory is flat: one chunk at a time, in both directions, and no
transaction is longer than one chunk.
"""

import hashlib
import io
import sqlite3
import zlib
from datetime import timedelta
from typing import Any, Protocol

import psycopg
from psycopg import errors as postgresql_errors
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from webapp import clock
from webapp.database.bulk import bulk_transaction
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.errors import NoSpace
from webapp.formatting import format_size
from webapp.jobs.models import StoredChunk, StoredFile
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

CHUNK_BYTES = 1024 * 1024
QUOTA_BYTES = 20 * 1000**3  #: compressed, of one organization that has no limit of its own
#: What a full disk is noticed as: by SQLAlchemy at a BEGIN or COMMIT, bare from the driver at a bulk statement.
_STORING_FAILED = (DBAPIError, sqlite3.Error, psycopg.Error, OSError)
_KEPT_INCOMPLETE = timedelta(days=1)
_DELETED_AT_ONCE = 32
_QUOTA_USED_UP = (
    "Your organization has used up its space for files ({limit}). Nothing of this file was stored. Undo imports that "
    "are no longer needed, or ask the person who runs Callbook for more."
)
_DISK_FULL = (
    "The server's disk is full, so there is no space left for this file. Nothing of it was stored and everything else "
    "is as it was. Tell the person who runs Callbook, then send the file again."
)
_FILE_COLUMNS = ("organization_id", "id", "byte_count", "stored_count", "digest", "complete", "created_at")
_CHUNK_COLUMNS = ("organization_id", "stored_file_id", "position", "content")
_COMPLETE = (
    "UPDATE stored_file SET byte_count = ?, stored_count = ?, digest = ?, complete = ? "
    "WHERE organization_id = ? AND id = ?"
)
_DELETE_CHUNKS = (
    "DELETE FROM stored_chunk WHERE organization_id = ? AND stored_file_id = ? AND position IN "
    "(SELECT position FROM stored_chunk WHERE organization_id = ? AND stored_file_id = ? ORDER BY position LIMIT ?)"
)


class ByteSource(Protocol):
    def read(self, size: int, /) -> bytes: ...


def store_stream(database: Database, organization_id: int, stream: ByteSource) -> int:
    """Store what the stream holds; returns the new file's id. Raises NoSpace with a sentence for
    people; what had arrived is then gone again.

    No transaction of the caller may be open: on SQLite each chunk needs the one write lock.
    """
    file_id = new_id()
    try:
        _store(database, organization_id, file_id, stream)
    except _STORING_FAILED as error:
        _drop_quietly(database, organization_id, file_id)
        if is_disk_full(error):
            raise NoSpace(_DISK_FULL) from error
        raise
    except BaseException:
        _drop_quietly(database, organization_id, file_id)
        raise
    return file_id


def _store(database: Database, organization_id: int, file_id: int, stream: ByteSource) -> None:
    digest = hashlib.sha256()
    byte_count = stored_count = position = 0
    limit, stored = _limit_and_stored(database, organization_id)
    with bulk_transaction(database, organization_id) as transaction:
        row = (organization_id, file_id, 0, 0, b"", False, clock.now_ms())
        transaction.insert("stored_file", _FILE_COLUMNS, [row])
    while chunk := _read_fully(stream, CHUNK_BYTES):
        digest.update(chunk)
        content = zlib.compress(chunk, 1)
        byte_count += len(chunk)
        stored_count += len(content)
        if stored_count > limit - stored:
            raise NoSpace(_QUOTA_USED_UP.format(limit=format_size(limit)))
        with bulk_transaction(database, organization_id) as transaction:
            transaction.insert("stored_chunk", _CHUNK_COLUMNS, [(organization_id, file_id, position, content)])
        position += 1
    with bulk_transaction(database, organization_id) as transaction:
        transaction.execute(_COMPLETE, byte_count, stored_count, digest.digest(), True, organization_id, file_id)


def _read_fully(stream: ByteSource, size: int) -> bytes:
    """`size` bytes, fewer only at the end: a pipe or a socket gives what it has."""
    first = stream.read(size)
    if not first or len(first) == size:
        return first
    parts, got = [first], len(first)
    while got < size and (part := stream.read(size - got)):
        parts.append(part)
        got += len(part)
    return b"".join(parts)


def _limit_and_stored(database: Database, organization_id: int) -> tuple[int, int]:
    """How many bytes the organization may keep, and how many it keeps."""
    with reading_session(database, organization_id) as session:
        limit = session.scalar(select(Organization.file_limit).where(Organization.id == organization_id))
        stored = session.scalar(select(func.coalesce(func.sum(StoredFile.stored_count), 0)))
    return QUOTA_BYTES if limit is None else limit, int(stored or 0)


def _drop_quietly(database: Database, organization_id: int, file_id: int) -> None:
    """After a failure: free the space if the database lets us; else the sweep does it tomorrow."""
    try:
        delete_stored_file(database, organization_id, file_id)
    except _STORING_FAILED:
        return


def is_disk_full(error: BaseException) -> bool:
    """Whether a failure means that there is no space left, in whatever layer it was noticed."""
    seen: BaseException | None = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(seen, sqlite3.Error):
        return getattr(seen, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or "disk is full" in str(seen)
    if isinstance(seen, OSError):
        return seen.errno in (28, 122)  # ENOSPC, EDQUOT
    return isinstance(seen, postgresql_errors.DiskFull)


class StoredFileReader(io.RawIOBase):
    """Reads a stored file from its beginning, one chunk at a time. `bytes_read` is how far it has come."""

    def __init__(self, database: Database, organization_id: int, file_id: int, byte_count: int) -> None:
        super().__init__()
        self.byte_count = byte_count  #: of the whole file
        self.bytes_read = 0
        self._database = database
        self._organization_id = organization_id
        self._file_id = file_id
        self._position = 0
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._chunk and self.bytes_read < self.byte_count:
            self._chunk = memoryview(self._next_chunk())
        count = min(len(buffer), len(self._chunk))
        buffer[:count] = self._chunk[:count]
        self._chunk = self._chunk[count:]
        self.bytes_read += count
        return count

    def _next_chunk(self) -> bytes:
        with reading_session(self._database, self._organization_id) as session:
            content = session.scalar(
                select(StoredChunk.content).where(
                    StoredChunk.stored_file_id == self._file_id, StoredChunk.position == self._position
                )
            )
        if content is None:
            raise FileNotFoundError("a piece of the stored file is gone")
        self._position += 1
        return zlib.decompress(content)


def open_stored_file(database: Database, organization_id: int, file_id: int) -> StoredFileReader:
    """A reader over a complete stored file. Raises FileNotFoundError where there is none."""
    with reading_session(database, organization_id) as session:
        row = session.get(StoredFile, (organization_id, file_id))
    if row is None or not row.complete:
        raise FileNotFoundError("no such stored file")
    return StoredFileReader(database, organization_id, file_id, row.byte_count)


def delete_stored_file(database: Database, organization_id: int, file_id: int) -> None:
    """Delete a stored file, a few chunks at a time. The caller has let go of every reference to it."""
    while True:
        with bulk_transaction(database, organization_id) as transaction:
            if not transaction.execute(
                _DELETE_CHUNKS, organization_id, file_id, organization_id, file_id, _DELETED_AT_ONCE
            ):
                transaction.execute(
                    "DELETE FROM stored_file WHERE organization_id = ? AND id = ?", organization_id, file_id
                )
                return


def sweep_incomplete(database: Database) -> None:
    """Delete files whose upload broke off more than a day ago, in every organization."""
    before = clock.now() - _KEPT_INCOMPLETE
    with reading_session(database) as session:
        organizations = session.scalars(select(Organization.id)).all()
    for organization_id in organizations:
        with reading_session(database, organization_id) as session:
            broken = session.scalars(
                select(StoredFile.id).where(StoredFile.complete.is_(False), StoredFile.created_at < before)
            ).all()
        for file_id in broken:
            delete_stored_file(database, organization_id, file_id)
