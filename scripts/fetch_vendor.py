"""Fetches the two foreign script files that are kept in the tree: htmx for the pages, axe for the browser tests.

Run by `make vendor`, seldom, when a version changes: `npm pack` brings each package from the registry that the
machine's npm is set to; of the package only the one minified file and its licence are kept. The hashes below are
the pins: a file that differs is refused. `--check` needs no network and compares what lies in the tree.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Package:
    """One package, and where its file and its licence texts (names inside the package) are kept."""

    name: str
    version: str
    licence: str
    member: str
    folder: str
    file: str
    licence_texts: dict[str, str]
    sha256: str


PACKAGES = (
    Package(
        name="htmx.org",
        version="4.0.1",
        licence="0BSD",
        member="dist/htmx.min.js",
        folder="static/vendor",
        file="htmx.min.js",
        licence_texts={"LICENSE": "htmx.LICENSE.txt"},
        sha256="a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    ),
    Package(
        name="axe-core",
        version="4.14.1",
        licence="MPL-2.0",
        member="axe.min.js",
        folder="tests/vendor",
        file="axe.min.js",
        licence_texts={"LICENSE": "axe.LICENSE.txt", "LICENSE-3RD-PARTY.txt": "axe.LICENSE-3RD-PARTY.txt"},
        sha256="29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
    ),
)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(package: Package) -> dict[str, str]:
    """What VENDOR.json says about a package."""
    return {
        "name": package.name,
        "version": package.version,
        "licence": package.licence,
        "file": package.file,
        "sha256": package.sha256,
    }


def fetch(package: Package, npm: str) -> None:
    """Brings one package, keeps its file and licence texts. Raises SystemExit when the file is not the pinned one."""
    folder = ROOT / package.folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", f"{package.name}@{package.version}", "--silent", "--pack-destination", scratch]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(scratch).glob("*.tgz"))
        with tarfile.open(archive) as members:
            kept = {package.member: package.file, **package.licence_texts}
            texts = {name: members.extractfile(f"package/{member}").read() for member, name in kept.items()}  # type: ignore[union-attr]
    found = digest(texts[package.file])
    if found != package.sha256:
        raise SystemExit(
            f"{package.name} {package.version}: {package.file} has sha256 {found}, pinned is {package.sha256}"
        )
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    (folder / "VENDOR.json").write_text(json.dumps([entry(package)], indent=2) + "\n")


def problems(package: Package) -> list[str]:
    """What is wrong with the kept files of one package; empty when all is as pinned."""
    folder = ROOT / package.folder
    expected = [package.file, "VENDOR.json", *package.licence_texts.values()]
    missing = [f"{package.folder}/{name} is missing" for name in expected if not (folder / name).is_file()]
    if missing:
        return missing
    found = []
    if digest((folder / package.file).read_bytes()) != package.sha256:
        found.append(f"{package.folder}/{package.file} is not {package.name} {package.version}")
    if json.loads((folder / "VENDOR.json").read_text()) != [entry(package)]:
        found.append(f"{package.folder}/VENDOR.json does not say what scripts/fetch_vendor.py pins")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--check", action="store_true", help="compare the files in the tree with the pins, without network"
    )
    if not parser.parse_args().check:
        npm = shutil.which("npm")
        if npm is None:
            raise SystemExit("npm is not installed; it is only needed to fetch, not to run or test")
        for package in PACKAGES:
            fetch(package, npm)
    wrong = [problem for package in PACKAGES for problem in problems(package)]
    for line in wrong or ["vendored files are as pinned"]:
        sys.stdout.write(line + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
