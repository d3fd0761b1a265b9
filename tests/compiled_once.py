"""What every app of the tests has in common is worked out once in a worker: templates, addresses, statements, scores.

Each test has an app and an engine of its own, which would do all of it again: a third of the suite's time.
Used by tests/conftest.py.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

import pytest
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine, create_engine
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule
from zxcvbn import zxcvbn  # type: ignore[import-untyped]

from webapp.accounts import password_strength
from webapp.database import engine as database_engine


class CompiledTemplates(BytecodeCache):
    """Code of templates by their name and source, for the environments of all apps."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


class _CompiledStatements(LRUCache[Any, Any]):
    """SQLAlchemy's own cache of an engine, for all engines of one database system: they differ in nothing else."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), compiled)


@pytest.fixture(scope="session")
def compiled_templates() -> CompiledTemplates:
    return CompiledTemplates()


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", _address_builders())
        patch.setattr(database_engine, "create_engine", _engines_with_statements())
        patch.setattr(password_strength, "zxcvbn", _judged_passwords())
        yield


def _address_builders() -> Callable[..., Any]:
    """The function that builds an address follows from the parts of the address alone, where none has a default."""
    compile_builder: Callable[..., Any] = Rule._compile_builder
    built: dict[Hashable, Any] = {}

    def compile_once(rule: Rule, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return compile_builder(rule, append_unknown)
        parts = (*rule._trace, append_unknown)
        if parts not in built:
            built[parts] = compile_builder(rule, append_unknown)
        return built[parts]

    return compile_once


def _engines_with_statements() -> Callable[..., Engine]:
    statements = _CompiledStatements(5000)

    def make(*words: Any, **options: Any) -> Engine:
        engine = create_engine(*words, **options)
        engine._compiled_cache = statements
        return engine

    return make


def _judged_passwords() -> Callable[..., Any]:
    @lru_cache(maxsize=500)
    def judge(password: str, user_inputs: tuple[str, ...], max_length: int) -> Any:
        return zxcvbn(password, user_inputs=list(user_inputs), max_length=max_length)

    def judge_once(password: str, *, user_inputs: list[str], max_length: int) -> Any:
        return judge(password, tuple(user_inputs), max_length)

    return judge_once
