"""The closed list of kinds: each is recorded somewhere, told by its words, and in a group of the page."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from webapp.audit.groups import GROUP_LABELS, GROUPS, Group, group_of
from webapp.audit.kinds import KINDS, kinds_of, tell

WEBAPP = Path(__file__).resolve().parents[2] / "webapp"
RECORDERS = {"record", "note", "note_view", "note_for_service", "note_refused"}
#: They are given the kind of what was refused, which stands where they are called.
PASS_IT_ON = ("accounts/sign_in_audit.py:", "accounts/passkey_sign_in.py:")
_KIND = re.compile(r"[a-z_]+\.[a-z_]+")


def recordings() -> Iterator[tuple[str, ast.Call, set[str]]]:
    """Every call in webapp/ that records, with the kinds that stand in it."""
    for path in sorted(WEBAPP.rglob("*.py")):
        if path.parent.name == "audit":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in RECORDERS:
                texts = {
                    each.value
                    for argument in node.args
                    for each in ast.walk(argument)
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
                yield f"{path.relative_to(WEBAPP)}:{node.lineno}", node, {t for t in texts if _KIND.fullmatch(t)}


def test_every_recording_names_a_kind_that_exists_and_its_words() -> None:
    found = list(recordings())
    assert len(found) > 15
    for place, call, kinds in found:
        assert kinds or place.startswith(PASS_IT_ON), f"{place} names no kind: write it where it is recorded"
        assert kinds <= KINDS.keys(), place
        words = {keyword.arg for keyword in call.keywords} - {"actor_id", "object_id", "at"}
        if None not in words:  # **words
            assert all(words == set(KINDS[kind].words) for kind in kinds), place


def test_every_kind_is_recorded_somewhere() -> None:
    assert {kind for _place, _call, kinds in recordings() for kind in kinds} == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_kind_is_told_by_its_words_and_belongs_to_a_group(kind: str) -> None:
    known = KINDS[kind]
    used = set(re.findall(r"\{(\w+)\}", known.sentence))
    assert used <= set(known.words)
    assert "{" not in tell(kind, json.dumps(dict.fromkeys(known.words, "{x}"))).replace("{x}", "")
    assert tell(kind, None).count("(erased)") == len(used)
    assert kind in kinds_of(group_of(kind))


def test_every_group_has_a_label_and_no_prefix_is_left_over() -> None:
    assert set(GROUP_LABELS) == set(Group) == set(GROUPS.values())
    assert all(re.fullmatch(r"[a-z_]+\.[a-z_]+", kind) for kind in KINDS)


def test_a_kind_of_another_version_is_shown_as_it_stands() -> None:
    assert tell("moon.landed", '{"x": 1}') == "moon.landed"
