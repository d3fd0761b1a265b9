"""The first lock on tenancy: a session sees and writes the rows of one organization, or none.

Every statement of a LockedSession gets `organization_id = <bound>` on every tenant entity; with nothing bound it gets
`false`. Where a narrowing is bound too, it adds what narrowing.py says of each entity. What cannot be narrowed is
refused: Core on tables, text(), from_statement(), insert(), a value for organization_id. On PostgreSQL the session
also makes the setting that row-level security, the second lock, reads.
Opened through sessions.py by requests, jobs and commands; bulk writing goes by database/bulk.py instead.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NoReturn, TypeVarTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Row,
    Select,
    TextClause,
    bindparam,
    event,
    false,
    inspect,
    or_,
)
from sqlalchemy.orm import FromStatement, ORMExecuteState, Session, SessionTransaction, with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption
from sqlalchemy.sql.elements import ClauseElement, ColumnClause
from sqlalchemy.sql.selectable import (
    CTE,
    Alias,
    FromClause,
    SelectBase,
    Subquery,
    TableClause,
    TableValuedAlias,
    TextualSelect,
)

from webapp.database.engine import open_areas
from webapp.database.staff_rights import ACROSS, NOTHING, Area
from webapp.tenancy.models import Membership, Tenant, TenantKey
from webapp.tenancy.narrowing import Narrowing, conditions_for
from webapp.tenancy.prepared import Prepared
from webapp.tenancy.row_security import TenancyError, checked_id, clear_local, set_local

_INSPECTED_AT_MOST = 2000
_CRITERIA_AT_MOST = 2000
_NARROWED_AT_MOST = 5000
_PREPARED_AT_MOST = 500
_HARMLESS_LITERALS = {"*", "1"}  # count(*) and EXISTS (SELECT 1 ...) as SQLAlchemy writes them
_ORGANIZATION, _PERSON = "bound_organization_id", "bound_user_account_id"


Columns = TypeVarTuple("Columns")


class LockedSession(Session):
    """A session bound to at most one organization, once, and to at most one person and one narrowing."""

    organization_id: int | None = None
    user_account_id: int | None = None
    narrowing: Narrowing | None = None
    staff_id: int | None = None
    areas: Area = NOTHING
    across = False  #: of the console's registers (staff_rights.ACROSS) it sees the rows of every organization
    only_reads: bool = False  #: said by sessions.py, whose engine sees to it
    _open: Connection | None = None  #: of the transaction that is open

    def rows(self, statement: Select[*Columns], values: Mapping[str, Any] | None = None) -> Sequence[Row[*Columns]]:
        """All rows of a SELECT. In a session that only reads, a kept one is run as it was once narrowed and compiled;
        objects in its rows belong to no session.

        A writing session may hold what is not written yet, and a narrowing is one person's: they go the usual way.
        """
        if statement not in _kept or not self.only_reads or self.narrowing is not None:
            return self.execute(statement, values).all()
        connection = self._open or super().connection()
        return run_kept(connection, statement, values, self.organization_id, self.user_account_id)

    def bind_organization(self, organization_id: int) -> None:
        """Show this organization's rows from now on. Raises TenancyError when another one is bound."""
        if self.organization_id not in (None, organization_id):
            raise TenancyError("this session is bound to another organization")
        self.organization_id = checked_id(organization_id)
        self._tell_database()

    def bind_person(self, user_account_id: int) -> None:
        """Show this person's memberships from now on, in whatever organization."""
        if self.user_account_id not in (None, user_account_id):
            raise TenancyError("this session is bound to another person")
        self.user_account_id = checked_id(user_account_id)
        self._tell_database()

    def bind_narrowing(self, narrowing: Narrowing) -> None:
        """Show only the calls that this opens from now on. Raises TenancyError when another narrowing is bound."""
        if self.organization_id is None or self.narrowing not in (None, narrowing):
            raise TenancyError("a narrowing is bound once, after the organization")
        self.narrowing = narrowing

    def bind_staff(self, staff_id: int, areas: Area) -> None:
        """Show what an organization has opened to this member of staff. Of a console session: sessions.staff_session().

        On PostgreSQL the grant itself is asked at each statement; on SQLite whoever calls has asked it.
        """
        if self.staff_id not in (None, staff_id):
            raise TenancyError("this session is bound to another member of staff")
        self.staff_id, self.areas = checked_id(staff_id), areas
        self._tell_database()

    @contextmanager
    def beside(self, organization_id: int) -> Iterator["LockedSession"]:
        """A session of another organization in this transaction, which this one commits.

        For audit/service_chain.py, and for what concerns a person in all of their organizations (lost_factor.py).
        """
        self.flush()
        connection = self._open or super().connection()
        with LockedSession(connection, join_transaction_mode="rollback_only", expire_on_commit=False) as other:
            other.bind_organization(organization_id)
            yield other
            other.flush()
        clear_local(connection)
        self._tell(connection)

    def opens(self, area: Area) -> bool:
        """Whether rows of an area can be read here: always, but where a member of staff was let in to others."""
        return self.staff_id is None or bool(self.areas & area)

    def _tell_database(self) -> None:
        if self.in_transaction():
            self._tell(super().connection())

    def _tell(self, connection: Connection) -> None:
        set_local(connection, self.organization_id, self.user_account_id, self.staff_id)
        if self.staff_id is not None:
            open_areas(connection, self.areas)

    def connection(self, *_args: Any, **_options: Any) -> NoReturn:
        raise TenancyError("a bare connection is not narrowed; bulk work goes by database/bulk.py")

    bulk_save_objects = bulk_insert_mappings = bulk_update_mappings = connection


@event.listens_for(LockedSession, "after_begin")
def _bind_transaction(session: LockedSession, _transaction: SessionTransaction, connection: Connection) -> None:
    session._tell(connection)
    session._open = connection


@event.listens_for(LockedSession, "after_transaction_end")
def _forget_transaction(session: LockedSession, _transaction: SessionTransaction) -> None:
    session._open = None


_kept: set[Any] = set()  #: by identity: what is made of one of them, by where() or options(), is none


def kept(statement: Select[*Columns]) -> Select[*Columns]:
    """A SELECT that a module makes once and keeps, with a bindparam() for each value.

    The lock inspects and narrows it once instead of at each use, and session.rows() runs it without reading it again:
    that is most of the time of a small query.
    """
    _kept.add(statement)
    return statement


def run_kept(
    connection: Connection,
    statement: Select[*Columns],
    values: Mapping[str, Any] | None,
    organization_id: int | None,
    user_account_id: int | None = None,
) -> Sequence[Row[*Columns]]:
    """A kept statement as somebody sees it who is bound to these. For rows() and sessions.look_up()."""
    if statement not in _kept:
        raise TenancyError("only a kept statement is run by its text")
    prepared = _prepare(statement, organization_id is not None, user_account_id is not None, connection.dialect)
    return prepared.run(connection, {**(values or {}), _ORGANIZATION: organization_id, _PERSON: user_account_id})


@event.listens_for(LockedSession, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    session = state.session
    assert isinstance(session, LockedSession)
    if state.is_select and state.statement in _kept:
        bound_to = (session.organization_id, session.user_account_id, session.narrowing)
        state.statement = _narrow_kept(state.statement, *bound_to)
        return
    _refuse_what_cannot_be_narrowed(state)
    person = session.user_account_id if state.is_select else None
    bound = (session.organization_id, person, session.narrowing, session.across)
    state.statement = state.statement.options(*_criteria(*bound))


@lru_cache(maxsize=_NARROWED_AT_MOST)
def _narrow_kept(
    statement: Any, organization_id: int | None, user_account_id: int | None, narrowing: Narrowing | None
) -> Any:
    """The statement for what a session is bound to. A Select is its own key: no two are equal."""
    _refuse_text(statement)
    _refuse_in(statement)
    return statement.options(*_criteria(organization_id, user_account_id, narrowing))


@lru_cache(maxsize=_PREPARED_AT_MOST)
def _prepare(statement: Any, of_organization: bool, of_person: bool, dialect: Dialect) -> Prepared:
    """The statement for every session that is bound to such: the ids are values of it. Never for a narrowed one."""
    _refuse_text(statement)
    _refuse_in(statement)
    criteria = (
        _criterion(Tenant, _of_organization if of_organization else _of_nobody),
        _criterion(Membership, _MEMBERSHIPS[of_organization, of_person]),
    )
    return Prepared(statement.options(*criteria), dialect)


def _criterion(mapped: Any, condition: Callable[[Any], ColumnElement[bool]]) -> ExecutableOption:
    # Nothing to track: each of these conditions always reads the same, only the values of its parameters change.
    return with_loader_criteria(mapped, condition, include_aliases=True, track_closure_variables=False)


_OF_ORGANIZATION, _OF_PERSON = (bindparam(name, type_=BigInteger) for name in (_ORGANIZATION, _PERSON))


def _of_nobody(_entity: Any) -> ColumnElement[bool]:
    return false()


def _of_organization(entity: Any) -> ColumnElement[bool]:
    return entity.organization_id == _OF_ORGANIZATION  # type: ignore[no-any-return]


def _of_person(entity: Any) -> ColumnElement[bool]:
    return entity.user_account_id == _OF_PERSON  # type: ignore[no-any-return]


def _of_either(entity: Any) -> ColumnElement[bool]:
    return or_(entity.organization_id == _OF_ORGANIZATION, entity.user_account_id == _OF_PERSON)


_MEMBERSHIPS: Mapping[tuple[bool, bool], Callable[[Any], ColumnElement[bool]]] = {
    (False, False): _of_nobody,
    (True, False): _of_organization,
    (False, True): _of_person,
    (True, True): _of_either,
}


@lru_cache(maxsize=_CRITERIA_AT_MOST)
def _criteria(
    organization_id: int | None, user_account_id: int | None, narrowing: Narrowing | None, across: bool = False
) -> tuple[ExecutableOption, ...]:
    """Rows of the organization that the narrowing opens; memberships of it and of the person, where one is given."""
    if across:
        tables: Iterable[Any] = Tenant.__subclasses__()
        return tuple(_criterion(table, _of_nobody) for table in (*tables, Membership) if not _is_register(table))
    if organization_id is None:
        rows = with_loader_criteria(Tenant, lambda entity: false(), include_aliases=True)
        memberships = with_loader_criteria(Membership, lambda entity: false(), include_aliases=True)
    else:
        rows = with_loader_criteria(
            Tenant, lambda entity: entity.organization_id == organization_id, include_aliases=True
        )
        memberships = with_loader_criteria(
            Membership, lambda entity: entity.organization_id == organization_id, include_aliases=True
        )
    if user_account_id is not None:
        if organization_id is None:
            memberships = with_loader_criteria(
                Membership, lambda entity: entity.user_account_id == user_account_id, include_aliases=True
            )
        else:
            memberships = with_loader_criteria(
                Membership,
                lambda entity: or_(
                    entity.organization_id == organization_id, entity.user_account_id == user_account_id
                ),
                include_aliases=True,
            )
    if narrowing is None or organization_id is None:
        return rows, memberships
    narrowed = (
        with_loader_criteria(mapped, condition, include_aliases=True)
        for mapped, condition in conditions_for(narrowing, organization_id)
    )
    return rows, memberships, *narrowed


def _is_register(table: Any) -> bool:
    return table.__tablename__ in ACROSS


_inspected: OrderedDict[Any, None] = OrderedDict()


def _refuse_what_cannot_be_narrowed(state: ORMExecuteState) -> None:
    statement: Any = state.statement
    if state.is_insert:
        raise TenancyError("insert() is not narrowed; add mapped objects to the session")
    _refuse_text(statement)
    if state.is_update and state.parameters:
        # SQLAlchemy would make an UPDATE by primary key of them, past every criterion.
        raise TenancyError("an update takes its values by values(), not as parameters")
    if state.is_update and any(_column_name(key) == "organization_id" for key in _updated_columns(statement)):
        raise TenancyError("organization_id never changes")
    cache_key = statement._generate_cache_key()
    if cache_key is not None and cache_key.key in _inspected:
        return
    _refuse_in(statement)
    if cache_key is not None:
        _inspected[cache_key.key] = None
        while len(_inspected) > _INSPECTED_AT_MOST:
            _inspected.popitem(last=False)


def _refuse_text(statement: Any) -> None:
    if isinstance(statement, FromStatement | TextClause | TextualSelect):
        raise TenancyError("text() and from_statement() are not narrowed")


def _updated_columns(statement: Any) -> Iterator[Any]:
    yield from statement._values or ()
    yield from (
        (pair[0] for pair in statement._ordered_values or ()) if getattr(statement, "_ordered_values", None) else ()
    )


def _column_name(key: Any) -> str:
    return key if isinstance(key, str) else getattr(key, "name", "") or getattr(key, "key", "")


def _refuse_in(scope: ClauseElement) -> None:
    """Refuse what cannot be narrowed in one SELECT, UPDATE or DELETE, and in each that stands inside it."""
    entities: set[ClauseElement] = set()
    tables: list[FromClause] = []
    for element in _own_elements(scope):
        entity = element._annotations.get("parententity")
        if entity is not None:
            entities.add(entity.selectable._deannotate())
        elif isinstance(element, TextClause | TextualSelect):
            raise TenancyError("text() is not narrowed")
        elif isinstance(element, ColumnClause):
            if element.is_literal and element.name not in _HARMLESS_LITERALS:
                raise TenancyError("literal_column() is not narrowed")
            tables += _tables(element.table)
        elif isinstance(element, FromClause) and not isinstance(element, SelectBase):
            tables += _tables(element)
        elif isinstance(element, SelectBase) and element is not scope:
            _refuse_in(element)
    for table in tables:
        if table not in entities:
            raise TenancyError(f"Core on the table {getattr(table, 'name', '')} is not narrowed; name the mapped class")


def _tables(element: FromClause | None) -> list[FromClause]:
    """The table, or alias of one, that an element is; a subquery is none, nor are the rows that a function makes."""
    is_table = isinstance(element, TableClause | Alias) and not isinstance(element, Subquery | CTE | TableValuedAlias)
    return [element] if is_table and element is not None else []


def _own_elements(element: ClauseElement, outermost: bool = True) -> Iterator[ClauseElement]:
    """The element and all inside it, but not what is inside an inner SELECT, an entity or an alias of a table."""
    yield element
    if not outermost and isinstance(element, SelectBase):
        return
    if isinstance(element, FromClause) and "parententity" in element._annotations:
        return
    if isinstance(element, Alias) and not isinstance(element, Subquery | CTE | TableValuedAlias):
        return
    for child in element.get_children():
        if isinstance(child, ClauseElement):
            yield from _own_elements(child, outermost=False)


@event.listens_for(LockedSession, "before_flush")
def _check_rows(session: LockedSession, _context: Any, _instances: Any) -> None:
    for row in session.new:
        if isinstance(row, TenantKey) and row.organization_id is None:
            row.organization_id = session.organization_id
    for row in (*session.new, *session.dirty, *session.deleted):
        if not isinstance(row, TenantKey):
            continue
        if session.organization_id is None or row.organization_id != session.organization_id:
            raise TenancyError(f"a row of {type(row).__name__} belongs to another organization than the session")
        if inspect(row).attrs.organization_id.history.deleted:
            raise TenancyError("organization_id never changes")
