"""SECURITY 23: whatever Harbour does, in whatever order, nothing of Quayside changes or is shown."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import aliased

from tests.cast import Cast
from tests.make import Make
from webapp.calls.models import CallSearch, Pbx
from webapp.clock import now
from webapp.database.engine import Database
from webapp.database.ids import new_id
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.row_security import TenancyError
from webapp.tenancy.sessions import reading_session, writing_session

WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


def shown_to(database: Database, organization_id: int) -> set[tuple[Any, ...]]:
    """Every column of every row of the two tables that the machine plays with."""
    found: set[tuple[Any, ...]] = set()
    with reading_session(database, organization_id) as session:
        for mapped in (Pbx, CallSearch):
            columns = [column.key for column in mapped.__mapper__.column_attrs]
            found |= {
                (mapped.__name__, *(getattr(row, name) for name in columns)) for row in session.scalars(select(mapped))
            }
    return found


def test_security_23_nothing_that_harbour_does_reaches_quayside(database: Database, cast: Cast, make: Make) -> None:
    theirs = [make.at(cast.quayside).pbx(f"Theirs {number}") for number in range(3)]
    make.at(cast.quayside).store(
        CallSearch(id=new_id(), user_account_id=cast.quentin.id, words='{"q": "secret"}', created_at=now())
    )
    before = shown_to(database, cast.quayside.id)

    class Harbour(RuleBasedStateMachine):
        """Each rule is one transaction of Harbour's."""

        def _try(self, act: Any) -> None:
            with writing_session(database, cast.harbour.id) as session:
                try:
                    act(session)
                    session.commit()
                except TenancyError:
                    session.rollback()

        @rule(words=WORDS, at=st.sampled_from([None, cast.harbour.id, cast.quayside.id]))
        def add(self, words: str, at: int | None) -> None:
            row = CallSearch(id=new_id(), user_account_id=cast.olive.id, words=words, created_at=now())
            if at is not None:
                row.organization_id = at
            self._try(lambda session: session.add(row))

        @rule(words=WORDS)
        def change_all(self, words: str) -> None:
            self._try(lambda session: session.execute(update(CallSearch).values(words=words)))

        @rule(index=st.integers(0, 2), words=WORDS)
        def change_by_a_foreign_id(self, index: int, words: str) -> None:
            self._try(lambda session: session.execute(update(Pbx).where(Pbx.id == theirs[index].id).values(name=words)))

        @rule(index=st.integers(0, 2), words=WORDS)
        def change_a_foreign_object(self, index: int, words: str) -> None:
            def act(session: LockedSession) -> None:
                session.merge(theirs[index], load=False).name = words

            self._try(act)

        @rule(index=st.integers(0, 2))
        def take_over(self, index: int) -> None:
            def act(session: LockedSession) -> None:
                session.merge(theirs[index], load=False).organization_id = cast.harbour.id

            self._try(act)

        @rule(index=st.integers(0, 2))
        def delete_a_foreign_object(self, index: int) -> None:
            self._try(lambda session: session.delete(session.merge(theirs[index], load=False)))

        @rule()
        def delete_everything(self) -> None:
            self._try(lambda session: (session.execute(delete(CallSearch)), session.execute(delete(Pbx))))

        @rule(words=WORDS)
        def change_through_a_subquery(self, words: str) -> None:
            inner = select(aliased(CallSearch).id)
            self._try(
                lambda session: session.execute(
                    update(CallSearch).where(CallSearch.id.in_(inner)).values(words=words),
                    execution_options={"synchronize_session": False},
                )
            )

        @invariant()
        def quayside_is_as_it_was(self) -> None:
            assert shown_to(database, cast.quayside.id) == before

        @invariant()
        def harbour_sees_none_of_it(self) -> None:
            with reading_session(database, cast.harbour.id) as session:
                for mapped in (Pbx, CallSearch):
                    assert set(session.scalars(select(mapped.organization_id))) <= {cast.harbour.id}
                counted = session.scalar(select(func.count()).select_from(CallSearch))
                assert counted == len(session.scalars(select(CallSearch)).all())

        @invariant()
        def nobody_sees_anything(self) -> None:
            with reading_session(database) as session:
                assert session.scalars(select(CallSearch)).all() == []

    run_state_machine_as_test(
        Harbour,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_the_machine_would_notice(database: Database, cast: Cast, make: Make) -> None:
    """A change in Quayside changes what the machine compares."""
    row = make.at(cast.quayside).pbx("Theirs")
    before = shown_to(database, cast.quayside.id)
    with writing_session(database, cast.quayside.id) as session:
        session.execute(update(Pbx).where(Pbx.id == row.id).values(name="Other"))
        session.commit()

    with pytest.raises(AssertionError):
        assert shown_to(database, cast.quayside.id) == before
