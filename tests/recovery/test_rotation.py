"""Which backups stay: the last of each day, week and month, as many as are set; the newest whatever is set."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from config import Settings
from tests.cast import Cast
from tests.recovery.conftest import run_at
from webapp.recovery.folder import Kept, choose, list_kept, manifest_path

FIRST = datetime(2026, 1, 1, 3, 15, tzinfo=UTC)


def daily(days: int) -> list[datetime]:
    return [FIRST + timedelta(days=day) for day in range(days)]


def test_the_last_of_each_day_week_and_month() -> None:
    stay = choose(daily(365), days=7, weeks=4, months=3)
    assert sorted(stay) == [
        datetime(2026, month, day, 3, 15, tzinfo=UTC)
        for month, day in (
            (10, 31), (11, 30),  # the last of the months before
            (12, 13), (12, 20),  # Sundays
            (12, 25), (12, 26), (12, 27), (12, 28), (12, 29), (12, 30), (12, 31),
        )
    ]  # fmt: skip


def test_of_a_day_with_many_the_last() -> None:
    hourly = [FIRST + timedelta(hours=hour) for hour in range(72)]
    stay = sorted(choose(hourly, days=2, weeks=0, months=0))
    assert [f"{moment:%d %H}" for moment in stay] == ["03 23", "04 02"]


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_the_newest_always_stays(counts: tuple[int, int, int]) -> None:
    assert choose(daily(40), *counts) == {daily(40)[-1]}
    assert choose([], *counts) == set()


def test_days_without_a_backup_count_for_nothing() -> None:
    assert len(choose([FIRST, FIRST + timedelta(days=30), FIRST + timedelta(days=60)], 3, 0, 0)) == 3


def test_by_the_clock(settings: Settings, cast: Cast) -> None:
    few = replace(settings, backup_keep_days=2, backup_keep_weeks=0, backup_keep_months=0)
    assert few.backup_folder
    now = datetime.now(UTC).replace(hour=3, minute=15, second=0, microsecond=0) - timedelta(days=4)
    for day in range(4):
        with time_machine.travel(now + timedelta(days=day), tick=True):
            result = run_at(few, "backup")
            assert result.exit_code == 0, result.output
    assert "went: it is older than what is kept" in result.output
    names = [f"callbook-{now + timedelta(days=day):%Y%m%d}" for day in (3, 2)]
    assert [kept.path.name[:17] for kept in list_kept(few.backup_folder)] == names
    assert len(list(few.backup_folder.iterdir())) == 5  # each with its manifest, and erasures.log


def test_what_is_not_whole_or_not_ours_is_neither_taken_nor_removed(
    settings: Settings, cast: Cast, backed_up: Callable[[], object]
) -> None:
    backed_up()
    folder = settings.backup_folder
    assert folder
    (whole,) = list_kept(folder)

    def beside(name: str, content: bytes, manifest: str | None) -> Path:
        path = folder / name
        path.write_bytes(content)
        if manifest is not None:
            manifest_path(path).write_text(manifest)
        return path

    told = manifest_path(whole.path).read_text()
    content = whole.path.read_bytes()
    name = "callbook-20990101T000000Z.backup"
    others = [
        beside("callbook-20990102T000000Z.backup", content, None),
        beside("callbook-20990103T000000Z.backup", content, "{}"),
        beside("callbook-20990104T000000Z.backup", content, told),  # tells of another file
        beside(name, content[:-1], told.replace(whole.path.name, name)),  # cut off
        beside("notes.txt", b"mine", None),
        beside("callbook-notes.json", b"mine", None),
        beside("recovery-plan", b"mine", None),
    ]
    assert [kept.path for kept in list_kept(folder)] == [whole.path]
    mark = whole.manifest.facts.installation
    foreign = "callbook-20250101T000000Z.backup"
    theirs = told.replace(whole.path.name, foreign).replace(mark, "0" * 16).replace(f"{whole.moment:%Y}-", "2025-", 1)
    others.append(beside(foreign, content, theirs))
    orphan = beside("callbook-20990105T000000Z.backup.json", b"{}", None)  # of a run that was killed
    strict = replace(settings, backup_keep_days=0, backup_keep_weeks=0, backup_keep_months=0)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1), tick=True):
        assert run_at(strict, "backup").exit_code == 0
        assert len(list_kept(folder, mark)) == 1
    assert not whole.path.exists() and not manifest_path(whole.path).exists()
    assert not orphan.exists()
    assert all(path.exists() for path in others)


def test_one_from_the_future_is_passed_over_and_never_costs_the_one_just_made(
    settings: Settings, cast: Cast, backed_up: Callable[[], Kept]
) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(days=400), tick=True):
        ahead = backed_up()
    few = replace(settings, backup_keep_days=1, backup_keep_weeks=0, backup_keep_months=0)
    assert few.backup_folder
    result = run_at(few, "backup")
    assert result.exit_code == 0 and f"{ahead.path.name} is passed over" in result.output, result.output
    (kept,) = list_kept(few.backup_folder)
    assert kept.path != ahead.path and ahead.path.exists()
    assert kept.path.name in run_at(few, "restore-drill").output


def test_the_one_just_made_stays_beside_one_of_a_fast_clock(
    settings: Settings, cast: Cast, backed_up: Callable[[], Kept]
) -> None:
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5), tick=True):
        backed_up()
    few = replace(settings, backup_keep_days=0, backup_keep_weeks=0, backup_keep_months=0)
    assert run_at(few, "backup").exit_code == 0
    assert few.backup_folder and len(list_kept(few.backup_folder)) == 2
