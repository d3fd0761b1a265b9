"""The export of all calls as CSV, against csv.writer over a bare cursor of the same columns, and its memory."""

import csv
import io
import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from bench.browse import LOG
from bench.browser import Browser
from bench.children import run_child
from bench.data import count_calls, organization, stocked
from bench.engines import Engine, Place
from bench.report import Result, rate
from bench.scale import Scale
from bench.timing import Watch
from webapp import create_app

PATH = f"{LOG}/export?period=all"
_LEAST = 0.5
_MOST_BYTES = 30_000_000
_PIECE_ROWS = 5000
_BARE = """
SELECT call.started_at, call.started_at, call.started_at, call.direction, call.outcome, call.outcome,
       coalesce(caller.e164, caller.digits), caller.name, coalesce(reached.e164, reached.digits), reached.name,
       call.ring_seconds, call.talk_seconds, pbx.name
  FROM call
  JOIN pbx ON pbx.organization_id = call.organization_id AND pbx.id = call.pbx_id
  LEFT JOIN party AS caller ON caller.organization_id = call.organization_id AND caller.id = call.caller_id
  LEFT JOIN party AS reached ON reached.organization_id = call.organization_id
        AND reached.id = coalesce(call.callee_id, call.dialed_id)
 WHERE call.organization_id = {organization_id}
 ORDER BY call.started_at DESC, call.call_key DESC
"""


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    place = stocked(engine, scale, scale.calls)
    yield _speed(engine, place)
    peaks = [
        run_child(stocked(engine, scale, calls), "export", PATH)["peak_bytes"]
        for calls in (scale.fewer_calls, scale.calls)
    ]
    yield Result(
        f"{engine.name}: export, memory for {scale.calls:,} calls beyond that for {scale.fewer_calls:,}",
        f"{(peaks[1] - peaks[0]) / 1e6:.1f} MB",
        f"{_MOST_BYTES / 1e6:.0f} MB",
        (peaks[1] - peaks[0]) / _MOST_BYTES,
        1.0,
        note=f"peaks {peaks[0] / 1e6:.0f} and {peaks[1] / 1e6:.0f} MB",
    )


def _speed(engine: Engine, place: Place) -> Result:
    """A piece of the export, then as many rows of the bare cursor, by turns."""
    database = place.open()
    browser = Browser(create_app(place.settings, database), database)
    organization_id = organization(database).id
    count = count_calls(database, organization_id)
    exporting, bare = Watch(), Watch()
    with exporting:
        pieces = iter(browser.answer(PATH)[0])
    with _bare_cursor(place, organization_id) as cursor:
        done = bare_count = lines = 0
        while done != 2:
            done = 0
            with exporting:
                piece = next(pieces, b"")
            lines += piece.count(b"\n")
            done += not piece
            with bare:
                bare_piece = _write(itertools.islice(cursor, _PIECE_ROWS))
            bare_count += bare_piece.count(b"\n")
            done += not bare_piece
    database.dispose()
    if (lines - 1, bare_count) != (count, count):
        raise RuntimeError(f"{count} calls, but {lines - 1} were exported and {bare_count} read by the bare cursor")
    return Result(
        f"{engine.name}: CSV export of {count:,} calls against csv.writer over a bare cursor",
        rate(count, exporting.wall),
        rate(count, bare.wall),
        bare.wall / exporting.wall,
        _LEAST,
        at_least=True,
        note=f"{exporting.wall:.1f} s; CPU {bare.cpu / exporting.cpu:.2f}",
    )


def _write(rows: Iterator[Any]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


@contextmanager
def _bare_cursor(place: Place, organization_id: int) -> Iterator[Any]:
    statement = _BARE.format(organization_id=organization_id)
    url = make_url(place.settings.database_url)
    if url.get_backend_name() == "sqlite":
        assert url.database
        with closing(sqlite3.connect(url.database)) as connection:
            yield connection.execute(statement)
        return
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False)) as server:
        server.execute(f"SET LOCAL app.organization_id = '{organization_id}'")
        with server.cursor(name="bare") as cursor:  # a cursor of the server, else all rows come at once
            cursor.itersize = _PIECE_ROWS
            cursor.execute(statement)
            yield cursor
