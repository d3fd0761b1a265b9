"""The page of one call: its sentence, steps, records with raw text, and other calls with that number."""

import re
import struct
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event

from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.make import NOON, Make
from webapp.calls.models import Call, CallRecordVersion, RecordFlag
from webapp.calls.outcomes import Direction, LegKind, LegResult, Outcome
from webapp.calls.story import shown_bytes
from webapp.database.engine import Database
from webapp.database.ids import spell_id

CANARIES = ("<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "{{7*7}}", "javascript:alert(1)")


def address(call: Call, slug: str = "harbour") -> str:
    return f"/o/{slug}/calls/{spell_id(call.call_key)}"


def answered_call(make: Make) -> Call:
    """Rang 202 and 201 at once, 201 took it and passed it on to 203."""
    named = {"201": "Grace", "202": "Priya", "203": "Tom"}
    parties = [make.party(extension, name=name).id for extension, name in named.items()]
    everybody = struct.pack(f">{len(parties)}q", *parties)
    call = make.call(callee="201", did="+442079460100", ring=12, talk=180, record_count=4, party_ids=everybody)
    imported = make.import_file(file_name="Master.csv")
    start = call.started_at
    steps = (
        ("202", LegResult.TAKEN_ELSEWHERE, 0, None, 12, 0),
        ("201", LegResult.ANSWERED, 0, 12, 72, 60),
        ("203", LegResult.ANSWERED, 72, 74, 122, 120),
    )
    for reached, result, begins, answered, duration, talked in steps:
        make.record(
            call,
            imported,
            kind=LegKind.PHONE,
            result=result,
            started_at=start + timedelta(seconds=begins),
            answered_at=None if answered is None else start + timedelta(seconds=answered),
            duration=duration,
            billsec=talked,
            caller="02079460123",
            reached=reached,
            dialed=reached,
        )
    make.record(call, imported, kind=LegKind.PLUMBING, result=LegResult.ANSWERED, duration=12, billsec=0)
    return call


def test_a_call_is_told_in_one_sentence_with_its_steps(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = answered_call(make)
    client.sign_in(cast.vera)
    page = client.get(address(call))
    assert page.status_code == 200
    assert (
        "Outside call from 020 7946 0123 to 020 7946 0100 rang Priya (202) and Grace (201) for 12 s, was answered by "
        "Grace (201), talked 3 min and was transferred to Tom (203)."
    ) in page.text
    assert "Priya (202) rang for 12 s; the call was taken elsewhere" in page.text
    assert "Grace (201) answered after 12 s and talked 1 min" in page.text
    assert "one record by which the phone system joined its own lines" in page.text
    assert "13:00:00" in page.text, "steps are in the organization's time"
    assert "4 records tell of this call." in page.text


def test_every_role_sees_it(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = answered_call(make)
    for person in (cast.olive, cast.max, cast.vera):
        browser = client.application.test_client()
        browser.sign_in(person)
        assert browser.get(address(call)).status_code == 200


def test_outsider_and_nobody_do_not_see_it(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = answered_call(make)
    assert client.get(address(call)).status_code in (302, 303)
    client.sign_in(cast.quentin)
    outside = client.get(address(call))
    assert outside.status_code == 404
    own = client.get(address(call, "quayside"))
    assert own.status_code == 404
    assert not re.search(r"20 ?7946", own.text + outside.text)


def test_an_unknown_call_answers_like_a_foreign_one(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    foreign = make.at(cast.quayside).call()
    client.sign_in(cast.olive)
    unknown = client.get(f"/o/harbour/calls/{spell_id(foreign.call_key + 1)}")
    other = client.get(address(foreign))
    assert unknown.status_code == other.status_code == 404
    assert without_ids(unknown.text) == without_ids(other.text)
    assert client.get("/o/harbour/calls/not-an-id").status_code == 404


def without_ids(text: str) -> list[str]:
    """A page without the lines that name the request or a token."""
    return [line for line in text.splitlines() if "csrf" not in line and "<code>" not in line]


def test_only_get_is_taken(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call()
    client.sign_in(cast.olive)
    assert client.send(address(call)).status_code == 405


def test_raw_text_file_and_line_stand_there(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call()
    imported = make.import_file(file_name="Master.csv")
    make.record(call, imported, line_number=1234, raw=b'"","02079460123","201"\x00\x1b[31m', disposition="ANSWERED")
    client.sign_in(cast.max)
    page = client.get(address(call))
    assert "&#34;02079460123&#34;" in page.text
    assert r"\x00\x1b[31m" in page.text
    assert "\x1b" not in page.text
    assert "1,234 of" in page.text
    assert f'href="/o/harbour/imports/{spell_id(imported.id)}"' in page.text


def test_older_versions_stand_below_the_newest(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call()
    imported = make.import_file()
    record = make.record(call, imported, version=2, raw=b"how it is now")
    make.store(
        CallRecordVersion(
            record_key=record.record_key,
            version=1,
            import_file_id=imported.id,
            line_number=7,
            content_hash=1,
            raw=b"how it was",
        )
    )
    client.sign_in(cast.vera)
    text = client.get(address(call)).text
    assert text.index("how it is now") < text.index("Version 1") < text.index("how it was")


def test_flags_are_explained(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call(flags=int(RecordFlag.REPEATED_HOUR | RecordFlag.ODD_DURATION))
    client.sign_in(cast.vera)
    text = client.get(address(call)).text
    assert "hour that the clocks repeat" in text
    assert "a length that cannot be right" in text


def test_other_calls_are_those_of_the_number(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    calls = [make.call(started_at=NOON + timedelta(hours=hour)) for hour in range(13)]
    stranger = make.call(caller="+442079460999")
    client.sign_in(cast.vera)
    text = client.get(address(calls[5])).text
    listed = [call for call in calls if address(call) in text]
    assert len(listed) == 10
    assert calls[5] not in listed
    assert calls[12] in listed, "the newest"
    assert address(stranger) not in text
    assert "All calls with 020 7946 0123" in text


def test_a_withheld_caller_has_no_number(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call(caller=None, callee="201", outcome=Outcome.NO_ANSWER)
    client.sign_in(cast.vera)
    text = client.get(address(call)).text
    assert "Outside call from a withheld number" in text
    assert "Withheld number" in text


@pytest.mark.parametrize("canary", CANARIES)
def test_security_36_nothing_imported_becomes_markup(
    client: PageCheckingClient, cast: Cast, make: Make, canary: str
) -> None:
    call = make.call(names={"+442079460123": canary})
    make.call(started_at=NOON + timedelta(hours=1))
    fields = ("caller", "caller_name", "dialed", "reached", "did", "line", "peer_line", "context", "application")
    texts = dict.fromkeys((*fields, "queue_name", "account_code", "disposition", "leg_id"), canary)
    make.record(call, make.import_file(file_name=canary), raw=canary.encode(), **texts)
    client.sign_in(cast.vera)
    text = client.get(address(call)).text  # the client parses the page and refuses handlers and scripts
    assert "<img src=x" not in text
    assert "<svg onload" not in text
    assert 'href="javascript:' not in text
    if canary == "{{7*7}}":
        assert canary in text
        assert ">49<" not in text


def test_the_number_of_statements_does_not_follow_the_number_of_records(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    few = make.call(caller="+442079460555")
    make.call(caller="+442079460555", started_at=NOON + timedelta(hours=1))
    make.record(few)
    many = answered_call(make)
    for hour in range(12):
        make.call(started_at=NOON + timedelta(days=1, hours=hour))
    client.sign_in(cast.vera)
    for call in (few, many):  # notes that the person is there and looked: now and then, not by the page
        client.get(address(call))
    assert statements_of(client, database, address(many)) == statements_of(client, database, address(few))


def statements_of(client: PageCheckingClient, database: Database, path: str) -> int:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        assert client.get(path).status_code == 200
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    assert seen
    return len(seen)


def test_a_call_of_thousands_of_records_shows_the_first(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call(record_count=240)
    imported = make.import_file()
    with make.session() as session:
        template = make.record(call, imported)
        columns = {column.name: getattr(template, column.name) for column in template.__table__.columns}
        for turn in range(1, 240):
            columns |= {"record_key": template.record_key + 1, "line_number": 1000 + turn}
            template = type(template)(**columns)
            session.add(template)
        session.commit()
    client.sign_in(cast.vera)
    text = client.get(address(call)).text
    assert "240 records tell of this call." in text
    assert "The first 200 are shown." in text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Zoë".encode(), "Zoë"),
        ("Zoë".encode("cp1252"), "Zoë"),
        (b"a\x00b\x07", r"a\x00b\x07"),
        ("safe\u202eevil".encode(), r"safe\u202eevil"),
        (b"\x81\x8d", r"\x81\x8d"),
        (b"one\ttab\nline", "one\ttab\nline"),
    ],
)
def test_raw_bytes_are_shown_without_acting(raw: bytes, shown: str) -> None:
    assert shown_bytes(raw) == (shown, False)


def test_very_long_raw_text_is_cut() -> None:
    text, cut_off = shown_bytes(b"x" * 100_000)
    assert len(text) == 16 * 1024
    assert cut_off


def test_times_are_the_organizations(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    call = make.call(started_at=datetime(2026, 1, 15, 23, 30, tzinfo=UTC))
    summer = make.call(started_at=datetime(2026, 7, 15, 23, 30, tzinfo=UTC), direction=Direction.INTERNAL, caller="202")
    client.sign_in(cast.vera)
    assert "23:30:00 GMT" in client.get(address(call)).text
    assert "16 July 2026, 00:30:00 BST" in client.get(address(summer)).text


def test_a_phone_that_lost_the_race_is_not_told_as_unanswered(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    call = make.call(callee="201", ring=9, talk=60, record_count=2)
    imported = make.import_file()
    make.record(call, imported, reached="201", result=LegResult.ANSWERED, kind=LegKind.PHONE)
    lost = {"result": LegResult.NO_ANSWER, "kind": LegKind.PHONE, "answered_at": None, "billsec": 0}
    make.record(call, imported, reached="202", duration=9, **lost)
    make.record(call, imported, reached="203", duration=4, **lost)  # gave up before anybody answered
    client.sign_in(cast.vera)
    text = client.get(address(call)).text
    assert "202 rang for 9 s; the call was taken elsewhere" in text
    assert "203 rang for 4 s, nobody answered" in text


def test_two_sides_of_a_leg_are_one_step(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    """What a Local channel writes: the outer row of the group, and the phone's own on its far side."""
    call = make.call(callee="203", ring=9, talk=196, record_count=2)
    imported = make.import_file()
    make.record(call, imported, dialed="600", reached="203", leg_id="PJSIP/provider-1", peer_leg_id="Local/203@group-2")
    make.record(call, imported, dialed="203", reached="203", leg_id="Local/203@group-2", peer_leg_id="PJSIP/203-3")
    client.sign_in(cast.vera)
    text = client.get(address(call)).text
    timeline = text[text.index('class="steps"') : text.index("</ol>")]
    assert timeline.count("<li") == 1
    assert "extension 203 answered after 9 s and talked 3 min 16 s" in timeline
