"""SECURITY 52: what others wrote is pinned by hash, kept as pinned, and listed."""

import re
from importlib import metadata
from pathlib import Path

import pytest

from scripts.fetch_vendor import PACKAGES, problems
from scripts.write_sbom import SBOM, make_sbom, read_pins, spelled

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_security_52_every_requirement_is_exact_and_has_hashes(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    lines = [line for line in text.splitlines() if line and line[0] not in " #"]
    pins = read_pins(text)

    assert len(lines) == len(pins) > 10
    assert [package for package, (_, hashes) in pins.items() if not hashes] == []
    assert not re.search(r"^\s*(?:-e|--index-url|--extra-index-url|--find-links|git\+|https?:)", text, re.MULTILINE)


def test_both_files_pin_the_same_versions() -> None:
    production, tests = (read_pins((ROOT / name).read_text("utf-8")) for name in REQUIREMENTS)

    assert {
        name: (production[name][0], tests[name][0])
        for name in production.keys() & tests.keys()
        if production[name][0] != tests[name][0]
    } == {}


def test_what_is_asked_for_is_what_is_pinned() -> None:
    asked = re.findall(r"^([\w-]+)(?:\[\w+\])?==(\S+)", (ROOT / "requirements.in").read_text("utf-8"), re.MULTILINE)
    pins = read_pins((ROOT / "requirements.txt").read_text("utf-8"))

    assert asked
    assert [(name, version) for name, version in asked if pins[name][0] != version] == []


def test_these_tests_run_on_the_pinned_versions() -> None:
    pins = read_pins((ROOT / "requirements.txt").read_text("utf-8"))

    assert {name: metadata.version(name) for name in pins} == {name: version for name, (version, _) in pins.items()}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_security_52_vendored_files_are_as_pinned(package: object) -> None:
    assert problems(package) == []  # type: ignore[arg-type]


def test_nothing_else_is_vendored() -> None:
    known = {"VENDOR.json", *(package.file for package in PACKAGES)}
    known |= {text for package in PACKAGES for text in package.licence_texts.values()}
    kept = {path.name for package in PACKAGES for path in (ROOT / package.folder).iterdir()}

    assert kept <= known


def test_security_52_the_sbom_is_current() -> None:
    assert SBOM.read_text("utf-8") == spelled(make_sbom()), "stale: run `make sbom`"
