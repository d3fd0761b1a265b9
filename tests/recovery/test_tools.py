"""PostgreSQL's own programs: of a version that fits, told by what they say; and what they leave to the place."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from config import Settings
from tests import postgresql
from tests.make import Make
from tests.recovery.conftest import Run, run_at
from webapp.database import dumps
from webapp.recovery.folder import Kept


@pytest.fixture
def put_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a script on PATH in the place of a tool; Debian's own are not found any more."""
    monkeypatch.setattr(dumps, "_DEBIAN", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def put(tool: str, script: str) -> None:
        (tmp_path / tool).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / tool).chmod(0o755)

    return put


def test_a_list_that_is_longer_than_a_pipe_holds(put_tool: Callable[[str, str], None]) -> None:
    put_tool("pg_restore", "head -c 1000 >/dev/null; yes '7; 1259 1 TABLE public a_table owner' | head -n 9000")
    came: list[str] = []
    blocks = (bytes(100_000) for _turn in range(50))
    listing = threading.Thread(target=lambda: came.append(dumps.list_dump(blocks)), daemon=True)
    listing.start()
    listing.join(timeout=60)
    assert came and came[0].count("\n") == 9000


def test_the_first_error_is_told(put_tool: Callable[[str, str], None]) -> None:
    words = "pg_restore: while PROCESSING TOC:\\npg_restore: from TOC entry 7\\npg_restore: error: no such role\\n"
    put_tool("pg_restore", f"printf '{words}' >&2; exit 1")
    with pytest.raises(dumps.ToolFailed, match=r"^pg_restore failed: pg_restore: error: no such role$"):
        dumps.list_dump([b""])


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("dumping", "restoring", "words"),
    [("14.9", "15.4", "pg_dump is of version 14, the server of 15"), ("17.0", "17.0", "pg_restore is of version 17")],
)
def test_tools_of_a_version_that_does_not_fit(
    run: Run,
    make: Make,
    put_tool: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    dumping: str,
    restoring: str,
    words: str,
) -> None:
    monkeypatch.setattr(dumps, "_server_version", lambda _url: 15)
    for tool, version in (("pg_dump", dumping), ("pg_restore", restoring)):
        put_tool(tool, f"echo '{tool} (PostgreSQL) {version} (Debian {version}-1)'")
    result = run("backup")
    assert result.exit_code == 1 and words in result.output and "postgresql-client-15" in result.output, result.output


@pytest.mark.postgresql
def test_those_of_the_servers_own_version_come_first(
    run: Run, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pg_dump").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert run("backup").exit_code == 0


@pytest.fixture
def as_superuser(settings: Settings, empty: Settings) -> Iterator[Callable[[str], None]]:
    """Runs SQL in the live and in the empty database, as an administrator who set them up would have."""
    if not postgresql.is_throwaway():
        yield lambda _statement: pytest.fail("needs a superuser: run with --postgresql")
        return
    urls = [
        make_url(place.database_owner_url or "").set(username="postgres", password=None) for place in (settings, empty)
    ]

    def execute(statement: str) -> None:
        for url in urls:
            with postgresql.connect(url.render_as_string(hide_password=False)) as connection:
                connection.execute(statement)  # type: ignore[arg-type]

    yield execute
    execute("DROP PUBLICATION IF EXISTS everything")
    execute("DROP EXTENSION IF EXISTS pg_stat_statements")


@pytest.mark.postgresql
@pytest.mark.parametrize("by_release", ["this", "0.5.0"])
def test_extensions_and_publications_are_the_places_own(
    run: Run,
    make: Make,
    backed_up: Callable[[], Kept],
    empty: Settings,
    as_superuser: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    by_release: str,
) -> None:
    as_superuser("CREATE EXTENSION pg_stat_statements")
    as_superuser("CREATE PUBLICATION everything FOR ALL TABLES")
    as_superuser("COMMENT ON SCHEMA public IS 'of the administrator'")
    make.call()
    if by_release == "0.5.0":
        monkeypatch.setattr(dumps, "_OURS_ALONE", ())
    path = backed_up().path
    assert run("restore-drill").exit_code == 0
    result = run_at(empty, "restore", path)
    assert result.exit_code == 0, result.output


@pytest.mark.postgresql
def test_a_table_of_somebody_makes_a_database_not_empty(
    make: Make, backed_up: Callable[[], Kept], empty: Settings
) -> None:
    path = backed_up().path
    assert empty.database_owner_url
    with postgresql.connect(empty.database_owner_url) as connection:
        connection.execute("CREATE TABLE theirs (id bigint)")
    result = run_at(empty, "restore", path)
    assert result.exit_code == 1 and "is not empty" in result.output
