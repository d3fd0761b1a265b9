"""For tests that make databases: settings of one that is not there yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config import Settings
from tests import postgresql
from tests.conftest import make_settings


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Settings]:
    """On SQLite no file yet, on PostgreSQL an empty database of this test alone."""
    data_dir = tmp_path / "fresh"
    if postgresql.server_url() is None:
        yield make_settings(data_dir)
        return
    name = postgresql.new_name("fresh")
    yield make_settings(data_dir, postgresql.create_database(name))
    postgresql.drop_database(name)
