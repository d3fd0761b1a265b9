"""What the named tests came to, in words: one that was not run has not failed."""

from datetime import date
from pathlib import Path

import pytest

from scripts import run_evidence
from tests.client import PageCheckingClient
from webapp.policies.evidence import Evidence, load_evidence, tell_together

DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("results", "day", "words"),
    [
        (
            {"SQLite": "passed", "PostgreSQL": "passed"},
            DAY,
            "Last proved 20 November 2026, version 1.4, on PostgreSQL and SQLite.",
        ),
        (
            {"SQLite": "passed", "PostgreSQL": "failed"},
            DAY,
            "Not proved: the test failed on 20 November 2026, version 1.4.",
        ),
        ({}, DAY, "Not proved yet: the test has not been run."),
        ({}, None, "Not proved yet: the test has not been run."),
    ],
)
def test_in_words(results: dict[str, str], day: date | None, words: str) -> None:
    assert Evidence("tests/test_x.py::test_y", results, "1.4", day).words == words


def test_tests_that_prove_the_same_are_told_once() -> None:
    """Of one that failed, and of one that has not run, nothing is lost among them."""
    proved = Evidence("a", {"SQLite": "passed", "PostgreSQL": "passed"}, "1.4", DAY)
    of_a_browser = Evidence("b", {"Chromium": "passed"}, "1.4", DAY)
    assert tell_together([proved, of_a_browser, proved]) == [
        "Last proved 20 November 2026, version 1.4, on Chromium, PostgreSQL and SQLite."
    ]
    older = Evidence("c", {"SQLite": "passed"}, "1.3", DAY)
    failed = Evidence("d", {"SQLite": "failed"}, "1.4", DAY)
    not_run = Evidence("e", {})
    assert tell_together([of_a_browser, failed, older, not_run, failed]) == [
        "Last proved 20 November 2026, version 1.4, on Chromium.",
        "Not proved: the test failed on 20 November 2026, version 1.4.",
        "Last proved 20 November 2026, version 1.3, on SQLite.",
        "Not proved yet: the test has not been run.",
    ]


def test_what_was_run_nowhere_is_recorded_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = tmp_path / "evidence.json"
    monkeypatch.setattr(run_evidence, "FILE", stored)
    monkeypatch.setattr(run_evidence, "ROOT", tmp_path)
    monkeypatch.setattr(run_evidence, "_run", lambda *_arguments: None)
    with pytest.raises(SystemExit) as ended:
        run_evidence.main()
    assert ended.value.code == 1
    assert {each.words for each in load_evidence(stored).values()} == {"Not proved yet: the test has not been run."}


def test_the_page_says_it_and_folds_away_the_name_alone(client: PageCheckingClient) -> None:
    card = client.get("/privacy").text.partition('id="promise-one-cookie"')[2]
    shown, _details, folded = card.partition("<details>")
    assert "roved" in shown and "<code>" not in shown
    assert "<code>tests/" in folded.partition("</details>")[0]
