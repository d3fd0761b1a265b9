"""Handing in a file: recognised and kept, or refused with words and nothing kept."""

import errno
import gzip
import io
from collections.abc import Callable

import pytest
from sqlalchemy import select

from tests.cast import Cast
from tests.make import Make
from tests.sources.conftest import HARBOUR, HandsIn, asterisk_file
from webapp.calls.models import ImportState
from webapp.database.bulk import BulkTransaction
from webapp.database.ids import spell_id
from webapp.jobs.models import StoredChunk, StoredFile
from webapp.sources import upload_views
from webapp.tenancy.sessions import reading_session

SignIn = Callable[[object], HandsIn]


def count_stored(hands: HandsIn) -> tuple[int, int]:
    with reading_session(hands.database, hands.organization_id) as session:
        return len(session.scalars(select(StoredFile.id)).all()), len(
            session.scalars(select(StoredChunk.position)).all()
        )


def test_a_file_is_recognised_and_waits_for_a_yes(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    address = hands.receive(pbx, asterisk_file(5))
    [file] = hands.files()
    assert address == f"{HARBOUR}/imports/{spell_id(file.id)}"
    assert (file.state, file.format, file.file_name) == (ImportState.UPLOADED, "asterisk_cdr_csv", "Master.csv")
    assert file.confidence > 50
    assert file.user_account_id == cast.max.id
    assert hands.calls() == []
    assert hands.work() == 0, "nothing runs before somebody says so"


def test_htmx_and_app_js_are_told_where_to_go(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    answer = hands.upload(pbx, asterisk_file(2), part=True)
    assert answer.status_code == 204
    assert answer.headers["HX-Location"] == f"{HARBOUR}/imports/{spell_id(hands.files()[0].id)}"


def test_gzip_is_taken_as_it_comes(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    hands.receive(pbx, gzip.compress(asterisk_file(5)), "Master.csv.1.gz")
    assert hands.files()[0].format == "asterisk_cdr_csv"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "This file is empty."),
        (b"\n\n  \n", "nothing but blank lines"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "This is a picture."),
        (b"PK\x03\x04" + bytes(range(256)) * 9, "ZIP archive"),
        (bytes(range(256)) * 99, "not text"),
        (gzip.compress(gzip.compress(b"calls", mtime=0), mtime=0), "gzip file inside a gzip file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "file",
)
@pytest.mark.parametrize("part", [False, True])
def test_security_42_what_is_no_call_log_is_refused_with_words(
    hands_in: SignIn, cast: Cast, make: Make, content: bytes, words: str, part: bool
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    answer = hands.upload(pbx, content, "photo.csv", part=part)
    assert answer.status_code == 422
    assert words in answer.text
    assert "Nothing of the file was stored." in answer.text
    assert answer.text.count("<h1") == (0 if part else 1)
    assert hands.files() == []
    assert count_stored(hands) == (0, 0)


def test_text_in_no_known_format_may_be_given_one(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format=None)
    address = hands.receive(pbx, b"Dear Sir,\nthank you for your letter.\nYours\n", "letter.txt")
    assert hands.files()[0].format is None
    page = hands.client.get(address).text
    assert "Callbook does not know this format" in page
    assert "Import this file" not in page
    answer = hands.client.send(f"{address}/start")
    assert answer.status_code == 422
    assert "Choose the format" in answer.text


def test_no_file_was_chosen(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    answer = hands.client.send(f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/imports", {})
    assert answer.status_code == 422
    assert "Choose a file first." in answer.text


def test_a_closed_system_takes_nothing(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx("Head office")
    hands.client.send(f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/close")
    assert (
        "is closed and takes no files" in hands.client.get(f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/imports").text
    )
    answer = hands.upload(pbx, asterisk_file(2))
    assert answer.status_code == 422
    assert hands.files() == []
    assert count_stored(hands) == (0, 0)


def test_a_full_disk_is_told_and_leaves_nothing(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    plain_insert = BulkTransaction.insert

    def insert_until_full(self: BulkTransaction, table: str, *rest: object) -> None:
        if table == "stored_chunk":
            raise OSError(errno.ENOSPC, "No space left on device")
        plain_insert(self, table, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(BulkTransaction, "insert", insert_until_full)
    answer = hands.upload(pbx, asterisk_file(2), part=True)
    assert answer.status_code == 507
    assert "disk is full" in answer.text
    assert hands.files() == []
    assert count_stored(hands) == (0, 0)


def test_a_file_whose_import_cannot_be_noted_is_not_kept(
    hands_in: SignIn, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()

    def fail(*_arguments: object) -> None:
        raise RuntimeError("in between")

    monkeypatch.setattr(upload_views, "receive_file", fail)
    with pytest.raises(RuntimeError):
        hands.upload(pbx, asterisk_file(2))
    assert count_stored(hands) == (0, 0)


def test_only_this_address_takes_a_large_body(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    large = asterisk_file(6000)
    assert len(large) > 1_500_000
    hands.receive(pbx, large)
    other = hands.client.send(
        f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/name",
        {"file": (io.BytesIO(large), "x")},
        content_type="multipart/form-data",
    )
    assert other.status_code == 413


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("<img src=x onerror=alert(1)>.csv", "<img src=x onerror=alert(1)>.csv"),
        ("x" * 500 + ".csv", "x" * 200),
        ("bell\x07.csv", "bell .csv"),
    ],
)
def test_security_42_a_file_name_is_only_shown(hands_in: SignIn, cast: Cast, make: Make, given: str, kept: str) -> None:
    hands, pbx = hands_in(cast.max), make.pbx()
    address = hands.receive(pbx, asterisk_file(2), given)
    assert hands.files()[0].file_name == kept
    page = hands.client.get(address).text
    assert "<img" not in page


def test_the_usual_format_of_a_system_is_taken_where_it_fits(hands_in: SignIn, cast: Cast, make: Make) -> None:
    hands, pbx = hands_in(cast.max), make.pbx(format="freeswitch_cdr_csv")
    hands.receive(pbx, asterisk_file(5))
    assert hands.files()[0].format == "asterisk_cdr_csv", "the content decides"
