"""Writes docs/sbom.json: every package and file of others that an installation consists of (CycloneDX 1.6).

Made from requirements.txt and static/vendor/VENDOR.json alone, so that the same pins give the same file; licences are
read from the installed packages. Run by `make pins` and `make sbom`; tests/house/test_pins.py says when it is stale.
"""

import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SBOM = ROOT / "docs" / "sbom.json"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def read_pins(text: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> version and SHA-256 hashes, of a requirements file as pip-compile writes it."""
    found = {}
    starts = list(_PIN.finditer(text))
    for turn, match in enumerate(starts):
        end = starts[turn + 1].start() if turn + 1 < len(starts) else len(text)
        found[match[1].lower()] = (match[2], sorted(_HASH.findall(text[match.start() : end])))
    return found


def make_sbom() -> dict[str, Any]:
    pins = read_pins((ROOT / "requirements.txt").read_text("utf-8"))
    vendored = json.loads((ROOT / "static" / "vendor" / "VENDOR.json").read_text("utf-8"))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "callbook"}},
        "components": [
            *(_package(name, version, hashes) for name, (version, hashes) in sorted(pins.items())),
            *(_vendored(entry) for entry in vendored),
        ],
    }


def _package(name: str, version: str, hashes: list[str]) -> dict[str, Any]:
    """Hashes: of each file under which this version is published; one of them was installed."""
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "licenses": [{"license": {"name": _licence(name)}}],
        "properties": [{"name": "callbook:sha256", "value": value} for value in hashes],
    }


def _licence(name: str) -> str:
    about = metadata.metadata(name)
    stated = about.get("License-Expression")
    if stated:
        return str(stated)
    classifiers = [
        line.split(" :: ")[-1] for line in about.get_all("Classifier") or [] if line.startswith("License ::")
    ]
    named = " / ".join(sorted(set(classifiers) - {"OSI Approved"}))
    return named or str(about.get("License") or "unstated").strip().splitlines()[0]


def _vendored(entry: dict[str, str]) -> dict[str, Any]:
    purl = f"pkg:npm/{entry['name']}@{entry['version']}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": entry["name"],
        "version": entry["version"],
        "purl": purl,
        "licenses": [{"license": {"name": entry["licence"]}}],
        "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
        "properties": [{"name": "callbook:file", "value": f"static/vendor/{entry['file']}"}],
    }


def spelled(sbom: dict[str, Any]) -> str:
    return json.dumps(sbom, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    SBOM.parent.mkdir(exist_ok=True)
    SBOM.write_text(spelled(make_sbom()), "utf-8")
    print(f"{SBOM.relative_to(ROOT)}: {len(make_sbom()['components'])} components")


if __name__ == "__main__":
    main()
