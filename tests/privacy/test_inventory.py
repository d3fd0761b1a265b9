"""/privacy/data: the inventory, public, with every table and no cookie."""

import re

from flask import Flask

from tests.client import PageCheckingClient
from webapp.privacy.catalogue import TABLES
from webapp.privacy.entries import Group, LeftOut

PAGE = "/privacy/data"


def test_everybody_reads_it_and_gets_no_cookie(app: Flask) -> None:
    stranger = PageCheckingClient(app, app.response_class)
    answer = stranger.get(PAGE)
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_every_table_is_there_with_what_is_personal_of_it(client: PageCheckingClient) -> None:
    text = client.get(PAGE).text.replace("&#39;", "'")
    for table in TABLES.values():
        _before, found, rest = text.partition(f'<h3 id="{table.name}">')
        assert found, table.name
        entry = rest.partition("</article>")[0]
        for told in (table.what, table.kept, table.seen_by, table.purpose, table.erased.words, *table.columns):
            assert str(told) in entry, (table.name, told)
        for column, words in table.personal.items():
            assert f"{words} <code>{column}</code>" in entry
        assert ("not in it" in entry) == isinstance(table.takeout, LeftOut)


def test_it_is_searched_by_anchors(client: PageCheckingClient) -> None:
    """Without a script: every link of the page's index leads to something on it."""
    text = client.get(PAGE).text
    anchors, ids = set(re.findall(r'href="#([^"]+)"', text)), set(re.findall(r'id="([^"]+)"', text))
    assert anchors <= ids
    assert {table.name for table in TABLES.values() if table.personal} <= anchors
    assert len({f"about-{group.name.lower()}" for group in Group} & anchors) == len(Group)
