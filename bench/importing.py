"""Import: its rate against a bare bulk insert of the same rows, its memory, and what pages notice of it meanwhile."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bench import data
from bench.call_files import Callers, Files, today, write_calls
from bench.children import count_bulk_commits, run_child
from bench.engines import FOLDER, Engine, Sqlite, tell
from bench.loaded import measure_loaded
from bench.report import Result, rate
from bench.scale import Scale
from bench.timing import Watch
from webapp.database.bulk import bulk_transaction
from webapp.database.engine import Database
from webapp.database.installation import number_key
from webapp.ingest.importer import run_import

_LEAST = 0.5
_MOST_BYTES = 30_000_000
#: What an import writes, and the order in which it does. Parties come first, in transactions of their own.
_PARTIES = ("party", "id")
_WRITTEN = (
    ("call_record", "record_key"),
    ("call_link", "link_key"),
    ("call", "started_at"),
    ("call_party", "started_at"),
    ("call_total", "slot"),
    ("call_day", "day"),
    ("call_month", "month"),
    ("party_total", "day"),
)
_ROWS = "sqlite-import"
_KNOWN_BEFORE = ("organization", "pbx", "stored_file", "import_file")


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    path, few = _file(scale, scale.import_lines), _file(scale, scale.fewer_import_lines)
    alone = engine.create(_rows_name(scale) if engine.name == Sqlite.name else f"{engine.name.lower()}-import")
    found = run_child(alone, "import", str(path))
    small = run_child(engine.create(f"{engine.name.lower()}-import-few"), "import", str(few))
    yield _memory(engine, found, small)
    rows = _BareRows(_rows_of(scale, path))
    yield _rate(engine, path, rows, found)
    rows.close()
    for name in ("import", "import-few", "import-again", "import-bare"):
        engine.drop(f"{engine.name.lower()}-{name}")
    if engine.name == Sqlite.name:
        yield from measure_loaded(engine, scale, _file(scale, scale.loaded_lines))


def _file(scale: Scale, lines: int) -> Path:
    """An Asterisk file of so many lines, kept between runs; it ends on the eve of the day on which it was made."""
    path = FOLDER / f"lines-{lines}-{scale.import_parties}.csv"
    if not path.exists():
        tell(f"writing {path.name}")
        write_calls(Files([path], Callers(scale.import_parties)), today(), lines=lines)
    return path


def _memory(engine: Engine, found: dict[str, Any], small: dict[str, Any]) -> Result:
    more = found["peak_bytes"] - small["peak_bytes"]
    return Result(
        f"{engine.name}: import of {found['rows']:,} lines, memory beyond that of {small['rows']:,} lines",
        f"{more / 1e6:.1f} MB",
        f"{_MOST_BYTES / 1e6:.0f} MB",
        more / _MOST_BYTES,
        1.0,
        note=f"peaks {small['peak_bytes'] / 1e6:.0f} and {found['peak_bytes'] / 1e6:.0f} MB",
    )


def _rows_of(scale: Scale, path: Path) -> Path:
    """The database that the import on SQLite made; PostgreSQL's bare insert takes its rows from there too."""
    name = _rows_name(scale)
    place = Sqlite().find(name)
    if place is None:
        for old in FOLDER.glob(f"{_ROWS}-*"):
            Sqlite().drop(old.name)
        tell("importing once on SQLite, for the rows")
        place = Sqlite().create(name)
        run_child(place, "import", str(path))
    return place.data_dir / "callbook.sqlite"


def _rows_name(scale: Scale) -> str:
    return f"{_ROWS}-{data.fingerprint(scale)}"


def _rate(engine: Engine, path: Path, rows: "_BareRows", found: dict[str, Any]) -> Result:
    """Import once more, and after each of its batches insert a slice of the rows that it made before: by turns."""
    place, bare_place = (engine.create(f"{engine.name.lower()}-import-{name}") for name in ("again", "bare"))
    database, bare_database = place.open(), bare_place.open()
    organization_id = data.new_organization(database, data.SLUG, "Bench Ltd")
    file_id = data.receive(database, organization_id, data.new_pbx(database, organization_id, data.MAIN), path)
    bare, importing = Watch(), Watch()
    slices = rows.insert(bare_database, found["transactions"], bare)
    commits = count_bulk_commits(database)

    def turn() -> bool:
        importing.stop()
        next(slices, None)
        importing.start()
        return True

    with importing:
        run_import(database, number_key(place.settings), organization_id, file_id, turn)
    for _ in slices:
        pass
    file = data.check_done(database, organization_id, file_id)
    _check_same(database, bare_database)
    note = (
        f"{importing.wall:.0f} s, {len(commits)} transactions; CPU {bare.cpu / importing.cpu:.2f}; "
        f"in a process of its own {rate(found['rows'], found['seconds'])}; "
        f"file stored before in {found['storing_seconds']:.1f} s"
    )
    for each in (database, bare_database):
        each.dispose()
    return Result(
        f"{engine.name}: import of {file.read_count:,} lines against a bare insert of the same {rows.count:,} rows",
        rate(file.read_count, importing.wall),
        rate(file.read_count, bare.wall),
        bare.wall / importing.wall,
        _LEAST,
        at_least=True,
        note=note,
    )


def _check_same(database: Database, bare_database: Database) -> None:
    """Both hold the same number of calls, else the comparison is none."""
    counts = {data.count_calls(each, data.organization(each).id) for each in (database, bare_database)}
    if len(counts) != 1:
        raise RuntimeError(f"the import and the bare insert made different numbers of calls: {counts}")


class _BareRows:
    """The rows that an import wrote, read from its database a slice at a time, so that memory stays as it is."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path)
        self._counts = {table: self._count(table) for table, _ in (_PARTIES, *_WRITTEN)}
        self.count = sum(self._counts.values())

    def close(self) -> None:
        self._connection.close()

    def insert(self, database: Database, transactions: int, watch: Watch) -> Iterator[None]:
        """Write all rows in about so many transactions; only the writing is timed. Yields after each of them."""
        self._prepare(database)
        [(organization_id,)] = self._connection.execute("SELECT id FROM organization").fetchall()
        pieces = [self._pieces(*_PARTIES, max(1, transactions * self._counts["party"] // self.count))]
        yield from _insert(database, organization_id, pieces, watch)
        yield from _insert(
            database, organization_id, [self._pieces(table, order, transactions) for table, order in _WRITTEN], watch
        )

    def _prepare(self, database: Database) -> None:
        """What was there before the import."""
        for table in _KNOWN_BEFORE:
            cursor = self._connection.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                organization_id = row[0]
                values = [bool(value) if name in _BOOLEANS else value for name, value in zip(names, row, strict=True)]
                with bulk_transaction(database, organization_id) as transaction:
                    transaction.insert(table, names, [values])

    def _pieces(self, table: str, order: str, pieces: int) -> "_Pieces":
        cursor = self._connection.execute(f"SELECT * FROM {table} ORDER BY {order}")
        return _Pieces(table, [column[0] for column in cursor.description], cursor, self._counts[table], pieces)

    def _count(self, table: str) -> int:
        [(count,)] = self._connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        return int(count)


_BOOLEANS = ("complete", "cancel_asked", "second_factor_required")


class _Pieces:
    """The rows of one table, cut into so many pieces."""

    def __init__(self, table: str, columns: Sequence[str], cursor: sqlite3.Cursor, count: int, pieces: int) -> None:
        self.table, self.columns = table, columns
        self._cursor, self._count, self.pieces = cursor, count, pieces

    def take(self, turn: int) -> list[tuple[Any, ...]]:
        first, last = (self._count * place // self.pieces for place in (turn, turn + 1))
        return list(islice(self._cursor, last - first))


def _insert(database: Database, organization_id: int, tables: list[_Pieces], watch: Watch) -> Iterator[None]:
    for turn in range(tables[0].pieces):
        taken = [(table, table.take(turn)) for table in tables]
        with watch, bulk_transaction(database, organization_id) as transaction:
            for table, rows in taken:
                transaction.insert(table.table, table.columns, rows)
        yield
