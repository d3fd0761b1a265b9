"""flask verify-audit: proves the chains, names the first bad row, prints heads, compares with heads kept outside."""

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from tests.audit.conftest import Tamperer
from tests.cast import Cast
from tests.make import Make
from webapp.audit.actions import record
from webapp.audit.models import AuditEvent
from webapp.tenancy.sessions import reading_session


@pytest.fixture
def tamper(app: Flask, cast: Cast) -> Tamperer:
    return Tamperer(app.extensions["callbook"].settings, cast.harbour.id)


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=("verify-audit", *words))


def add(make: Make, count: int) -> None:
    with make.session() as session:
        for _turn in range(count):
            record(session, "pbx.closed", actor_id=None, name="Front desk")
        session.commit()


def test_it_prints_every_head_and_that_all_is_whole(app: Flask, make: Make) -> None:
    done = run(app)
    assert done.exit_code == 0
    heads = [line.split() for line in done.stdout.splitlines()]
    assert [head[:3] for head in heads] == [["head", "-", "0"], ["head", "harbour", "5"], ["head", "quayside", "2"]]
    assert all(len(bytes.fromhex(head[3])) == 32 for head in heads)
    assert "Every chain is whole (3)." in done.stderr


def test_one_organization_alone(app: Flask, cast: Cast) -> None:
    done = run(app, "--organization", "harbour")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)
    assert run(app, "--organization", "nobody").exit_code == 1


def test_security_31_it_names_the_first_bad_row(app: Flask, cast: Cast, make: Make, tamper: Tamperer) -> None:
    add(make, 5)
    for position in (6, 8):
        tamper(
            "UPDATE audit_event SET actor_id = 7 WHERE organization_id = ? AND position = ?",
            values=(cast.harbour.id, position),
        )
    done = run(app)
    assert done.exit_code == 1
    assert done.stderr.splitlines() == ["wrong harbour 6: its row was changed"]
    assert "head harbour 5 " in done.stdout and "head quayside 2 " in done.stdout
    assert run(app, "--organization", "quayside").exit_code == 0


def test_security_31_a_head_that_was_kept_finds_what_was_cut_off(
    app: Flask, cast: Cast, make: Make, tamper: Tamperer, tmp_path: Path
) -> None:
    add(make, 3)
    kept = tmp_path / "heads"
    kept.write_text(f"Kept on Monday\n{run(app).stdout}", "utf-8")
    assert run(app, "--head", str(kept)).exit_code == 0
    with reading_session(make.database, cast.harbour.id) as session:
        row_hash = session.scalar(select(AuditEvent.row_hash).where(AuditEvent.position == 7))
    for table in ("audit_event", "audit_detail"):
        tamper(f"DELETE FROM {table} WHERE organization_id = ? AND position > 7", values=(cast.harbour.id,))
    tamper(
        "UPDATE audit_head SET position = 7, row_hash = ? WHERE organization_id = ?",
        values=(row_hash, cast.harbour.id),
    )
    assert run(app).exit_code == 0  # by itself the chain looks whole
    done = run(app, "--head", str(kept))
    assert done.exit_code == 1
    assert "wrong harbour 8: it was there when the head was kept; the chain ends at 7" in done.stderr
    assert "written anew" not in done.stderr
    add(make, 5)
    assert "wrong harbour 8: it is another row" in run(app, "--organization", "harbour", "--head", str(kept)).stderr


def test_a_chain_that_has_grown_fits_its_old_heads(app: Flask, make: Make, tmp_path: Path) -> None:
    kept = tmp_path / "heads"
    kept.write_text(run(app).stdout, "utf-8")
    add(make, 3)
    with kept.open("a", encoding="utf-8") as file:
        file.write(run(app).stdout)
    add(make, 3)
    assert run(app, "--head", str(kept)).exit_code == 0


def test_a_chain_that_is_gone_is_told(app: Flask, cast: Cast, tmp_path: Path) -> None:
    kept = tmp_path / "heads"
    kept.write_text(f"{run(app).stdout}head elsewhere 4 {'ab' * 32}\n", "utf-8")
    done = run(app, "--head", str(kept))
    assert (done.exit_code, "wrong elsewhere: its whole chain is gone" in done.stderr) == (1, True)


def test_a_file_without_heads_is_refused(app: Flask, cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "heads"
    path.write_text(f"head harbour 4 xyz\nhead harbour -4 {'ab' * 32}\n", "utf-8")
    done = run(app, "--head", str(path))
    assert (done.exit_code, "holds no head" in done.output) == (1, True)
    assert run(app, "--head", str(tmp_path / "none")).exit_code == 2
