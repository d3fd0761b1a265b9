"""SECURITY 44: whatever stands in a filter, a cursor or a search is a value, never a piece of SQL."""

import pytest

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from webapp.calls.filters import KEYS

LOG = "/o/harbour/calls"
PLACES = (*KEYS, "after", "above", "before", "sort")
#: Each would show rows, show none, wait or fail where it was read as SQL.
INJECTIONS = (
    "' OR '1'='1",
    '" OR ""="',
    "1) OR 1=1 -- ",
    "') UNION SELECT name, 1, 1 FROM sqlite_master -- ",
    "'; DROP TABLE call; --",
    "1 AND 1=(SELECT count(*) FROM generate_series(1, 100000000))",
    "%' AND randomblob(1000000000) AND '%'='",
    "\\' OR 1=1 /*",
    "0x27",
    "started_at DESC, (SELECT pg_sleep(10))",
)


@pytest.mark.parametrize("key", PLACES)
def test_security_44_an_address_is_no_sql(client: PageCheckingClient, cast: Cast, make: Make, key: str) -> None:
    make.call(caller="+442079460123", callee="201")
    client.sign_in(cast.vera)
    for value in INJECTIONS:
        page = client.get(LOG, query_string={"period": "all", key: value})
        file = client.get(f"{LOG}/export", query_string={"period": "all", key: value})

        assert page.status_code in (200, 422), value
        assert file.status_code == page.status_code or key in ("after", "above"), value
    assert client.get(LOG, query_string={"period": "all"}).text.count("data-row-link") == 1


@pytest.mark.parametrize("field", ["words", "caller", "callee"])
def test_security_44_words_are_no_sql(client: PageCheckingClient, cast: Cast, make: Make, field: str) -> None:
    make.call(caller="+442079460123", callee="201")
    make.at(cast.quayside).call(caller="+33199001234", callee="301")
    client.sign_in(cast.vera)
    for value in INJECTIONS:
        answer = client.send(f"{LOG}/search", {field: value, "period": "all"})
        page = client.get(answer.location)

        assert page.status_code == 200, value
        assert page.text.count("data-row-link") == 0, value
    assert client.get(LOG, query_string={"period": "all"}).text.count("data-row-link") == 1
