"""What the tests of ingest/ share: imports into Harbour."""

import pytest

from tests.cast import Cast
from tests.ingest.importing import Importing
from webapp.database.engine import Database


@pytest.fixture
def harbour(database: Database, cast: Cast) -> Importing:
    return Importing(database, cast.harbour)
