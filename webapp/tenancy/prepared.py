"""A statement compiled once for an engine and from then on run by its text. For lock.py alone, which narrows it before.

SQLAlchemy looks a statement up, sorts out its values and sets up its objects at each use. Of a page that asks six small
questions that was a quarter of the time. The types of the columns still translate what goes in and what comes out.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Select, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ColumnProperty
from sqlalchemy.types import TypeEngine

Translate = Callable[[Any], Any]


class Prepared:
    """Raises ValueError for a statement whose text follows its values."""

    def __init__(self, statement: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self._sql: str = compiled.string
        if "[POSTCOMPILE_" in self._sql:
            raise ValueError("a list in IN () is spelt anew for each length: give each of its values a bindparam()")
        self._order: Sequence[str] | None = compiled.positiontup
        self._bind = {name: _bind_of(compiled.binds[name].type, dialect) for name in compiled.params}
        self._constants = self._bound({name: value for name, value in compiled.params.items() if value is not None})
        self._row = _Row(statement, dialect)

    def run(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Rows whose columns have their names; tuples, with objects in them, where an entity is asked for."""
        bound = {**self._constants, **self._bound(values)}
        parameters = bound if self._order is None else tuple([bound[name] for name in self._order])
        return self._row.read_all(_fetch(connection, self._sql, parameters))

    def _bound(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the values that the statement has a place for, as the engine takes them."""
        bind = self._bind
        return {
            name: value if (translate := bind[name]) is None else translate(value)
            for name, value in values.items()
            if name in bind
        }


def _fetch(connection: Connection, sql: str, parameters: Any) -> Sequence[Sequence[Any]]:
    """All rows of a statement, through the driver's own cursor.

    connection.exec_driver_sql() makes a result and rows of its own around it, which took half of the time of a small
    question. What listens, such as the clock of engine.py, is told all the same; errors are SQLAlchemy's.
    """
    driver = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        for tell in connection.dispatch.before_cursor_execute:
            tell(connection, cursor, sql, parameters, None, False)
        cursor.execute(sql, parameters)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
    except driver.Error as error:
        raise DBAPIError.instance(sql, parameters, error, driver.Error, dialect=connection.dialect) from error
    finally:
        cursor.close()
    return rows


class _Row:
    """What the values of a row are made into."""

    def __init__(self, statement: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        types: list[TypeEngine[Any]] = []
        self._objects: list[tuple[slice, Callable[[Sequence[Any]], Any]]] = []
        columns = statement.column_descriptions
        for column in columns:
            if isinstance(column["expr"], type):
                its_own = [attribute.columns[0].type for attribute in _attributes_of(column["expr"])]
                self._objects.append((slice(len(types), len(types) + len(its_own)), _maker_of(column["expr"])))
                types += its_own
            else:
                types.append(column["type"])
        if self._objects and len(self._objects) < len(columns):
            raise ValueError("either entities or columns: a kept statement does not mix them")
        self._translate = [
            (place, translate)
            for place, type_ in enumerate(types)
            if (translate := type_.dialect_impl(dialect).result_processor(dialect, None)) is not None
        ]
        row: Any = namedtuple("row", [column["name"] for column in columns], rename=True)  # type: ignore[misc]
        self._named: Callable[[Sequence[Any]], Any] = row._make

    def read_all(self, rows: Sequence[Any]) -> Sequence[Any]:
        return [self._read(list(row)) for row in rows]

    def _read(self, values: list[Any]) -> Any:
        for place, translate in self._translate:
            values[place] = translate(values[place])
        if self._objects:
            return tuple([make(values[its_own]) for its_own, make in self._objects])
        return self._named(values)


def _attributes_of(entity: type[Any]) -> list[ColumnProperty[Any]]:
    """In the order in which a SELECT of the entity has their columns."""
    return list(inspect(entity).column_attrs)


def _maker_of(entity: type[Any]) -> Callable[[Sequence[Any]], Any]:
    """Makes an object to be read, which no session knows; None where an outer join found no row."""
    mapper = inspect(entity)
    names = [attribute.key for attribute in _attributes_of(entity)]
    key = names.index(mapper.get_property_by_column(mapper.primary_key[0]).key)

    def make(values: Sequence[Any]) -> Any:
        if values[key] is None:
            return None
        made = mapper.class_manager.new_instance()
        made.__dict__.update(zip(names, values, strict=True))
        return made

    return make


def _bind_of(type_: TypeEngine[Any], dialect: Dialect) -> Translate | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)
