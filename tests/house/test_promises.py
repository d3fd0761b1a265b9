"""Every promise of the policies names the tests that prove it, they are there, and their results come with the code."""

import ast
from functools import cache
from pathlib import Path

import pytest

from webapp.policies.evidence import load_evidence
from webapp.policies.models import Policy
from webapp.policies.promises import BY_KEY, PROMISES
from webapp.policies.text import read_text

ROOT = Path(__file__).resolve().parents[2]
TESTS = sorted({test for promise in PROMISES for test in promise.tests})


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of its tests, read off the source: nothing is run for it."""
    source = ROOT / path
    if not source.is_file():
        return frozenset()
    module = ast.parse(source.read_text("utf-8"))
    return frozenset(node.name for node in module.body if isinstance(node, ast.FunctionDef))


def is_there(test: str) -> bool:
    path, _colons, name = test.partition("::")
    return name.partition("[")[0] in names_in(path)


@pytest.mark.parametrize("key", list(BY_KEY))
def test_a_promise_names_a_test_that_is_there(key: str) -> None:
    promise = BY_KEY[key]
    assert promise.test
    assert [test for test in promise.tests if not is_there(test)] == []


def test_one_that_is_gone_would_be_noticed() -> None:
    assert not is_there("tests/house/test_promises.py::test_that_was_taken_out")
    assert not is_there("tests/house/test_gone.py::test_one_that_is_gone_would_be_noticed")
    assert is_there("tests/house/test_promises.py::test_one_that_is_gone_would_be_noticed[and its parameter]")


@pytest.mark.parametrize("key", list(BY_KEY))
def test_a_promise_says_how_it_is_kept_and_what_is_done_when_not(key: str) -> None:
    promise = BY_KEY[key]
    for words in (promise.mechanism, promise.remedy):
        assert words.endswith(".")
        assert len(words) > 40
    assert not promise.name.endswith(".")
    assert promise.policies


def test_keys_are_unique() -> None:
    assert len(BY_KEY) == len(PROMISES)


@pytest.mark.parametrize("policy", list(Policy))
def test_the_texts_name_every_promise_of_their_policy_and_no_other(policy: Policy) -> None:
    named = {key for section in read_text(policy).sections for key in section.promises}
    assert named == {promise.key for promise in PROMISES if policy in promise.policies}


@pytest.mark.parametrize("test", TESTS)
def test_what_it_came_to_is_recorded(test: str) -> None:
    """`make evidence` has been run since the test was named. A red result is shown as one, so it does not fail here."""
    evidence = load_evidence().get(test)
    assert evidence is not None, "run `make evidence` and commit webapp/policies/evidence.json"
    assert evidence.day is not None
    assert evidence.version


def test_nothing_is_recorded_of_a_test_that_no_promise_names() -> None:
    assert set(load_evidence()) == set(TESTS)
