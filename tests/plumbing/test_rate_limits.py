"""GCRA: so many at once, then one every so often; the table says nothing about whom."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text

from webapp.database.engine import Database
from webapp.rate_limits import Limit, hit, hit_within, is_remembered, network_of, remember, sweep
from webapp.tenancy.sessions import writing_session

LIMIT = Limit("test", 3, 10_000)
START = 1_780_000_000


def test_a_burst_then_one_at_a_time(app: Flask, database: Database) -> None:
    with app.app_context(), time_machine.travel(START, tick=False) as clock:
        assert [hit(database, LIMIT, "a") for _ in range(5)] == [0, 0, 0, 10, 10]
        assert hit(database, LIMIT, "b") == 0
        clock.shift(9)
        assert hit(database, LIMIT, "a") == 1
        clock.shift(1)
        assert [hit(database, LIMIT, "a") for _ in range(2)] == [0, 10]
        clock.shift(3600)
        assert [hit(database, LIMIT, "a") for _ in range(4)] == [0, 0, 0, 10]


def test_several_count_together_or_not_at_all(app: Flask, database: Database) -> None:
    with app.app_context(), time_machine.travel(START, tick=False) as clock:
        with writing_session(database) as session:
            assert hit_within(session, LIMIT, "a", times=4) == 10, "more than a burst is never within it"
            assert hit_within(session, LIMIT, "a", times=2) == 0
            assert hit_within(session, LIMIT, "a", times=2) == 10
            assert hit_within(session, LIMIT, "a", times=0) == 0
            session.commit()
        assert [hit(database, LIMIT, "a") for _ in range(2)] == [0, 10]
        clock.shift(20)
        with writing_session(database) as session:
            assert hit_within(session, LIMIT, "a", times=3) == 10
            assert hit_within(session, LIMIT, "a", times=2) == 0


def test_what_is_undone_has_not_counted(app: Flask, database: Database) -> None:
    with app.app_context(), time_machine.travel(START, tick=False):
        with writing_session(database) as session:
            assert hit_within(session, LIMIT, "a", times=3) == 0
            session.rollback()
        assert [hit(database, LIMIT, "a") for _ in range(4)] == [0, 0, 0, 10]


def test_security_12_two_at_once_never_share_the_last_place(app: Flask, database: Database) -> None:
    together = Barrier(8)

    def burst(_number: int) -> int:
        together.wait()
        with app.app_context():
            return sum(hit(database, Limit("race", 5, 3_600_000), "key") == 0 for _ in range(5))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(burst, range(8))) == 5


def test_a_mark_is_kept_so_long_and_swept(app: Flask, database: Database) -> None:
    with app.app_context(), time_machine.travel(START, tick=False) as clock:
        remember(database, 5_000, "olive@example.com", "192.0.2.1")
        assert is_remembered(database, "olive@example.com", "192.0.2.1")
        assert not is_remembered(database, "olive@example.com", "192.0.2.2")
        clock.shift(6)
        assert not is_remembered(database, "olive@example.com", "192.0.2.1")
        remember(database, 5_000, "max@example.com", "192.0.2.1")
        sweep(database)
        with database.reading.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM throttle")).scalar_one() == 1


def test_the_table_holds_no_address(app: Flask, database: Database) -> None:
    with app.app_context():
        hit(database, LIMIT, "olive@example.com", "192.0.2.1")
        with database.reading.connect() as connection:
            key = bytes(connection.execute(text("SELECT throttle_key FROM throttle")).scalar_one())
        app.config["SECRET_KEY"] = "another key, so another digest of the same"
        assert hit(database, LIMIT, "olive@example.com", "192.0.2.1") == 0
        with database.reading.connect() as connection:
            keys = {bytes(row[0]) for row in connection.execute(text("SELECT throttle_key FROM throttle"))}
    assert len(key) == 32
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", "unknown"),
        (None, "unknown"),
        ("192.0.2.1, 10.0.0.1", "unknown"),
    ],
)
def test_one_line_of_a_provider_is_one_sender(address: str | None, network: str) -> None:
    assert network_of(address) == network
