"""Pairs of ids as a table: on both engines they come back as they went in."""

import pytest
from sqlalchemy import select

from webapp.database.engine import Database
from webapp.database.pairs import Pairs, spell_pairs

LARGE = 2**63 - 1


@pytest.mark.parametrize(
    "given", [[], [(1, 2)], [(LARGE, LARGE - 1), (LARGE - 2, 3)], [(n, n * n) for n in range(5000)]]
)
def test_they_come_back_as_they_went_in(database: Database, given: list[tuple[int, int]]) -> None:
    wanted = Pairs("wanted")
    query = select(wanted.first, wanted.second).select_from(wanted.table)
    with database.engine.connect() as connection:
        rows = connection.execute(query, {"wanted": spell_pairs(given)}).all()
    assert sorted(tuple(row) for row in rows) == sorted(given)
