"""BACKUP_FOLDER, BACKUP_PASSPHRASE, BACKUP_KEY and what is kept: wrong ones are refused at start, by name."""

from pathlib import Path

import pytest

from config import SettingsError, list_open_files, load_settings
from tests.recovery.conftest import PASSPHRASE

BASE = {"SECRET_KEY": "a secret of this test, 32 characters and more"}
KEY = "ab" * 16 + "cd" * 16


def test_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    settings = load_settings(
        {**BASE, "BACKUP_FOLDER": str(tmp_path), "BACKUP_KEY_FILE": str(tmp_path / "key"), "BACKUP_KEEP_WEEKS": "0"}
    )
    assert (settings.backup_folder, settings.backup_key) == (tmp_path, bytes.fromhex(KEY))
    assert (settings.backup_keep_days, settings.backup_keep_weeks, settings.backup_keep_months) == (7, 0, 3)
    assert settings.backup_passphrase is None
    assert load_settings({**BASE, "BACKUP_PASSPHRASE": PASSPHRASE}).backup_passphrase == PASSPHRASE
    assert load_settings(BASE).backup_folder is None


def test_a_passphrase_is_the_same_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    decomposed = "  Bu\u0308cher und Ba\u0308nder 1907\n"
    (tmp_path / "passphrase").write_text(decomposed)
    for environ in ({"BACKUP_PASSPHRASE": decomposed}, {"BACKUP_PASSPHRASE_FILE": str(tmp_path / "passphrase")}):
        assert load_settings({**BASE, **environ}).backup_passphrase == "B\u00fccher und B\u00e4nder 1907"


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_files_of_secrets_that_everybody_may_read(tmp_path: Path, mode: int, is_open: bool) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(mode)
    environ = {"BACKUP_KEY_FILE": str(key), "POLICY_FILE": "/etc/hostname", "HOST_FILE": "/etc/hostname"}
    assert list(list_open_files(environ)) == (["BACKUP_KEY_FILE"] if is_open else [])
    assert list_open_files(environ, ["SECRET_KEY"]) == {}


@pytest.mark.parametrize(
    ("environ", "name", "words"),
    [
        ({"BACKUP_PASSPHRASE": "short"}, "BACKUP_PASSPHRASE", "too short"),
        ({"BACKUP_PASSPHRASE": "a" * 40}, "BACKUP_PASSPHRASE", "too simple"),
        ({"BACKUP_KEY": "abc"}, "BACKUP_KEY", "32 bytes in hex"),
        ({"BACKUP_KEY": KEY, "BACKUP_PASSPHRASE": PASSPHRASE}, "BACKUP_KEY", "Unset the other"),
        ({"BACKUP_KEY_FILE": "/nowhere/key"}, "BACKUP_KEY_FILE", "cannot be read"),
        ({"BACKUP_KEEP_DAYS": "many"}, "BACKUP_KEEP_DAYS", "no such number"),
        ({"BACKUP_KEEP_MONTHS": "-1"}, "BACKUP_KEEP_MONTHS", "no such number"),
        ({"DATABASE_DUMP_URL": "sqlite:///x"}, "DATABASE_DUMP_URL", "PostgreSQL only"),
    ],
)
def test_what_is_wrong(environ: dict[str, str], name: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({**BASE, **environ})
    assert list(refused.value.problems) == [name]
    assert words in refused.value.problems[name]
    for secret in (PASSPHRASE, KEY):
        assert secret not in str(refused.value)
