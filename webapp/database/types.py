"""Column types that mean the same on SQLite and PostgreSQL. Used by the mappings and by database/bulk.py."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum, IntFlag
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Dialect, SmallInteger
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

from webapp.clock import from_ms, to_ms

E = TypeVar("E", bound=IntEnum | IntFlag)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, cut to milliseconds: TIMESTAMPTZ in PostgreSQL, integer milliseconds in SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        ms = to_ms(value)
        return ms if dialect.name == "sqlite" else from_ms(ms)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return from_ms(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class Milliseconds(Instant):
    """An instant as SQLite stores it, on both engines, without the cost of a datetime for each."""

    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        return None if dialect.name == "sqlite" else _ms_or_none


def _ms_or_none(instant: datetime | None) -> int | None:
    return None if instant is None else to_ms(instant)


class SmallEnum(TypeDecorator[E]):
    """A closed list, or flags of one, stored as a small integer."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, words: type[E]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: E | None, dialect: Dialect) -> int | None:
        return None if value is None else int(self.words(value))

    def process_result_value(self, value: int | None, dialect: Dialect) -> E | None:
        return None if value is None else self.words(value)
