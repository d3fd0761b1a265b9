"""The memory of a backup, a drill and a restore is flat in the size of the database."""

import secrets

import pytest

from config import Settings
from tests.make import Make
from tests.recovery.conftest import newest, run_process
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.jobs.models import StoredChunk, StoredFile

CHUNKS, CHUNK_BYTES = 60, 1024 * 1024
MOST_MORE = 25 * 1024 * 1024


def fill(make: Make) -> None:
    stored = StoredFile(
        id=new_id(), byte_count=CHUNKS * CHUNK_BYTES, stored_count=CHUNKS * CHUNK_BYTES, digest=bytes(32),
        complete=True, created_at=now(),
    )  # fmt: skip
    make.store(stored)
    for position in range(CHUNKS):
        make.store(StoredChunk(stored_file_id=stored.id, position=position, content=secrets.token_bytes(CHUNK_BYTES)))


def peak(settings: Settings, *arguments: object) -> int:
    done = run_process(settings, *arguments)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("what", ["backup", "drill", "restore"])
def test_flat(make: Make, settings: Settings, empty: Settings, what: str) -> None:
    peaks = [peak(settings, "backup", "nowhere")]
    if what == "drill":
        peaks = [peak(settings, "drill", "nowhere")]
    fill(make)
    after = peak(settings, "backup", "nowhere")
    assert newest(settings).manifest.byte_count > CHUNKS * CHUNK_BYTES
    if what == "drill":
        after = peak(settings, "drill", "nowhere")
    if what == "restore":
        after = peak(empty, "restore", "nowhere", newest(settings).path)
    assert after - peaks[0] < MOST_MORE, (after, peaks)
