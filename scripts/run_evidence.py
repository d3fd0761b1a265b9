"""Runs the tests that prove the promises of the policies, and records what came of each: `make evidence`.

On SQLite; those that drive a browser in Chromium; and on PostgreSQL where a server can be had (postgresql-15 installed,
or TEST_DATABASE_URL). What it writes, webapp/policies/evidence.json, is committed: the policy pages show it in words. A
test that fails, or was not run anywhere, is recorded as such, and shown so.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from webapp.policies.evidence import FILE, PASSED, read_version  # noqa: E402
from webapp.policies.promises import PROMISES  # noqa: E402

_POSTGRESQL = Path("/usr/lib/postgresql/15/bin/postgres")
Results = dict[str, dict[str, str]]


def main() -> None:
    tests = sorted({test for promise in PROMISES for test in promise.tests})
    in_browser = [test for test in tests if test.startswith("tests/browser/")]
    others = [test for test in tests if test not in in_browser]
    results: Results = defaultdict(dict)
    _run("SQLite", others, [], results)
    _run("Chromium", in_browser, [], results)
    if _POSTGRESQL.exists() or os.environ.get("TEST_DATABASE_URL"):
        _run("PostgreSQL", others, ["--postgresql"], results)
    day, version = date.today().isoformat(), read_version()  # noqa: DTZ011 - the day of whoever runs it
    recorded = {test: {"day": day, "results": results.get(test, {}), "version": version} for test in tests}
    FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", "utf-8")
    failed = [test for test in tests if set(recorded[test]["results"].values()) != {PASSED}]
    for test in failed:
        print(f"not proved: {test} {recorded[test]['results']}")
    print(
        f"{len(tests) - len(failed)} of {len(tests)} tests prove what is promised; written to {FILE.relative_to(ROOT)}."
    )
    sys.exit(1 if failed else 0)


def _run(place: str, tests: list[str], options: Iterable[str], results: Results) -> None:
    """Each test as a whole: all of its parameters must pass, and one of them must have run."""
    if not tests:
        return
    print(f"== {place}: {len(tests)} tests", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
        subprocess.run([*command, f"--junitxml={report}", *options, *tests], cwd=ROOT, check=False)
        cases = list(ET.parse(report).iter("testcase")) if report.exists() else []  # noqa: S314 - pytest wrote it just now
    for test in tests:
        came = [_result(case) for case in cases if _is_case_of(case, test)]
        ran = [each for each in came if each != "skipped"]
        if ran:
            results[test][place] = PASSED if set(ran) == {PASSED} else "failed"


def _is_case_of(case: ET.Element, test: str) -> bool:
    path, _colons, name = test.partition("::")
    found = case.get("name", "")
    is_name = found == name or ("[" not in name and found.partition("[")[0] == name)
    return case.get("file") == path and is_name


def _result(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else PASSED


if __name__ == "__main__":
    main()
