"""Files that no phone system meant to write, through the whole path: what can be read is stored, the rest is kept with
its reason, memory stays flat, and the whole file afterwards mends it.
"""

import gzip
import itertools
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import asdict

import pytest

from tests.conftest import NUMBER_KEY
from tests.ingest.importing import Importing, asterisk_row
from webapp.calls.models import CallRecord, ImportFile, ImportState, RejectedLine
from webapp.calls.outcomes import Outcome
from webapp.ingest import importer
from webapp.ingest.batches import Batch
from webapp.ingest.preview import preview_file
from webapp.ingest.records import ColumnMap
from webapp.ingest.settings import PbxSettings
from webapp.ingest.undo import undo_import
from webapp.jobs.stored_files import open_stored_file, store_stream

MIB = 1024 * 1024


def rows(count: int, first: int = 0) -> bytes:
    return b"".join(
        asterisk_row(unique=f"{1784116800 + turn}.{turn}", sequence=turn) for turn in range(first, first + count)
    )


class Pieces:
    """A stream of pieces that are made as they are read: nothing of a large file is ever in memory whole."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            missing -= len(piece)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]


def queue_pieces(harbour: Importing, pbx_id: int, pieces: Iterable[bytes], **fields: object) -> int:
    import_file_id = harbour.queue(pbx_id, b"x", **fields)
    stored_file_id = store_stream(harbour.database, harbour.organization.id, Pieces(pieces))
    harbour.change(import_file_id, stored_file_id=stored_file_id)
    return import_file_id


def run_measured(harbour: Importing, import_file_id: int) -> tuple[ImportFile, int]:
    """The import as it ended, and the most memory that was taken."""
    tracemalloc.start()
    try:
        result = harbour.run(import_file_id)
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def reasons(harbour: Importing) -> list[tuple[int, str]]:
    return sorted((line.line_number, line.reason) for line in harbour.all(RejectedLine))


def counts(result: ImportFile) -> tuple[ImportState, int, int, int, int]:
    return result.state, result.read_count, result.stored_count, result.duplicate_count, result.refused_count


# ------------------------------------------------------------------------------------------ no call log, cut, damaged


def test_a_letter_read_as_a_call_log_is_refused_line_by_line(harbour: Importing) -> None:
    result = harbour.load(harbour.pbx(), b"Dear Sir,\nthank you for your letter, which I read.\n\nYours\n")
    assert counts(result) == (ImportState.DONE, 3, 0, 0, 3)
    assert [number for number, _reason in reasons(harbour)] == [1, 2, 4]
    assert "a row of Asterisk's Master.csv has 16 to 21" in reasons(harbour)[0][1]


@pytest.mark.parametrize("cut", [8, 40, 120, 200])
def test_a_file_cut_in_mid_line_is_mended_by_the_whole_file(harbour: Importing, cut: int) -> None:
    pbx, whole = harbour.pbx(), rows(30)
    part = harbour.load(pbx, whole[: len(whole) - cut])
    assert counts(part) == (ImportState.DONE, 30, 29, 0, 1)
    [(line, reason)] = reasons(harbour)
    assert line == 30 and reason.endswith(".")
    assert counts(harbour.load(pbx, whole)) == (ImportState.DONE, 30, 1, 29, 0)
    assert len(harbour.calls()) == 30
    harbour.check()


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_cut_within_the_last_number_makes_no_second_call(harbour: Importing, cut: int) -> None:
    """Nobody can see that 2 was to be 29. The row names its call, so the whole row joins it and counts once."""
    pbx, whole = harbour.pbx(), rows(30)
    harbour.load(pbx, whole[: len(whole) - cut])
    harbour.load(pbx, whole)
    assert [(call.outcome, call.talk_seconds) for call in harbour.calls()] == [(Outcome.ANSWERED, 192)] * 30
    harbour.check()


@pytest.mark.parametrize("cut", [4, 9, 20])
def test_a_cut_table_makes_no_call_of_the_rest_of_a_row(harbour: Importing, cut: int) -> None:
    """A table's rows are known by all that they hold: half a row would stay beside the whole one for ever."""
    header = b"Start,Caller,Dialled,Duration\n"
    table = header + b"".join(b"2026-07-15 13:%02d:00,02079460123,201,%d\n" % (turn, 60 + turn) for turn in range(20))
    columns = ColumnMap(",", True, {"started": 0, "caller": 1, "dialed": 2, "duration": 3}, "ymd")
    fields = {"column_map": json.dumps(asdict(columns))}
    pbx = harbour.pbx(format="generic_csv")
    part = harbour.load(pbx, table[: len(table) - cut], "generic_csv", **fields)
    assert (part.stored_count, part.skipped_count, part.refused_count) == (19, 1, 1)
    assert "The file breaks off in this line" in reasons(harbour)[0][1]
    harbour.load(pbx, table, "generic_csv", **fields)
    assert len(harbour.calls()) == 20
    assert harbour.load(harbour.pbx(), table[:-1], "generic_csv", **fields).stored_count == 20, "no end is no cut"
    harbour.check()


def test_a_packed_file_that_breaks_off_is_mended_by_the_whole_file(harbour: Importing) -> None:
    pbx, whole = harbour.pbx(), rows(3000)
    packed = gzip.compress(whole)
    part = harbour.load(pbx, packed[: len(packed) * 2 // 3])
    assert part.state == ImportState.DONE
    assert 1000 < part.stored_count < 3000 and part.refused_count == 1
    [(line, reason)] = reasons(harbour)
    assert line == part.stored_count + 1
    assert reason == "The gzip file breaks off here; the rest of it is missing. Copy the file again, whole."
    after = harbour.load(pbx, packed)
    assert counts(after) == (ImportState.DONE, 3000, 3000 - part.stored_count, part.stored_count, 0)
    harbour.check()


def test_a_gzip_bomb_in_the_middle_stops_it_and_keeps_what_came_before(harbour: Importing) -> None:
    pbx = harbour.pbx()
    whole = rows(300)
    bomb = gzip.compress(whole) + gzip.compress(bytes(80 * MIB))
    result, most = run_measured(harbour, harbour.queue(pbx, bomb))
    assert result.state == ImportState.FAILED
    assert result.read_count == result.stored_count == len(harbour.calls()) > 0
    assert result.error is not None
    assert "unpacks to more than 200 times its size" in result.error
    assert "Rows counted here are stored" in result.error
    assert most < 24 * MIB
    harbour.check()
    assert harbour.load(pbx, whole).state == ImportState.DONE
    assert len(harbour.calls()) == 300


def test_the_file_is_gone(harbour: Importing) -> None:
    import_file_id = harbour.queue(harbour.pbx(), rows(3))
    harbour.change(import_file_id, stored_file_id=None)
    result = harbour.run(import_file_id)
    assert result.state == ImportState.FAILED
    assert result.error and "Upload it again" in result.error


# ----------------------------------------------------------------------------------------------------- NULs, encoding


@pytest.mark.parametrize("size", [600, MIB - 200, MIB, MIB + 65_536, 3 * MIB])
def test_holes_of_nuls_lose_no_row(harbour: Importing, size: int) -> None:
    """logrotate's copytruncate under a writer that goes on leaves such a hole; a power cut leaves one anywhere."""
    pbx, hole = harbour.pbx(), bytes(size)
    result = harbour.load(pbx, hole + rows(20) + hole + rows(20, first=20))
    assert counts(result) == (ImportState.DONE, 40, 40, 0, 0)
    again = harbour.load(pbx, rows(40))
    assert again.stored_count + again.duplicate_count == 40
    assert len(harbour.calls()) == 40
    harbour.check()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_name_is_the_same_in_any_encoding(harbour: Importing, encoding: str) -> None:
    text = asterisk_row(name="Café Zürich — Überlingen").decode()
    result = harbour.load(harbour.pbx(), text.encode(encoding))
    assert counts(result) == (ImportState.DONE, 1, 1, 0, 0)
    assert harbour.all(CallRecord)[0].caller_name == "Café Zürich — Überlingen"


# ------------------------------------------------------------------------------------------------------------ too much


def test_security_42_one_line_of_100_megabytes(harbour: Importing) -> None:
    pieces = itertools.chain([rows(10)], itertools.repeat(b"x" * 65_536, 1600), [b"\n", rows(10, first=10)])
    result, most = run_measured(harbour, queue_pieces(harbour, harbour.pbx(), pieces))
    assert counts(result) == (ImportState.DONE, 21, 20, 0, 1)
    [line] = harbour.all(RejectedLine)
    assert (line.line_number, len(line.raw)) == (11, 2000)
    assert "longer than 1 MiB" in line.reason
    assert most < 32 * MIB
    harbour.check()


def test_many_lines_of_a_megabyte(harbour: Importing) -> None:
    """Each may be a row, so each is looked at; a batch of them is counted by its size."""
    line = b"xy," * (MIB // 3 - 8) + b"\n"  # as many fields as a line can have: they take fifty times its room
    result, most = run_measured(harbour, queue_pieces(harbour, harbour.pbx(), itertools.repeat(line, 130)))
    assert counts(result) == (ImportState.DONE, 130, 0, 0, 130)
    assert {len(refused.raw) for refused in harbour.all(RejectedLine)} == {64 * 1024}
    assert most < 192 * MIB


def test_a_batch_of_long_rows_ends_by_its_size(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    store, sizes = importer._Import._store, []

    def measured(self: importer._Import, batch: Batch, *rest: int) -> None:
        sizes.append(sum(len(record.raw) for record in batch.records))
        store(self, batch, *rest)

    monkeypatch.setattr(importer._Import, "_store", measured)
    long_rows = (asterisk_row(name="X" * 100_000, unique=f"{1784116800 + turn}.{turn}") for turn in range(150))
    result = harbour.run(queue_pieces(harbour, harbour.pbx(), long_rows))
    assert counts(result) == (ImportState.DONE, 150, 150, 0, 0)
    # More batches where the disk is slow: the size that they may have does not depend on time.
    assert len(sizes) >= 2 and 7 * MIB < sizes[0] < 9 * MIB and max(sizes) < 9 * MIB


def test_refused_lines_by_the_ten_thousand(harbour: Importing) -> None:
    """Two million were tried by hand; here the memory that a few and many take is compared."""

    def refused(count: int) -> Iterator[bytes]:
        return (b"this is line %d of no call log\n" % number for number in range(count))

    few, least = run_measured(harbour, queue_pieces(harbour, harbour.pbx(), refused(4000)))
    many, most = run_measured(harbour, queue_pieces(harbour, harbour.pbx(), refused(24_000)))
    assert counts(few) == (ImportState.DONE, 4000, 0, 0, 4000)
    assert counts(many) == (ImportState.DONE, 24_000, 0, 0, 24_000)
    assert len(harbour.all(RejectedLine)) == 28_000
    assert most < least + 6 * MIB


def test_the_preview_of_endless_lines_is_bounded(harbour: Importing) -> None:
    pbx = harbour.pbx()
    row = asterisk_row(name="X" * 100_000)
    import_file_id = queue_pieces(harbour, pbx, itertools.repeat(row, 300))
    stored_file_id = harbour.result(import_file_id).stored_file_id
    assert stored_file_id is not None
    with open_stored_file(harbour.database, harbour.organization.id, stored_file_id) as stream:
        preview = preview_file(stream, PbxSettings(pbx, "Europe/London", "GB"), bytes(32), "asterisk_cdr_csv")
    assert 40 <= preview.rows_looked_at < 50
    assert preview.calls


# -------------------------------------------------------------------------------------------------- moments of an end


def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "_FIRST_BATCH", 20)
    monkeypatch.setattr(importer, "_LARGEST_BATCH", 20)


def test_an_import_cancelled_while_it_begins_stays_cancelled(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_file_id = harbour.queue(harbour.pbx(), rows(3))
    load_plan = importer.load_plan

    def cancelled_behind_it(*values: object, **named: object) -> object:
        plan = load_plan(*values, **named)  # type: ignore[arg-type]
        harbour.change(import_file_id, state=ImportState.CANCELLED)
        return plan

    monkeypatch.setattr(importer, "load_plan", cancelled_behind_it)
    assert harbour.run(import_file_id).state == ImportState.CANCELLED
    assert not harbour.calls()


def test_a_run_that_was_taken_for_dead_counts_nothing_twice(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept: its import was taken up by another worker, and it wakes up in the middle of it."""
    small_batches(monkeypatch)
    import_file_id = harbour.queue(harbour.pbx(), b"no call\n" * 30 + rows(90))
    batches = 0

    def sleep_after_two_batches() -> bool:
        nonlocal batches
        batches += 1
        if batches == 2:
            harbour.run(import_file_id, keep_going=lambda: False)
        return True

    assert harbour.run(import_file_id, keep_going=sleep_after_two_batches).read_count == 60
    assert batches == 2, "it left off"
    assert counts(harbour.run(import_file_id)) == (ImportState.DONE, 120, 90, 0, 30)
    harbour.check()


def test_a_run_that_passes_over_rows_shows_that_it_lives(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million rows counted before take longer to pass over than a lease lasts."""
    small_batches(monkeypatch)
    monkeypatch.setattr(importer, "_PASSED_OVER", 20)
    import_file_id = harbour.queue(harbour.pbx(), rows(100))
    left = [True, True, True, False]
    harbour.run(import_file_id, keep_going=lambda: left.pop(0))
    assert harbour.result(import_file_id).read_count == 80
    asked = []
    harbour.run(import_file_id, keep_going=lambda: not asked.append(1))  # type: ignore[func-returns-value]
    assert len(asked) == 4 + 1
    assert harbour.run(import_file_id, keep_going=lambda: False).state == ImportState.DONE


@pytest.mark.parametrize("end", [ImportState.CANCELLED, ImportState.FAILED])
def test_what_a_stopped_import_had_counted_as_there_comes_back_after_an_undo(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch, end: ImportState
) -> None:
    small_batches(monkeypatch)
    pbx = harbour.pbx()
    first = harbour.load(pbx, rows(40))
    second = harbour.queue(pbx, rows(60, first=20))
    harbour.run(second, keep_going=lambda: False)
    harbour.change(second, state=end)
    harbour.undo(first.id)
    assert counts(harbour.result(second)) == (end, 20, 20, 0, 0)
    assert len(harbour.calls()) == 20
    harbour.check()


def test_an_undo_under_a_running_import_that_is_then_cancelled(
    harbour: Importing, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    pbx = harbour.pbx()
    first = harbour.load(pbx, rows(40))
    second = harbour.queue(pbx, rows(60, first=20))
    harbour.run(second, keep_going=lambda: False)
    harbour.undo(first.id)
    assert not harbour.calls()
    harbour.change(second, cancel_asked=True)
    assert counts(harbour.run(second)) == (ImportState.CANCELLED, 20, 20, 0, 0)
    assert len(harbour.calls()) == 20
    harbour.check()


def test_killed_between_its_end_and_the_look_for_an_undo(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    small_batches(monkeypatch)
    pbx = harbour.pbx()
    first = harbour.load(pbx, rows(40))
    second = harbour.queue(pbx, rows(40))
    harbour.run(second, keep_going=lambda: False)
    harbour.undo(first.id)

    def killed(*_values: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(importer, "refill", killed)
        with pytest.raises(KeyboardInterrupt):
            harbour.run(second)
    assert counts(harbour.result(second)) == (ImportState.DONE, 40, 20, 20, 0)
    assert counts(harbour.run(second)) == (ImportState.DONE, 40, 40, 0, 0)
    assert len(harbour.calls()) == 40
    harbour.check()


def test_a_long_undo_shows_that_it_lives(harbour: Importing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading another file again may last longer than a lease; a job that falls silent is given to another worker."""
    small_batches(monkeypatch)
    pbx = harbour.pbx()
    first = harbour.load(pbx, rows(10))
    harbour.load(pbx, rows(100))
    asked: list[int] = []

    def keep_going() -> bool:
        asked.append(1)
        return len(asked) < 4

    harbour.change(first.id, state=ImportState.UNDOING)
    undo_import(harbour.database, NUMBER_KEY, harbour.organization.id, first.id, keep_going)
    assert len(asked) == 4
    assert harbour.result(first.id).state == ImportState.UNDOING
    assert harbour.undo(first.id).state == ImportState.UNDONE
    assert len(harbour.calls()) == 100
    harbour.check()
