"""Calls arrive by themselves: what may be sent, how it is answered, and that it is stored once, or kept with why."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.delivering import Delivering, freeswitch_call, own_call, token_of
from webapp import clock
from webapp.calls.models import Call, CallRecord, ImportFile, ImportState, Pbx
from webapp.calls.outcomes import Direction, Outcome
from webapp.clock import to_ms
from webapp.database.ids import spell_id
from webapp.ingest import spooling
from webapp.ingest.normalize import Normalizer, NormalRecord
from webapp.ingest.records import ParsedRecord
from webapp.ingest.source_bytes import MAX_UNPACK_RATIO
from webapp.sources.sent import LARGEST_BODY, MOST_RECORDS
from webapp.tenancy.sessions import writing_session

MIB = 1024 * 1024


def counts(file: ImportFile) -> tuple[int, int, int, int, int]:
    return file.read_count, file.stored_count, file.duplicate_count, file.skipped_count, file.refused_count


def test_one_call_is_answered_after_commit_and_stored(delivering: Delivering) -> None:
    answer = delivering.send_json(own_call(1))
    assert (answer.status_code, answer.json) == (200, {"received": 1})
    assert len(delivering.spooled()) == 1 and not delivering.calls()
    delivering.store()
    [call] = delivering.calls()
    assert (call.outcome, call.direction, call.ring_seconds, call.talk_seconds) == (
        Outcome.ANSWERED,
        Direction.INBOUND,
        5,
        30,
    )
    assert not delivering.spooled()
    assert counts(delivering.the_import()) == (1, 1, 0, 0, 0)
    assert delivering.the_import().state == ImportState.DONE


def test_the_log_of_the_database_is_emptied_by_whoever_stores_and_by_no_push(
    delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    monkeypatch.setattr(delivering.database, "count_bulk_rows", counted.append)
    delivering.send_json(own_call(1))
    assert not counted
    delivering.store()
    assert sum(counted) > 1


def test_many_at_once(delivering: Delivering) -> None:
    answer = delivering.send_json([own_call(number) for number in range(130)])
    assert answer.json == {"received": 130}
    assert len(delivering.spooled()) > 1, "each is stored in a short transaction"
    delivering.store()
    assert len(delivering.calls()) == 130
    assert counts(delivering.the_import()) == (130, 130, 0, 0, 0)


@pytest.mark.parametrize("send", ["send_json", "send_form", "send_base64", "send_packed"])
def test_every_way_in_which_freeswitch_sends(delivering: Delivering, send: str) -> None:
    answer = getattr(delivering, send)(freeswitch_call(7))
    assert (answer.status_code, answer.json) == (200, {"received": 1})
    delivering.store()
    [call] = delivering.calls()
    assert (call.outcome, call.direction, call.talk_seconds) == (Outcome.ANSWERED, Direction.INBOUND, 30)
    assert delivering.the_import().format == "freeswitch_json"


@pytest.mark.parametrize("send", ["send_form", "send_base64"])
def test_callbooks_own_json_in_a_form_is_its_own(delivering: Delivering, send: str) -> None:
    assert getattr(delivering, send)([own_call(1), own_call(2)]).json == {"received": 2}
    delivering.store()
    assert len(delivering.calls()) == 2 and delivering.the_import().format == "callbook_json"


@pytest.mark.parametrize("packed", [gzip.compress, lambda body: b"\xef\xbb\xbf" + body], ids=["gzip unsaid", "BOM"])
def test_what_stands_before_the_json_is_no_line_of_its_own(
    delivering: Delivering, packed: Callable[[bytes], bytes]
) -> None:
    assert delivering.send(packed(json.dumps(own_call(1)).encode())).json == {"received": 1}
    delivering.store()
    assert len(delivering.calls()) == 1 and not delivering.refused()


CURL = "multipart/form-data; boundary=------------------------d74496d66958873e"


def in_parts(*parts: tuple[str, bytes], ends: bool = True) -> bytes:
    """As `curl -F` writes them: of `(head, content)` the head is what follows form-data."""
    line = b"--------------------------d74496d66958873e"
    body = b"".join(
        b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (line[2:], head.encode(), content)
        for head, content in parts
    )
    return body + b"--%b--\r\n" % line[2:] * ends


A_FILE = 'name="file"; filename="calls.json"\r\nContent-Type: application/octet-stream'


@pytest.mark.parametrize("kind", [own_call, freeswitch_call])
@pytest.mark.parametrize("head", [A_FILE, 'name="cdr"', 'name="calls"'], ids=["file", "cdr", "field"])
def test_a_form_in_parts_is_read_as_if_each_were_the_body(
    delivering: Delivering, kind: Callable[[int], Any], head: str
) -> None:
    lines = b"\n".join(json.dumps(kind(number)).encode() for number in (10, 20))
    kinds = (CURL, CURL.replace("multipart/form-data", "application/json"))  # as it is where one was said to curl
    answers = [delivering.send(in_parts((head, lines)), content_type=said) for said in kinds]
    answers.append(delivering.send(lines))
    assert [(answer.status_code, answer.json) for answer in answers] == [(200, {"received": 2})] * 3
    delivering.store()
    assert len(delivering.calls()) == 2 and not delivering.refused()
    assert counts(delivering.the_import()) == (6, 2, 4, 0, 0), "a repeat, and the same without the form, count once"


def test_what_a_form_in_parts_says_besides_is_no_line(delivering: Delivering) -> None:
    """Of several parts those called `cdr` count; each is unpacked by itself, and has a format of its own."""
    body = in_parts(
        ('name="source"', b"main office"),
        ('name="cdr"; filename="a.json.gz"', gzip.compress(json.dumps(own_call(1)).encode())),
        ('name="cdr"', b"\xef\xbb\xbf" + json.dumps(freeswitch_call(2)).encode()),
        ('name="cdr"', b""),
    )
    assert delivering.send(gzip.compress(body), content_type=CURL).json == {"received": 2}
    delivering.store()
    assert len(delivering.calls()) == 2 and not delivering.refused()
    assert {file.format for file in delivering.all(ImportFile)} == {"callbook_json", "freeswitch_json"}


def test_a_part_that_cannot_be_read_is_kept_letter_by_letter_and_takes_no_other_with_it(delivering: Delivering) -> None:
    broken = b'{"id": "caf\xe9", "started_at": '
    body = in_parts((A_FILE, broken), ('name="other"', json.dumps(own_call(1)).encode()))
    assert delivering.send(body, content_type=CURL).json == {"received": 2}
    delivering.store()
    assert len(delivering.calls()) == 1
    [line] = delivering.refused()
    assert "This is not JSON" in line.reason and line.raw.decode() == '{"id": "café", "started_at": '


@pytest.mark.parametrize("kind", [CURL, "multipart/form-data", "multipart/form-data; boundary=\xe9"])
def test_what_only_says_that_it_is_a_form_in_parts_is_read_as_it_stands(delivering: Delivering, kind: str) -> None:
    assert delivering.send(json.dumps(own_call(1)).encode(), content_type=kind).json == {"received": 1}
    delivering.store()
    assert len(delivering.calls()) == 1 and not delivering.refused()


def test_a_form_in_parts_that_is_cut_off_loses_no_call(delivering: Delivering) -> None:
    body = in_parts((A_FILE, json.dumps(own_call(1)).encode()), ends=False)
    assert delivering.send(body, content_type=CURL).status_code == 200
    delivering.store()
    assert len(delivering.calls()) == 1 and delivering.refused()


def test_the_first_delivery_says_in_which_format_a_phone_system_writes(delivering: Delivering) -> None:
    with writing_session(delivering.database, delivering.organization_id) as session:
        session.execute(update(Pbx).values(format=None))
        session.commit()
    for what in (freeswitch_call(1), own_call(2)):
        delivering.send_json(what)
        delivering.store()
    assert {pbx.format for pbx in delivering.all(Pbx)} == {"freeswitch_json"}


def test_the_token_as_password_of_any_user(delivering: Delivering) -> None:
    for user in ("freeswitch", ""):
        assert delivering.send_basic(json.dumps(own_call(1)).encode(), user).status_code == 200


def test_a_repeat_is_answered_like_the_first_and_stores_nothing(delivering: Delivering) -> None:
    answers = [delivering.send_json(freeswitch_call(1)) for _ in range(2)]
    delivering.store()
    answers.append(delivering.send_json(freeswitch_call(1)))
    delivering.store()
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert len(delivering.calls()) == 1
    assert counts(delivering.the_import()) == (3, 1, 2, 0, 0)


def test_the_same_call_with_other_content_twice_in_one_body(delivering: Delivering) -> None:
    delivering.send_json([own_call(1), own_call(1, ended_at=1_795_509_600 + 60 + 95), own_call(2)])
    delivering.store()
    assert [call.talk_seconds for call in delivering.calls()] == [90, 30]
    assert counts(delivering.the_import()) == (3, 3, 0, 0, 0)


def test_legs_that_come_one_after_the_other_join(delivering: Delivering) -> None:
    a_leg = freeswitch_call(1)
    b_leg = freeswitch_call(2, originating_leg_uuid=a_leg["variables"]["uuid"], dialed_user="204")
    b_leg["variables"] |= {"uuid": a_leg["variables"]["bridge_uuid"], "bridge_uuid": a_leg["variables"]["uuid"]}
    for leg in (b_leg, a_leg):
        delivering.send_json(leg)
        delivering.store()
    [call] = delivering.calls()
    assert call.record_count == 2
    assert counts(delivering.the_import()) == (2, 2, 0, 0, 0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not a call", "This is not JSON"),
        (b'{"id": "x", "started_at": ', "This is not JSON"),
        (b'{"started_at": "2026-11-22T12:30:25Z"}', "no id"),
        (b'{"id": "x"}', "does not say when it began"),
        (b'{"id": "x", "started_at": "noon"}', "'noon', which is no time"),
        (b'{"id": "x", "started_at": "2026-11-22", "direction": "up"}', "It can be unknown, inbound"),
        (b'{"id": "x", "started_at": "2026-11-22", "outcome": "fine"}', "It can be answered, voicemail"),
        (b'{"core-uuid": "x", "variables": {}}', "no variables.uuid"),
        (b'{"variables": {"uuid": "x"}}', "no start_epoch"),
        (b"\x00\x01\xff\xfe", "This is not JSON"),
        (b"[[[[[[" + b"{" * 5000, "This is not JSON"),
    ],
)
def test_what_cannot_be_read_is_accepted_and_kept_with_its_reason(
    delivering: Delivering,
    body: bytes,
    reason: str,
) -> None:
    answer = delivering.send(body)
    assert (answer.status_code, answer.json) == (200, {"received": 1})
    delivering.store()
    assert not delivering.calls() and not delivering.spooled()
    [line] = delivering.refused()
    assert reason in line.reason
    assert line.raw.strip() in body or body in line.raw or b"\x00" in body
    assert counts(delivering.the_import()) == (1, 0, 0, 0, 1)


def test_a_broken_call_takes_no_other_with_it(delivering: Delivering) -> None:
    good = [json.dumps(own_call(number)) for number in range(4)]
    text = "\n".join((*good[:2], '{"id": "x", "from": "07', *good[2:], "rubbish"))
    assert delivering.send(text.encode()).json == {"received": 6}
    delivering.store()
    assert len(delivering.calls()) == 4
    assert counts(delivering.the_import()) == (6, 4, 0, 0, 2)


@pytest.mark.parametrize(
    "body", [rb'{"id":"1","started_at":"\ud83d"}', rb'{"id":"1","started_at":"2026-11-22","direction":"\u0000"}']
)
def test_letters_that_no_database_takes_hold_up_nothing(delivering: Delivering, body: bytes) -> None:
    delivering.send(body)
    delivering.send_json(own_call(1))
    delivering.store()
    assert len(delivering.calls()) == 1 and not delivering.spooled()
    assert [line.raw for line in delivering.refused()] == [body]


def test_what_nobody_foresaw_in_one_row_refuses_that_row_alone(
    delivering: Delivering,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    normalize = Normalizer.normalize

    def break_at_two(self: Normalizer, parsed: ParsedRecord) -> NormalRecord:
        if b'"n-2"' in parsed.raw:
            raise ZeroDivisionError
        return normalize(self, parsed)

    monkeypatch.setattr(Normalizer, "normalize", break_at_two)
    for number in (1, 2, 3):
        delivering.send_json(own_call(number))
    delivering.store()
    assert len(delivering.calls()) == 2 and not delivering.spooled()
    [line] = delivering.refused()
    assert json.loads(line.raw)["id"] == "n-2" and "in the server's log" in line.reason
    assert counts(delivering.the_import()) == (3, 2, 0, 0, 1)


def test_an_old_freeswitch_that_forgot_to_encode_percent_signs(delivering: Delivering) -> None:
    text = json.dumps(freeswitch_call(3, caller_id="%22Quay%20Cafe%22%20%3C0770%3E"), separators=(",", ":"))
    once = text.replace("{", "%7B").replace("}", "%7D").replace('"', "%22").replace(":", "%3A").replace(" ", "%20")
    answer = delivering.send(b"cdr=" + once.encode(), content_type="application/x-www-form-urlencoded")
    assert answer.json == {"received": 1}
    delivering.store()
    assert len(delivering.calls()) == 1 and not delivering.refused()


def test_an_empty_list_is_nothing(delivering: Delivering) -> None:
    assert delivering.send(b"[]").json == {"received": 0}
    assert not delivering.spooled()


# ------------------------------------------------------------------------------------------- what is not kept: no 200


def refuse(delivering: Delivering, body: bytes, status: int, words: str, **headers: str) -> None:
    answer = delivering.send(body, **headers)
    assert answer.status_code == status
    assert answer.mimetype == "text/plain"
    assert words in answer.text
    assert "Nothing" in answer.text
    assert not delivering.spooled()


def test_a_body_that_is_too_large(delivering: Delivering) -> None:
    refuse(delivering, b" " * (LARGEST_BODY + 1), 413, "up to 2 MiB. Nothing was stored: send less at once")
    assert delivering.send(b"[" + b" " * (LARGEST_BODY - 2) + b"]").status_code == 200


def test_more_calls_than_are_taken_at_once(delivering: Delivering) -> None:
    refuse(delivering, b"{}" * (MOST_RECORDS + 1), 413, "send less at once")


def test_a_gzip_bomb(delivering: Delivering) -> None:
    bomb = gzip.compress(b" " * (40 * MIB), 9)
    assert len(bomb) < LARGEST_BODY and len(bomb) * MAX_UNPACK_RATIO < 40 * MIB
    refuse(delivering, bomb, 413, "unpacked too", Content_Encoding="gzip")


def test_a_form_in_parts_has_the_same_limits(delivering: Delivering) -> None:
    packed = gzip.compress(b" " * (LARGEST_BODY - 100))
    refuse(delivering, in_parts(*[(A_FILE, packed)] * 2), 413, "unpacked too", content_type=CURL)
    some = b"{}" * (MOST_RECORDS // 2 + 1)
    refuse(delivering, in_parts(*[(A_FILE, some)] * 2), 413, "send less at once", content_type=CURL)
    refuse(delivering, in_parts(*[("name=a", b"")] * (MOST_RECORDS + 1)), 413, "send less at once", content_type=CURL)
    refuse(delivering, in_parts(('name="cdr"', b" ")), 400, "no call in it", content_type=CURL)


@pytest.mark.parametrize("cut", [slice(0, -8), slice(10, None), slice(0, 5)])
def test_damaged_gzip(delivering: Delivering, cut: slice) -> None:
    packed = gzip.compress(json.dumps(own_call(1)).encode())
    refuse(delivering, packed[cut], 400, "send it again, whole", Content_Encoding="gzip")
    if packed[cut].startswith(packed[:2]):
        refuse(delivering, packed[cut], 400, "send it again, whole")


def test_another_packing(delivering: Delivering) -> None:
    refuse(delivering, b"x", 400, "packed with gzip, or not at all", Content_Encoding="br")


@pytest.mark.parametrize("body", [b"", b"  \n"])
def test_no_body(delivering: Delivering, body: bytes) -> None:
    refuse(delivering, body, 400, "no call in it")


# ------------------------------------------------------------------------------------------------ which phone system


def test_a_closed_phone_system(delivering: Delivering) -> None:
    with writing_session(delivering.database, delivering.organization_id) as session:
        session.execute(update(Pbx).values(closed_at=clock.now()))
        session.commit()
    refuse(delivering, json.dumps(own_call(1)).encode(), 403, "is closed in Callbook")


def test_closing_loses_nothing_that_was_acknowledged(delivering: Delivering) -> None:
    delivering.send_json(own_call(1))
    with writing_session(delivering.database, delivering.organization_id) as session:
        session.execute(update(Pbx).values(closed_at=clock.now()))
        session.commit()
    delivering.store()
    assert len(delivering.calls()) == 1


def test_another_phone_system_of_the_same_organization(delivering: Delivering, make: Make) -> None:
    token = token_of(delivering.database, make.pbx(name="Branch"))
    refuse(delivering, b"{}", 401, "opens nothing", token=token)


def test_another_organizations_phone_system(delivering: Delivering, make: Make, cast: Cast) -> None:
    theirs = make.at(cast.quayside).pbx()
    refuse(delivering, b"{}", 401, "opens nothing", token=token_of(delivering.database, theirs))
    own = delivering.app.test_client().post(
        f"/collect/{spell_id(theirs.id)}", data=b"{}", headers={"Authorization": f"Bearer {delivering.token}"}
    )
    assert own.status_code == 401


def test_a_signed_in_person_is_no_phone_system(
    delivering: Delivering,
    client: PageCheckingClient,
    cast: Cast,
) -> None:
    client.sign_in(cast.olive)
    answer = client.post(delivering.address, data=b"{}")
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


# ------------------------------------------------------------------------------------------------------ imports a day


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(spooling, "now_ms", lambda: to_ms(moment))


def test_each_local_day_has_an_import(delivering: Delivering, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the organization's zone, by when it came: London is an hour ahead in summer."""
    late = datetime(2026, 7, 14, 22, 30, tzinfo=UTC)
    for turn in range(3):
        at(monkeypatch, late + timedelta(minutes=20 * turn))
        delivering.send_json(own_call(turn))
    delivering.store()
    files = sorted(delivering.all(ImportFile), key=lambda file: file.id)
    assert [(file.file_name, file.stored_count) for file in files] == [
        ("Delivered on 14 July 2026", 2),
        ("Delivered on 15 July 2026", 1),
    ]
    assert all(file.stored_file_id is None for file in files)


def test_two_formats_of_one_day_are_told_apart(delivering: Delivering) -> None:
    for turn in range(2):
        delivering.send_json(own_call(turn))
        delivering.send_json(freeswitch_call(10 + turn))
        delivering.store()
    assert sorted((file.format, file.stored_count) for file in delivering.all(ImportFile)) == [
        ("callbook_json", 2),
        ("freeswitch_json", 2),
    ]


def test_rows_are_numbered_through_the_day(delivering: Delivering) -> None:
    for turn in range(3):
        delivering.send_json([own_call(2 * turn), {"id": "x"}])
        delivering.store()
    assert sorted(record.line_number for record in delivering.all(CallRecord)) == [1, 3, 5]
    assert [line.line_number for line in delivering.refused()] == [2, 4, 6]


def test_raw_text_is_kept_so_that_it_can_be_read_again(delivering: Delivering) -> None:
    sent: list[Any] = [own_call(1), own_call(2, extra={"what": ["ever", 1.5]})]
    delivering.send_json(sent)
    delivering.store()
    records = sorted(delivering.all(CallRecord), key=lambda record: record.line_number)
    assert [json.loads(record.raw) for record in records] == sent


def test_what_is_older_than_is_kept_is_counted_and_not_stored(delivering: Delivering, cast: Cast) -> None:
    with writing_session(delivering.database) as session:
        organization = session.get_one(type(cast.harbour), cast.harbour.id)
        organization.keeps_from = datetime(2027, 1, 1, tzinfo=UTC)
        session.commit()
    delivering.send_json(own_call(1))
    delivering.store()
    assert not delivering.all(Call)
    assert not delivering.refused()
    [day] = delivering.all(ImportFile)
    assert (day.read_count, day.skipped_count, day.old_count) == (1, 1, 1)
