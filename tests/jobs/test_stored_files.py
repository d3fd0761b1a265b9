"""Stored files: what goes in comes out, flat memory, nothing half-stored, nobody else's."""

import errno
import gzip
import hashlib
import io
import random
import sqlite3
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from webapp import clock
from webapp.database.bulk import BulkTransaction
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.errors import NoSpace
from webapp.jobs import stored_files
from webapp.jobs.models import StoredChunk, StoredFile
from webapp.jobs.stored_files import CHUNK_BYTES, delete_stored_file, open_stored_file, store_stream
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session, writing_session


@pytest.fixture
def organization_id(database: Database) -> int:
    return make_organization(database, "first")


def make_organization(database: Database, slug: str) -> int:
    organization = Organization(
        id=new_id(),
        slug=slug,
        name=slug,
        time_zone="UTC",
        region="GB",
        state=OrganizationState.OPEN,
        contact="",
        idle_minutes=30,
        second_factor_required=False,
        created_at=clock.now(),
    )
    with writing_session(database) as session:
        session.add(organization)
        session.commit()
    return organization.id


def count_rows(database: Database, organization_id: int) -> tuple[int, int]:
    with reading_session(database, organization_id) as session:
        files = session.scalar(select(func.count()).select_from(StoredFile))
        chunks = session.scalar(select(func.count()).select_from(StoredChunk))
        return files or 0, chunks or 0


class Endless:
    """`size` bytes of text without holding them."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.block = random.Random(1).randbytes(5_000).hex().encode() * 10

    def read(self, size: int, /) -> bytes:
        block = self.block[: min(size, self.left)]
        self.left -= len(block)
        return block


class BreaksOff(Endless):
    def __init__(self, size: int, error: BaseException) -> None:
        super().__init__(size)
        self.error = error

    def read(self, size: int, /) -> bytes:
        block = super().read(size)
        if not block:
            raise self.error
        return block


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_goes_in_comes_out(database: Database, organization_id: int, size: int) -> None:
    content = random.Random(size).randbytes(size)
    file_id = store_stream(database, organization_id, io.BytesIO(content))
    reader = open_stored_file(database, organization_id, file_id)
    parts = []
    while part := reader.read(100_003):
        parts.append(part)
        assert reader.bytes_read == sum(map(len, parts))
    assert b"".join(parts) == content
    with reading_session(database, organization_id) as session:
        row = session.scalars(select(StoredFile)).one()
    assert (row.byte_count, row.digest, row.complete) == (size, hashlib.sha256(content).digest(), True)


def test_a_gzip_file_is_kept_as_it_came(database: Database, organization_id: int) -> None:
    content = gzip.compress(b"call,call\n" * 1000)
    file_id = store_stream(database, organization_id, io.BytesIO(content))
    assert open_stored_file(database, organization_id, file_id).read() == content


def test_memory_is_flat_in_both_directions(database: Database, organization_id: int) -> None:
    def peak_of(size: int) -> int:
        tracemalloc.start()
        file_id = store_stream(database, organization_id, Endless(size))
        reader = open_stored_file(database, organization_id, file_id)
        while reader.read(65_536):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    small = peak_of(4 * CHUNK_BYTES)
    assert peak_of(24 * CHUNK_BYTES) < small + CHUNK_BYTES


def test_nobody_else_opens_it(database: Database, organization_id: int) -> None:
    file_id = store_stream(database, organization_id, io.BytesIO(b"mine"))
    other = make_organization(database, "other")
    with pytest.raises(FileNotFoundError):
        open_stored_file(database, other, file_id)
    delete_stored_file(database, other, file_id)
    assert open_stored_file(database, organization_id, file_id).read() == b"mine"


def test_a_file_that_is_still_arriving_cannot_be_opened(database: Database, organization_id: int) -> None:
    seen: list[int] = []

    class Watched(Endless):
        def read(self, size: int, /) -> bytes:
            with reading_session(database, organization_id) as session:
                seen.extend(session.scalars(select(StoredFile.id)))
            return super().read(size)

    store_stream(database, organization_id, Watched(10))
    file_id = seen[0]
    with writing_session(database, organization_id) as session:
        session.get_one(StoredFile, (organization_id, file_id)).complete = False
        session.commit()
    with pytest.raises(FileNotFoundError):
        open_stored_file(database, organization_id, file_id)


@pytest.mark.parametrize("error", [ConnectionResetError(), KeyboardInterrupt()])
def test_an_upload_that_breaks_off_leaves_nothing(
    database: Database, organization_id: int, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        store_stream(database, organization_id, BreaksOff(2 * CHUNK_BYTES, error))
    assert count_rows(database, organization_id) == (0, 0)


def test_a_full_disk_under_the_upload_says_so_and_leaves_nothing(database: Database, organization_id: int) -> None:
    with pytest.raises(NoSpace, match="no space left"):
        store_stream(
            database, organization_id, BreaksOff(2 * CHUNK_BYTES, OSError(errno.ENOSPC, "No space left on device"))
        )
    assert count_rows(database, organization_id) == (0, 0)


def test_a_full_database_says_so_and_leaves_nothing(
    database: Database, organization_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_insert = BulkTransaction.insert

    def insert_until_full(
        self: BulkTransaction, table: str, columns: list[str], rows: list[tuple[object, ...]]
    ) -> None:
        if table == "stored_chunk" and rows[0][2] == 1:
            full = sqlite3.OperationalError("database or disk is full")
            raise OperationalError("INSERT", {}, full)
        plain_insert(self, table, columns, rows)

    monkeypatch.setattr(BulkTransaction, "insert", insert_until_full)
    with pytest.raises(NoSpace, match="no space left"):
        store_stream(database, organization_id, Endless(3 * CHUNK_BYTES))
    assert count_rows(database, organization_id) == (0, 0)


def test_security_42_the_quota_ends_an_upload(
    database: Database, organization_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_files, "QUOTA_BYTES", 20_000)
    first = store_stream(database, organization_id, io.BytesIO(random.Random(2).randbytes(15_000)))
    with pytest.raises(NoSpace, match="used up"):
        store_stream(database, organization_id, io.BytesIO(random.Random(3).randbytes(15_000)))
    assert count_rows(database, organization_id) == (1, 1)
    other = make_organization(database, "other")
    assert store_stream(database, other, io.BytesIO(random.Random(4).randbytes(15_000)))
    delete_stored_file(database, organization_id, first)
    assert count_rows(database, organization_id) == (0, 0)


def test_pages_write_while_a_file_arrives(database: Database, organization_id: int) -> None:
    written: list[int] = []

    class PageWrites(Endless):
        def read(self, size: int, /) -> bytes:
            written.append(make_organization(database, f"page-{len(written)}"))
            return super().read(size)

    store_stream(database, organization_id, PageWrites(CHUNK_BYTES))
    assert len(written) > 1


def test_deleting_takes_every_chunk(database: Database, organization_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "_DELETED_AT_ONCE", 2)
    kept = store_stream(database, organization_id, io.BytesIO(b"kept"))
    gone = store_stream(database, organization_id, Endless(5 * CHUNK_BYTES))
    delete_stored_file(database, organization_id, gone)
    assert count_rows(database, organization_id) == (1, 1)
    assert open_stored_file(database, organization_id, kept).read() == b"kept"


def test_broken_uploads_are_swept_after_a_day(database: Database, organization_id: int) -> None:
    kept = store_stream(database, organization_id, io.BytesIO(b"kept"))
    with writing_session(database, organization_id) as session:
        broken = StoredFile(
            id=new_id(), byte_count=0, stored_count=0, digest=b"", complete=False, created_at=clock.now()
        )
        session.add(broken)
        session.flush()
        session.add(StoredChunk(stored_file_id=broken.id, position=0, content=b"half"))
        session.commit()
    stored_files.sweep_incomplete(database)
    assert count_rows(database, organization_id) == (2, 2)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1, minutes=1), tick=False):
        stored_files.sweep_incomplete(database)
    assert count_rows(database, organization_id) == (1, 1)
    assert open_stored_file(database, organization_id, kept).read() == b"kept"
