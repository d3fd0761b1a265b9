"""What the named tests last came to: evidence.json, which `make evidence` writes and which comes with the code.

Read by pages; written by scripts/run_evidence.py alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path

from config import ROOT
from webapp.formatting import format_date, format_list

FILE = Path(__file__).resolve().parent / "evidence.json"
PASSED = "passed"


@dataclass(frozen=True)
class Evidence:
    """Of one test. `results`: by where it ran ("SQLite", "PostgreSQL", "Chromium"), "passed" or "failed".

    `day`: when all tests ran last; None: this one was not among them yet.
    """

    test: str
    results: Mapping[str, str]
    version: str = ""
    day: date | None = None

    @property
    def is_proved(self) -> bool:
        return bool(self.results) and all(result == PASSED for result in self.results.values())

    @property
    def words(self) -> str:
        """What it came to: "Last proved 20 November 2026, version 1.4, on PostgreSQL and SQLite."."""
        if self.day is None or not self.results:
            return "Not proved yet: the test has not been run."
        when = f"{format_date(self.day)}, version {self.version}"
        if self.is_proved:
            return f"Last proved {when}, on {format_list(sorted(self.results))}."
        return f"Not proved: the test failed on {when}."


@cache
def load_evidence(path: Path = FILE) -> Mapping[str, Evidence]:
    """By the node id of the test."""
    try:
        stored = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return {
        test: Evidence(test, found["results"], found["version"], date.fromisoformat(found["day"]))
        for test, found in stored.items()
    }


def evidence_of(tests: Sequence[str]) -> list[Evidence]:
    """Of each test, in order; one that has never run says so."""
    known = load_evidence()
    return [known.get(test) or Evidence(test, {}) for test in tests]


def tell_together(evidence: Sequence[Evidence]) -> list[str]:
    """In words. Tests that proved the same version on the same day are told as one, with every place where one ran."""
    told: dict[object, Evidence] = {}
    for each in evidence:
        same = (each.version, each.day) if each.is_proved else each.words
        before = told.get(same)
        told[same] = replace(before, results={**before.results, **each.results}) if before else each
    return [each.words for each in told.values()]


def read_version() -> str:
    """Of this code, as the list of changes names it."""
    found = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else "unknown"
