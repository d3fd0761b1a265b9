"""Counts in memory: summed by key, written together, once, and never more of them than memory bears."""

import pytest
from flask import Flask
from sqlalchemy import select

from webapp import tallies
from webapp.database.engine import Database
from webapp.rate_limits import LIMITED_NETWORKS, Limit, hit
from webapp.staff.models import LimitedNetwork
from webapp.tallies import add, is_due, today, write_down
from webapp.tenancy.sessions import reading_session

BY_NETWORK = Limit("test:network", 2, 60_000, by_network=True)


def rows(database: Database) -> dict[tuple[str, str], int]:
    with reading_session(database) as session:
        return {(row.network, row.limit_name): row.refusals for row in session.scalars(select(LimitedNetwork))}


def test_summed_by_key_and_added_to_what_is_there(database: Database) -> None:
    for network in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
        add(database, LIMITED_NETWORKS, today(), network, "x")
    assert rows(database) == {}
    write_down(database)
    assert rows(database) == {("192.0.2.1", "x"): 2, ("192.0.2.2", "x"): 1}
    add(database, LIMITED_NETWORKS, today(), "192.0.2.1", "x", times=5)
    write_down(database)
    write_down(database)
    assert rows(database)["192.0.2.1", "x"] == 7


def test_due_a_minute_after_and_only_when_something_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_due(database)
    add(database, LIMITED_NETWORKS, today(), "192.0.2.1", "x")
    assert not is_due(database)
    monkeypatch.setattr(tallies, "EVERY_SECONDS", 0.0)
    assert is_due(database)
    write_down(database)
    assert not is_due(database)


def test_more_keys_than_memory_bears_are_left_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "_KEYS_AT_MOST", 3)
    for turn in (*range(5), 0):
        add(database, LIMITED_NETWORKS, today(), f"192.0.2.{turn}", "x")
    write_down(database)
    assert rows(database) == {("192.0.2.0", "x"): 2, ("192.0.2.1", "x"): 1, ("192.0.2.2", "x"): 1}


def test_a_network_that_a_limit_turns_away_is_noted(app: Flask, database: Database) -> None:
    with app.app_context():
        assert [bool(hit(database, BY_NETWORK, "somebody", "192.0.2.9")) for _ in range(5)] == [
            *(False, False),
            *(True, True, True),
        ]
        hit(database, Limit("test:person", 1, 60_000), "somebody")
        assert hit(database, Limit("test:person", 1, 60_000), "somebody")
    write_down(database)
    assert rows(database) == {("192.0.2.9", "test:network"): 3}, "and never a person"
