"""Files that are no call logs, or broken ones, as the person meets them: handed in, previewed, imported, explained."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.cast import Cast
from tests.ingest.faults import Steps, disk_full
from tests.make import Make
from tests.sources.conftest import HandsIn, asterisk_file
from webapp.calls.models import Call, ImportState
from webapp.database.engine import Database

SignIn = Callable[[object], HandsIn]
MIB = 1024 * 1024
TABLE = b"Start,Caller,Dialled number,Duration,Reference\n"


@pytest.mark.parametrize(
    "content", [b"<!DOCTYPE html>\n<html><body>Please sign in</body></html>", b"\n <HTML lang=en>\n"]
)
def test_a_web_page_is_no_call_log(hands_in: SignIn, cast: Cast, make: Make, content: bytes) -> None:
    """What a browser saves when the sign-in of the phone system had run out."""
    hands, pbx = hands_in(cast.max), make.pbx()
    answer = hands.upload(pbx, content, "calls.csv")
    assert answer.status_code == 422
    assert "This is a web page, perhaps the sign-in page of the phone system." in answer.text
    assert "Nothing of the file was stored." in answer.text
    assert hands.files() == []


def test_a_bomb_is_refused_before_it_is_stored(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    answer = hands.upload(pbx, gzip.compress(bytes(64 * MIB)), "Master.csv.gz")
    assert answer.status_code == 422
    assert "unpacks to more than 200 times its size" in answer.text
    assert hands.files() == []


def test_a_bomb_behind_good_rows_stops_the_import_with_words(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    packed = gzip.compress(asterisk_file(3000)) + gzip.compress(bytes(256 * MIB))
    address = hands.take_in(pbx, packed, "Master.csv.gz")
    [file] = hands.files()
    assert file.state == ImportState.FAILED
    assert file.read_count == file.stored_count == len(hands.calls()) > 0
    page = hands.client.get(address).text
    assert "unpacks to more than 200 times its size" in page
    assert "Rows counted here are stored" in page


@pytest.mark.parametrize(
    ("packed", "reason"), [(False, "is not closed on it"), (True, "The gzip file breaks off here")]
)
def test_a_file_that_was_cut_off_says_in_which_line(
    hands_in: SignIn, cast: Cast, make: Make, packed: bool, reason: str
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    whole = asterisk_file(3000)
    part = gzip.compress(whole)[:-9000] if packed else whole[:-60]
    address = hands.take_in(pbx, part)
    [file] = hands.files()
    assert (file.state, file.refused_count) == (ImportState.DONE, 1)
    assert "See 1 refused line" in hands.client.get(address).text
    page = hands.client.get(f"{address}/refused").text
    assert reason in page
    assert f'<td class="line">{file.stored_count + 1:,}</td>' in page
    hands.take_in(pbx, whole, "again.csv")
    assert len(hands.calls()) == 3000


def test_a_column_that_never_changes_is_no_call_id(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    header = TABLE.replace(b"Reference", b"Call ID")
    lines = b"".join(b"2026-03-02 09:%02d:00,02079460001,201,30,7\n" % turn for turn in range(20))
    hands.take_in(pbx, header + lines, "table.csv")
    assert len(hands.calls()) == 20, "the guess leaves it out"


@pytest.mark.parametrize(
    ("field", "words"), [("id", "those would be taken for one record"), ("call_id", "all would become one call")]
)
def test_choosing_a_column_that_never_changes_is_told(
    hands_in: SignIn, cast: Cast, make: Make, field: str, words: str
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    lines = b"".join(b"2026-03-02 09:%02d:00,02079460001,201,30,7\n" % turn for turn in range(20))
    address = hands.receive(pbx, TABLE + lines, "table.csv")
    form = {"delimiter": ",", "has_header": "y", "date_order": "ymd"}
    chosen = ("started", "caller", "dialed", "duration", field)
    before = hands.files()[0].column_map
    answer = hands.client.send(f"{address}/columns", form | {f"columns-{n}": name for n, name in enumerate(chosen)})
    assert answer.status_code == 422
    assert words in answer.text
    assert hands.files()[0].column_map == before
    good = form | {f"columns-{n}": name for n, name in enumerate((*chosen[:4], ""))}
    assert hands.client.send(f"{address}/columns", good).status_code == 303


@pytest.mark.parametrize("part", [0.0, 0.2, 0.5, 0.99])
def test_a_disk_that_is_full_and_stays_full_under_the_command(
    app: Flask, cast: Cast, make: Make, database: Database, tmp_path: Path, part: float
) -> None:
    """Whatever cannot be written, the end of the import included: a sentence, status 3, and the same file mends it."""
    pbx, other = make.pbx("Head office"), make.pbx("Depot")
    path = tmp_path / "Master.csv"
    path.write_bytes(asterisk_file(300))

    def import_into(name: str) -> tuple[int, str]:
        arguments = ["import-calls", str(path), "--organization", "harbour", "--pbx", name, "--json"]
        result = app.test_cli_runner().invoke(args=arguments)
        return result.exit_code, result.output

    with Steps(lambda _steps: None).install(database) as steps:
        assert import_into(other.name)[0] == 0
    first = 1 + int(part * (steps.number - 1))

    def full(steps: Steps) -> None:
        if steps.number >= first:
            raise disk_full(database, steps.kind)

    with Steps(full).install(database):
        status, output = import_into(pbx.name)
    assert status == 3
    assert "disk is full" in output and "Traceback" not in output
    status, output = import_into(pbx.name)
    assert status == 0
    assert json.loads(output)["read"] == 300
    with make.session() as session:
        assert len(session.query(Call).where(Call.pbx_id == pbx.id).all()) == 300
