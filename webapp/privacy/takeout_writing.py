"""Writes the archive of a takeout into its chunks, file by file, each chunk in a short transaction of its own.

Called by takeout_jobs.py. A finished file is a row of takeout_entry: a worker that takes over deletes what the one
before it left of an unfinished file and begins with that. The header of a file is a chunk of its own, put in its place
once the file's sizes are known; until then a token stands there, by which of two workers on one takeout the earlier
one notices that it has been overtaken.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, func, select

from webapp.database.engine import Database
from webapp.errors import NotFound
from webapp.privacy.models import Takeout, TakeoutChunk, TakeoutEntry, TakeoutState
from webapp.privacy.takeout_plan import About, PlannedFile
from webapp.privacy.zip_parts import Packer, Part, directory
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session, writing_session

CHUNK_BYTES = 1024 * 1024
_DELETED_AT_ONCE = 16
_PLACES_AT_ONCE = 10_000
_TOKEN_BYTES = 16


class Stopped(Exception):
    """The worker is shutting down, or its lease has run out: another one goes on."""


class Overtaken(Exception):
    """Another worker has the takeout by now."""


@dataclass
class Archive:
    """The archive of one takeout as far as it is written: so many bytes. `next_position`: of the next chunk."""

    database: Database
    organization_id: int
    takeout_id: int
    keep: Callable[[], bool]
    entries: list[TakeoutEntry] = field(default_factory=list)
    byte_count: int = 0
    next_position: int = 0

    @property
    def row_count(self) -> int:
        return sum(entry.row_count for entry in self.entries)

    def writing(self) -> LockedSession:
        return writing_session(self.database, self.organization_id)


def open_archive(database: Database, organization_id: int, takeout_id: int, keep: Callable[[], bool]) -> Archive:
    """What is there already of it; what was left of an unfinished file is deleted, a few chunks at a time."""
    archive = Archive(database, organization_id, takeout_id, keep)
    with reading_session(database, organization_id) as session:
        archive.entries = list(list_entries(session, takeout_id))
        archive.byte_count = session.get_one(Takeout, (organization_id, takeout_id)).byte_count
        archive.next_position = _count_chunks(session, takeout_id, archive.byte_count)
    drop_chunks(database, organization_id, takeout_id, archive.next_position)
    return archive


def list_entries(session: LockedSession, takeout_id: int) -> Sequence[TakeoutEntry]:
    """Its finished files, in order."""
    query = select(TakeoutEntry).where(TakeoutEntry.takeout_id == takeout_id)
    return session.scalars(query.order_by(TakeoutEntry.position)).all()


def _count_chunks(session: LockedSession, takeout_id: int, byte_count: int) -> int:
    """How many chunks the first so many bytes are: every file begins with a new one."""
    position = found = 0
    while found < byte_count:
        sizes = session.execute(
            select(func.length(TakeoutChunk.content))
            .where(TakeoutChunk.takeout_id == takeout_id, TakeoutChunk.position >= position)
            .order_by(TakeoutChunk.position)
            .limit(_PLACES_AT_ONCE)
        ).scalars()
        for size in sizes:
            if found >= byte_count:
                break
            found, position = found + size, position + 1
        else:
            assert found >= byte_count, "chunks of a finished file are gone"
    return position


def hold_takeout(session: LockedSession, takeout_id: int) -> Takeout:
    """Until the transaction ends nobody else changes it. Raises NotFound."""
    found = session.scalars(
        select(Takeout).where(Takeout.id == takeout_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def write_file(archive: Archive, planned: PlannedFile, about: About) -> None:
    """Write one file, and commit it as finished. Raises Stopped, Overtaken, and what reading its pieces raises."""
    file = _Writing(archive, secrets.token_bytes(_TOKEN_BYTES))
    packer, buffer = Packer(), bytearray()
    for piece in planned.pieces(archive.entries):
        _check(archive)
        file.rows += piece.rows
        buffer += packer.pack(piece.content)
        _store_whole(file, buffer)
    buffer += packer.finish()
    _store_whole(file, buffer)
    part = packer.part(planned.name, archive.byte_count)
    file.finish(bytes(buffer), part, part.header(about.moment))


def _store_whole(file: "_Writing", buffer: bytearray) -> None:
    """What of it is whole chunks."""
    while len(buffer) >= CHUNK_BYTES:
        file.store(bytes(buffer[:CHUNK_BYTES]))
        del buffer[:CHUNK_BYTES]


def _check(archive: Archive) -> None:
    if not archive.keep():
        raise Stopped


class _Writing:
    """The chunks of one file: its header's place first, under a token of this worker. One that fits into a chunk is
    stored in one transaction."""

    def __init__(self, archive: Archive, token: bytes) -> None:
        self.rows = 0
        self._archive, self._token = archive, token
        self._first = archive.next_position
        self._position = archive.next_position

    def store(self, content: bytes) -> None:
        with self._archive.writing() as session:
            takeout = self._hold(session)
            self._add(session, content)
            takeout.row_count = self._archive.row_count + self.rows  # for the page
            session.commit()

    def finish(self, rest: bytes, part: Part, header: bytes) -> None:
        archive = self._archive
        entry = TakeoutEntry(
            takeout_id=archive.takeout_id,
            position=len(archive.entries),
            name=part.name,
            starts_at_byte=part.starts_at,
            packed_count=part.packed_count,
            byte_count=part.byte_count,
            row_count=self.rows,
            crc=part.crc,
            digest=part.digest,
        )
        with archive.writing() as session:
            takeout = self._hold(session)
            place = session.get_one(TakeoutChunk, (archive.organization_id, archive.takeout_id, self._first))
            place.content = header
            if rest:
                self._add(session, rest)
            session.add(entry)
            takeout.step = entry.position + 1
            takeout.byte_count = part.starts_at + len(header) + part.packed_count
            takeout.row_count = archive.row_count + self.rows
            session.commit()
        archive.entries.append(entry)
        archive.byte_count, archive.next_position = takeout.byte_count, self._position

    def _hold(self, session: LockedSession) -> Takeout:
        """The first time the file is begun. Raises Overtaken when another worker has begun it anew, or ended it."""
        takeout = hold_takeout(session, self._archive.takeout_id)
        if takeout.state != TakeoutState.IS_WRITTEN or takeout.step != len(self._archive.entries):
            raise Overtaken
        if self._position == self._first:
            chunks = delete(TakeoutChunk).where(TakeoutChunk.takeout_id == takeout.id)
            session.execute(chunks.where(TakeoutChunk.position >= self._first))  # of whoever has begun it before
            self._add(session, self._token)
            session.flush()
            return takeout
        kept = session.scalar(
            select(TakeoutChunk.content).where(
                TakeoutChunk.takeout_id == takeout.id, TakeoutChunk.position == self._first
            )
        )
        if kept is None or bytes(kept) != self._token:
            raise Overtaken
        return takeout

    def _add(self, session: LockedSession, content: bytes) -> None:
        session.add(TakeoutChunk(takeout_id=self._archive.takeout_id, position=self._position, content=content))
        self._position += 1


def add_directory(session: LockedSession, archive: Archive, about: About) -> int:
    """Put the ZIP's directory behind its files, in the caller's transaction; returns the bytes of the whole archive."""
    parts = (
        Part(each.name, each.starts_at_byte, each.packed_count, each.byte_count, each.crc, each.digest)
        for each in archive.entries
    )
    content = directory(parts, archive.byte_count, about.moment)
    for start in range(0, len(content), CHUNK_BYTES):
        position = archive.next_position + start // CHUNK_BYTES
        chunk = content[start : start + CHUNK_BYTES]
        session.add(TakeoutChunk(takeout_id=archive.takeout_id, position=position, content=chunk))
    return archive.byte_count + len(content)


def drop_chunks(database: Database, organization_id: int, takeout_id: int, first: int = 0) -> None:
    """Delete the chunks from this one on, a few at a time."""
    while True:
        with writing_session(database, organization_id) as session:
            some = session.scalars(
                select(TakeoutChunk.position)
                .where(TakeoutChunk.takeout_id == takeout_id, TakeoutChunk.position >= first)
                .order_by(TakeoutChunk.position.desc())
                .limit(_DELETED_AT_ONCE)
            ).all()
            if not some:
                return
            session.execute(
                delete(TakeoutChunk).where(TakeoutChunk.takeout_id == takeout_id, TakeoutChunk.position.in_(some))
            )
            session.commit()
