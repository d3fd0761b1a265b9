"""Finds the numbered upgrade files, NNNN_name.sql, and refuses a set that is not complete.

A file serves both engines, or has a twin: NNNN_name.sqlite.sql beside NNNN_name.postgresql.sql. Read by
installation.py, for the version that this code needs, and by upgrades.py, which applies them.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

UPGRADES_FOLDER = Path(__file__).resolve().parent / "upgrades"
_NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)(?:\.(sqlite|postgresql))?\.sql$")


class UpgradeFilesError(Exception):
    """The folder of upgrade files is not complete. Always a mistake of a release."""


@dataclass(frozen=True)
class UpgradeFile:
    """One step from version - 1 to version, for one engine."""

    version: int
    name: str
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, hex."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def list_upgrade_files(dialect: str, folder: Path | None = None) -> list[UpgradeFile]:
    """The files of one engine, 1, 2, 3, ... without a gap. Raises UpgradeFilesError."""
    found: dict[int, UpgradeFile] = {}
    for path in sorted((folder or UPGRADES_FOLDER).glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            raise UpgradeFilesError(f"{path.name} is not named NNNN_name.sql")
        if match[3] not in (None, dialect):
            continue
        version = int(match[1])
        if version in found:
            raise UpgradeFilesError(f"two upgrades have the number {version:04d}: {found[version].name} and {match[2]}")
        found[version] = UpgradeFile(version, match[2], path)
    if sorted(found) != list(range(1, len(found) + 1)):
        raise UpgradeFilesError(
            f"upgrade files for {dialect} have a gap: {', '.join(f'{n:04d}' for n in sorted(found))}"
        )
    return [found[version] for version in sorted(found)]


def newest_version(dialect: str, folder: Path | None = None) -> int:
    """The schema version that this code needs: the number of the newest file, 0 before the first."""
    return len(list_upgrade_files(dialect, folder))
