"""The list of all imports, by pages; the refused lines of one, as a list and as a file."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import time_machine

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.conftest import HARBOUR, HandsIn, asterisk_file
from webapp.accounts.session_limits import PROVED_FOR
from webapp.calls.models import ImportState
from webapp.database.ids import spell_id
from webapp.sources import queries, refused_views

SignIn = Callable[[object], HandsIn]
LIST = f"{HARBOUR}/imports"


def test_the_newest_file_is_first(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    make.import_file(file_name="first.csv")
    make.import_file(file_name="second.csv", state=ImportState.UNDONE, read_count=3, refused_count=3)
    make.at(cast.quayside).import_file(file_name="theirs.csv")
    client.sign_in(cast.vera)
    page = client.get(LIST).text
    assert page.index("second.csv") < page.index("first.csv")
    assert "Undone" in page
    assert "theirs.csv" not in page


def test_an_empty_list_says_what_to_do(client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.vera)
    assert "No file was imported yet" in client.get(LIST).text


def test_pages_follow_by_key(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "IMPORTS_ON_A_PAGE", 3)
    names = [f"file-{number}.csv" for number in range(7)]
    files = [make.import_file(file_name=name) for name in names]
    client.sign_in(cast.vera)
    seen: list[str] = []
    address = LIST
    for _ in range(4):
        page = client.get(address).text
        seen += [name for name in reversed(names) if name in page]
        if "Show earlier imports" not in page:
            break
        last = next(file for file in files if file.file_name == seen[-1])
        address = f"{LIST}?before={spell_id(last.id)}"
        assert address in page
    assert seen == list(reversed(names))
    part = client.get_part(f"{LIST}?before={spell_id(files[3].id)}").text
    assert "<h1" not in part
    assert "file-2.csv" in part


@pytest.mark.parametrize("key", ["", "zzzzzzzzzzzzzzzz", "'", "-1", "../..", "01", "ilou"])
def test_a_nonsense_key_is_told(client: PageCheckingClient, cast: Cast, key: str) -> None:
    client.sign_in(cast.vera)
    assert client.get(LIST, query_string={"before": key}).status_code == 400


def test_refused_lines_are_listed_with_reason_and_raw_text(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    content = asterisk_file(2) + b'"<b>not</b>",a,call\n' + asterisk_file(1, first=7) + b"also,\xff\x00,not\n"
    address = hands.take_in(pbx, content)
    page = hands.client.get(f"{address}/refused").text
    assert "&lt;b&gt;not&lt;/b&gt;" in page
    assert '<td class="line">3</td>' in page
    assert '<td class="line">5</td>' in page
    assert "Download 2 lines" in page


def test_refused_lines_follow_by_key(hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_views, "REFUSED_ON_A_PAGE", 2)
    imported = make.import_file(read_count=5, refused_count=5)
    for number in (3, 10, 11, 40, 41):
        make.refused_line(imported, line_number=number, raw=f"raw of {number}".encode())
    hands = hands_in(cast.vera)
    address = f"{LIST}/{spell_id(imported.id)}/refused"
    first = hands.client.get(address).text
    assert "raw of 3" in first
    assert "raw of 11" not in first
    assert f"{address}/after/10" in first
    second = hands.client.get(f"{address}/after/10").text
    assert "raw of 11" in second
    assert "raw of 40" in second
    last = hands.client.get_part(f"{address}/after/40").text
    assert "raw of 41" in last
    assert "Show more lines" not in last
    assert hands.client.get(f"{address}/after/99999999999").status_code == 400


def test_the_download_is_a_file_of_the_same_format(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    bad = b'2026-13-45 09:00:00,"=cmd()",201,30\n'
    header = b"Start,Caller,Dialled number,Duration\n"
    good = b"2026-03-02 09:00:00,02079460001,201,30\n"
    address = hands.receive(pbx, header + good + bad + good.replace(b"09", b"10"), 'übersicht "x".csv')
    hands.client.send(f"{address}/start")
    hands.work()
    assert hands.files()[0].refused_count == 1
    answer = hands.client.get(f"{address}/refused-lines")
    assert answer.data == header + bad
    assert answer.headers["Content-Type"] == "application/octet-stream"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment")
    assert "filename*=UTF-8''%C3%BCbersicht" in disposition
    answer = hands.upload(pbx, answer.data.replace(b"2026-13-45", b"2026-11-15"))
    hands.client.send(f"{answer.location}/start")
    hands.work()
    assert hands.files()[1].stored_count == 1


def test_security_17_many_refused_lines_are_taken_away_with_a_fresh_proof(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_views, "UNPROVED_AT_MOST", 1)
    few = make.import_file(read_count=1, refused_count=1)
    many = make.import_file(read_count=2, refused_count=2)
    make.refused_line(many, line_number=1, raw=b"raw")
    hands, download = hands_in(cast.max), f"{LIST}/{spell_id(many.id)}/refused-lines"
    assert hands.client.get(download).data == b"raw\n"
    with time_machine.travel(datetime.now(UTC) + PROVED_FOR):
        assert hands.client.get(f"{LIST}/{spell_id(few.id)}/refused-lines").status_code == 200
        answer = hands.client.get(download)
        assert (answer.status_code, answer.location) == (303, f"/prove?next={download}")
        assert f'href="{download}" download' not in hands.client.get(f"{LIST}/{spell_id(many.id)}/refused").text


def test_a_long_download_reads_by_key(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refused_views, "_LINES_AT_ONCE", 2)
    imported = make.import_file(read_count=5, refused_count=5, file_name="Master.csv.gz")
    for number in (3, 10, 11, 40, 41):
        make.refused_line(imported, line_number=number, raw=f"raw of {number}".encode())
    hands = hands_in(cast.vera)
    answer = hands.client.get(f"{LIST}/{spell_id(imported.id)}/refused-lines")
    assert answer.data == b"raw of 3\nraw of 10\nraw of 11\nraw of 40\nraw of 41\n"
    assert 'filename="Master-refused.csv"' in answer.headers["Content-Disposition"]
