"""create-pbx and import-calls: what they print and how they end; others script against both."""

import gzip
import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from tests.cast import Cast
from tests.make import Make
from tests.sources.conftest import asterisk_file
from webapp.calls.models import Call, ImportFile, ImportState, Pbx
from webapp.jobs.models import Job, JobState, StoredFile
from webapp.sources import commands

KEYS = ["read", "stored", "duplicates", "skipped", "too_old", "refused", "calls", "seconds"]


@pytest.fixture
def run(app: Flask, cast: Cast):  # type: ignore[no-untyped-def]
    def invoke(*arguments: str, stdin: bytes | None = None) -> Result:
        return app.test_cli_runner().invoke(args=list(arguments), input=stdin)

    return invoke


def import_calls(run, path: object, *more: str, stdin: bytes | None = None) -> Result:  # type: ignore[no-untyped-def]
    result: Result = run(
        "import-calls", str(path), "--organization", "harbour", "--pbx", "Head office", *more, stdin=stdin
    )
    return result


@pytest.fixture
def master(tmp_path: Path) -> Path:
    path = tmp_path / "Master.csv"
    path.write_bytes(asterisk_file(30) + b"not,a,call\n")
    return path


def test_create_pbx(run, make: Make) -> None:  # type: ignore[no-untyped-def]
    result = run("create-pbx", "Head office", "--organization", "harbour")
    assert result.exit_code == 0, result.output
    result = run(
        "create-pbx", "Depot", "--organization", "harbour", "--format", "generic_csv", "--time-zone", "Europe/Oslo"
    )
    assert result.exit_code == 0, result.output
    with make.session() as session:
        found = {pbx.name: (pbx.format, pbx.time_zone) for pbx in session.query(Pbx)}
    assert found == {"Head office": (None, "Europe/London"), "Depot": ("generic_csv", "Europe/Oslo")}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Head office", "--organization", "harbour"), "already"),
        (("New", "--organization", "nowhere"), "nowhere"),
        (("New", "--organization", "harbour", "--time-zone", "Mars/Olympus"), "no time zone"),
        (("New", "--organization", "harbour", "--format", "nonsense"), "asterisk_cdr_csv"),
    ],
)
def test_create_pbx_says_what_is_wrong(run, make: Make, arguments: tuple[str, ...], words: str) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office")
    result = run("create-pbx", *arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output


def test_import_calls_tells_the_counts(run, make: Make, master: Path) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office", format=None)
    result = import_calls(run, master)
    assert result.exit_code == 0, result.output
    assert result.output == "read 31 = stored 30 + already there 0 + not a call 0 + refused 1, making 30 calls\n"
    with make.session() as session:
        assert len(session.query(Call).all()) == 30
        assert session.query(Pbx).one().format == "asterisk_cdr_csv"
        assert session.query(ImportFile).one().state == ImportState.DONE
        assert [job.state for job in session.query(Job)] == [JobState.DONE]


def test_json_is_one_object_and_nothing_else(run, make: Make, master: Path) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office")
    result = import_calls(run, master, "--json")
    counts = json.loads(result.stdout)
    assert list(counts) == KEYS
    assert [counts[key] for key in KEYS[:7]] == [31, 30, 0, 0, 0, 1, 30]
    again = json.loads(import_calls(run, master, "--json").stdout)
    assert [again[key] for key in KEYS[:7]] == [31, 0, 30, 0, 0, 1, 0]


def test_standard_input_and_gzip(run, make: Make) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office")
    result = import_calls(run, "-", "--json", stdin=gzip.compress(asterisk_file(10)))
    assert json.loads(result.stdout)["stored"] == 10


def test_a_zone_of_its_own(run, make: Make, master: Path) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office")
    assert import_calls(run, master, "--time-zone", "America/New_York").exit_code == 0
    with make.session() as session:
        assert min(call.started_at.hour for call in session.query(Call)) == 14


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, b"Dear Sir,\nyours\n"])
def test_what_cannot_be_read_ends_with_1_and_leaves_nothing(run, make: Make, tmp_path: Path, content: bytes) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office", format=None)
    path = tmp_path / "file"
    path.write_bytes(content)
    result = import_calls(run, path, "--json")
    assert result.exit_code == 1
    assert [json.loads(result.stdout)[key] for key in KEYS[:6]] == [0] * 6
    assert "Nothing" in result.stderr
    with make.session() as session:
        assert session.query(ImportFile).all() == []
        assert session.query(StoredFile.id).all() == []


def test_an_unknown_format_says_which_there_are(run, make: Make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office", format=None)
    path = tmp_path / "letter.txt"
    path.write_bytes(b"Dear Sir,\nyours\n")
    result = import_calls(run, path)
    for name in ("asterisk_cdr_csv", "freepbx_report_csv", "freeswitch_cdr_csv", "generic_csv"):
        assert name in result.output
    forced = import_calls(run, path, "--format", "asterisk_cdr_csv")
    assert forced.exit_code == 1, "two lines, both refused"


def test_other_mistakes_end_with_2(run, make: Make, master: Path) -> None:  # type: ignore[no-untyped-def]
    result = import_calls(run, master)
    assert result.exit_code == 2
    assert "flask create-pbx" in result.output
    make.pbx("Head office")
    assert run("import-calls", str(master), "--organization", "nowhere", "--pbx", "Head office").exit_code == 2
    assert import_calls(run, master, "--time-zone", "Mars/Olympus").exit_code == 1
    assert import_calls(run, "/no/such/file").exit_code == 1


def test_a_closed_system_takes_nothing(run, make: Make, master: Path) -> None:  # type: ignore[no-untyped-def]
    pbx = make.pbx("Head office")
    with make.session() as session:
        session.get_one(Pbx, (pbx.organization_id, pbx.id)).closed_at = pbx.created_at
        session.commit()
    result = import_calls(run, master)
    assert result.exit_code == 1
    assert "is closed" in result.output


def test_ctrl_c_keeps_what_is_stored(run, make: Make, master: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    make.pbx("Head office")

    def interrupt(_self: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands._Shown, "keep_going", interrupt)
    result = import_calls(run, master)
    assert result.exit_code == 3
    assert "30" in result.output
    with make.session() as session:
        assert session.query(ImportFile).one().state == ImportState.CANCELLED
