"""Pairs of ids as a table to join with, spelt as one value: a statement reads the same however many there are.

Called by privacy/takeout_tables.py. VALUES with as many places is no way: SQLite 3.40 puts a Bloom filter before the
join, for which it reads the whole of the other table each time.
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import JSON, BigInteger, ColumnElement, String, bindparam, cast, column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import TableValuedAlias


class JsonElements(FunctionElement[Any]):
    """The elements of a JSON array, a row each; in a column `value`."""

    inherit_cache = True


@compiles(JsonElements)
def _on_sqlite(elements: JsonElements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(elements.clauses, **options)})"


@compiles(JsonElements, "postgresql")
def _on_postgresql(elements: JsonElements, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(elements.clauses, **options)} AS json))"


class Pairs:
    """`pairs = Pairs("wanted")`: `pairs.first` and `pairs.second` of `pairs.table` are the two ids.

    The value of the bindparam `wanted` is made by `spell_pairs()`.
    """

    def __init__(self, name: str) -> None:
        self.table: TableValuedAlias = JsonElements(bindparam(name, type_=String)).table_valued(column("value", JSON))
        self.first, self.second = self._id_at(0), self._id_at(1)

    def _id_at(self, place: int) -> ColumnElement[int]:
        return cast(self.table.c.value[place].as_string(), BigInteger)


def spell_pairs(pairs: Iterable[tuple[int, int]]) -> str:
    """The value for `Pairs`."""
    return json.dumps(list(pairs))
