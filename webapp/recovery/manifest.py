"""What a backup holds, in numbers: sealed inside it (Facts), and beside it readable, with its checksum (Manifest).

No name, number or address: organizations stand by a digest of their id. Read by restore and drill, and by rotation.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from webapp.database.contents import Contents
from webapp.recovery.problem import RecoveryProblem

FORMAT = 1


@dataclass(frozen=True)
class Facts:
    """`moment`: everything committed before it is inside. `installation`: which one, by a digest of its key's check.

    `heads`: position and last hash of each chain, by a digest of the organization's id.
    """

    moment: datetime
    engine: str
    schema: int
    installation: str
    tables: dict[str, int]
    heads: dict[str, tuple[int, str]]

    @property
    def organizations(self) -> int:
        return self.tables.get("organization", 0)

    @property
    def calls(self) -> int:
        return self.tables.get("call", 0)

    @property
    def heads_digest(self) -> bytes:
        """Of all heads together."""
        lines = (f"{chain} {position} {row_hash}\n" for chain, (position, row_hash) in sorted(self.heads.items()))
        return hashlib.sha256("".join(lines).encode()).digest()


@dataclass(frozen=True)
class Manifest:
    """The file `name`: its size and SHA-256, and the facts that are sealed in it."""

    name: str
    byte_count: int
    digest: bytes
    facts: Facts


def facts_of(contents: Contents, moment: datetime, engine: str) -> Facts:
    return Facts(
        moment,
        engine,
        contents.schema,
        installation_mark(contents.number_key_check),
        contents.tables,
        {digest_id(each): (position, row_hash.hex()) for each, (position, row_hash) in contents.heads.items()},
    )


def installation_mark(number_key_check: bytes) -> str:
    """By which backups of one installation are told from another's in the same folder."""
    return hashlib.sha256(b"callbook: installation:" + number_key_check).hexdigest()[:16]


def compare(told: Facts, found: Facts) -> list[str]:
    """Each difference in words; `told` is what a manifest says, `found` what is there."""
    facts: list[tuple[str, object, object]] = [
        ("schema", told.schema, found.schema),
        ("installation", told.installation, found.installation),
    ]
    for name in _of_both(told.tables, found.tables):
        facts.append((f"rows of {name}", told.tables.get(name), found.tables.get(name)))
    differences = [f"{what}: {was} in the manifest, {now} found" for what, was, now in facts if was != now]
    for chain in _of_both(told.heads, found.heads):
        if told.heads.get(chain) != found.heads.get(chain):
            differences.append(f"another head of the audit chain {chain}")
    return differences


def _of_both(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return sorted(first.keys() | second.keys())


def digest_id(organization_id: int) -> str:
    return hashlib.sha256(f"callbook: organization:{organization_id}".encode()).hexdigest()[:16]


# ----------------------------------------------------------------------------------------------------------- as JSON


def write_facts(facts: Facts) -> bytes:
    return json.dumps(_plain(facts)).encode()


def read_facts(text: bytes) -> Facts:
    """Raises ValueError."""
    return _facts(json.loads(text))


def write_manifest(manifest: Manifest) -> str:
    told = {
        "format": FORMAT,
        "file": manifest.name,
        "bytes": manifest.byte_count,
        "sha256": manifest.digest.hex(),
        "organizations": manifest.facts.organizations,
        "calls": manifest.facts.calls,
        **_plain(manifest.facts),
    }
    return json.dumps(told, indent=1) + "\n"


def read_manifest(path: Path) -> Manifest:
    """Raises RecoveryProblem."""
    try:
        told = json.loads(path.read_text("utf-8"))
        return Manifest(str(told["file"]), int(told["bytes"]), bytes.fromhex(told["sha256"]), _facts(told))
    except OSError as error:
        raise RecoveryProblem(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RecoveryProblem(f"{path} is no manifest of a backup, or was changed.") from None


def _plain(facts: Facts) -> dict[str, object]:
    return {**asdict(facts), "moment": facts.moment.isoformat(), "heads_sha256": facts.heads_digest.hex()}


def _facts(told: Any) -> Facts:
    try:
        return Facts(
            datetime.fromisoformat(told["moment"]),
            str(told["engine"]),
            int(told["schema"]),
            str(told["installation"]),
            {str(name): int(count) for name, count in told["tables"].items()},
            {str(chain): (int(position), str(row_hash)) for chain, (position, row_hash) in told["heads"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no facts of a backup") from error
