"""Calls to return: who stands on the page, what can be done with a row, by two people at once too; the daily mail."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from sqlalchemy import select

from config import Settings
from tests.cast import Cast
from tests.client import PageCheckingClient
from tests.mailbox import Mailbox, html_of, text_of
from tests.make import Make
from tests.outbox.conftest import Relay, running, with_relay
from webapp.accounts.leaving import delete_account
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.calls import jobs, return_queries
from webapp.calls.models import Call, CallToReturn, ImportState, ReturnMail
from webapp.calls.outcomes import LOOK_BACK_DAYS, Direction, Outcome
from webapp.calls.return_actions import LONGEST_NOTE, wish_mail
from webapp.database.engine import Database
from webapp.database.ids import new_id, spell_id
from webapp.destinations.route_models import Number, NumberKind
from webapp.ingest.calls_to_return import sweep_calls_to_return
from webapp.jobs.models import Job
from webapp.jobs.worker import Worker
from webapp.outbox.sender import send_due
from webapp.tenancy.models import Numbers, Organization
from webapp.tenancy.sessions import reading_session

NOW = datetime(2026, 7, 15, 13, 0, tzinfo=UTC)  # a Wednesday, 14:00 in London
PAGE = "/o/harbour/calls-to-return"
CALLER = "+442079460182"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as moved:
        yield moved


def waiting(make: Make, caller: str = CALLER, ago: timedelta = timedelta(hours=1), **fields: Any) -> CallToReturn:
    """Somebody whom nobody answered."""
    of_call = {key: fields.pop(key) for key in ("callee", "did", "names", "pbx", "ring") if key in fields}
    call = make.call(started_at=NOW - ago, caller=caller, outcome=fields.pop("outcome", Outcome.NO_ANSWER), **of_call)
    return make.to_return(call, **fields)


def told(text: str) -> list[str]:
    """The rows of the page as words, without what stands in controls."""
    rows = re.findall(r'<tr id="returns-row-[^>]*>(.*?)</tr>', text, re.S)
    return [" ".join(re.sub(r"<select.*?</select>|<[^>]*>", " ", row, flags=re.S).split()) for row in rows]


def words(text: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", "", text).split())


def at(row: CallToReturn, verb: str) -> str:
    return f"{PAGE}/{spell_id(row.party_id)}/{verb}"


def stored(make: Make, row: CallToReturn) -> CallToReturn:
    with reading_session(make.database, make.organization.id) as session:
        return session.get_one(CallToReturn, (make.organization.id, row.party_id))


def audited(make: Make, kind: str) -> list[str]:
    with reading_session(make.database, make.organization.id) as session:
        events = session.scalars(select(AuditEvent).where(AuditEvent.kind == kind)).all()
        return [session.get_one(AuditDetail, (make.organization.id, each.position)).words for each in events]


# ------------------------------------------------------------------------------------------------------------ the page


def test_a_row_tells_who_how_often_when_and_how_long(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    pbx = make.pbx("Head office")
    waiting(make, ago=timedelta(hours=2), did="+442079460100", names={CALLER: "Tyne Valley"}, pbx=pbx, tries=3,
            first_at=NOW - timedelta(days=1), wait_seconds=31, voicemail=True)  # fmt: skip
    make.store(
        Number(id=new_id(), e164="+442079460100", party_id=make.party("+442079460100").id, kind=NumberKind.GEOGRAPHIC,
               region="GB", provider="", label="Sales line", version=1, created_at=NOW)
    )  # fmt: skip
    client.sign_in(cast.vera)
    page = client.get(PAGE).text
    [row] = told(page)
    assert row.startswith(
        "Tyne Valley 020 7946 0182 Call Today at 12:00 Voicemail 3 tries, first yesterday at 14:00, waited 31 s"
    )
    assert "Sales line 020 7946 0100, Head office" in row
    assert f'href="tel:{CALLER}"' in page
    assert f"/o/harbour/calls?party={spell_id(make.party(CALLER).id)}&amp;period=all" in page
    assert "1 caller waits, up to 12:00" in words(page)


def test_newest_first_and_by_key(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_queries, "ROWS_ON_A_PAGE", 3)
    for turn in range(7):
        waiting(make, f"+4420794601{turn}0", timedelta(minutes=10 * (turn // 2)))  # two at a time
    client.sign_in(cast.olive)
    seen, path = [], PAGE
    while path:
        answer = client.get_part(path) if "after" in path else client.get(path)
        seen += told(answer.text)
        more = re.search(r'href="([^"]*\?after=[^"]*)"', answer.text)
        path = more[1].replace("&amp;", "&") if more else ""
    assert [row[11:13] for row in seen] == [f"{turn}0"[:2] for turn in (1, 0, 3, 2, 5, 4, 6)]
    assert client.get(f"{PAGE}?after=damaged").status_code == 200


def test_nobody_waits_and_no_calls_yet_say_so(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.vera)
    assert "No calls yet." in client.get(PAGE).text
    make.call(started_at=NOW - timedelta(hours=1))
    assert "Nobody waits" in client.get(PAGE).text


def test_too_long_ago_is_not_shown(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    """The sweep has not come yet."""
    waiting(make, ago=timedelta(days=LOOK_BACK_DAYS, minutes=1))
    client.sign_in(cast.vera)
    assert told(client.get(PAGE).text) == []


def test_it_says_how_fresh_it_is(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    office, branch, old = make.pbx("Office"), make.pbx("Branch"), make.pbx("Old", closed_at=NOW)
    make.call(pbx=office, started_at=NOW - timedelta(minutes=18))
    make.call(pbx=office, started_at=NOW + timedelta(days=400))  # a clock that was never set
    make.call(pbx=branch, started_at=NOW - timedelta(days=5))
    make.call(pbx=old, started_at=NOW - timedelta(days=90))
    make.pbx("Till")
    client.sign_in(cast.vera)
    assert "up to 13:42; Branch silent since Friday; Till without any call yet" in client.get(PAGE).text


def test_masked_readers_cannot_dial_nor_read_numbers_in_notes(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    row = waiting(make, note="or on 020 7946 0377")
    make.membership(cast.vera, numbers=Numbers.MASKED)
    client.sign_in(cast.vera)
    page = client.get(PAGE).text
    assert "020 7946 ••••" in page
    assert "tel:" not in page
    assert not re.search("0182|0377", re.sub(r'<input type="hidden" name="csrf_token"[^>]*>', "", page))
    assert client.send(at(row, "note"), {"seen": "", "note": "new"}, part=True).status_code == 422
    assert stored(make, row).note == "or on 020 7946 0377"


# -------------------------------------------------------------------------------------------------------- what is done


def test_a_viewer_takes_it_notes_and_marks_it_done(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    row = waiting(make)
    client.sign_in(cast.vera)
    answer = client.send(at(row, "assign"), {"seen": "", "to": spell_id(cast.vera.id)}, part=True)
    assert (answer.status_code, stored(make, row).assigned_to) == (200, cast.vera.id)
    client.send(at(row, "note"), {"seen": "", "note": "  wants\r\n a quote "}, part=True)
    assert stored(make, row).note == "wants a quote"
    answer = client.send(at(row, "done"), part=True)
    assert "Done today at 14:00 by you" in told(answer.text)[0]
    page = client.get(PAGE).text
    assert "Nobody waits" in page
    assert "Done today: 1" in page
    client.send(at(row, "open"))
    assert stored(make, row).done_at is stored(make, row).done_by is None
    assert "1 caller waits" in client.get(PAGE).text
    for kind in ("return.assigned", "return.noted", "return.done", "return.opened"):
        [words] = audited(make, kind)
        assert "020 7946 ••••" in words
        assert "0182" not in words
    assert len(audited(make, "return.viewed")) == 1


def test_without_javascript_each_leads_back_to_the_page(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    row = waiting(make)
    client.sign_in(cast.max)
    for verb, data in (
        ("assign", {"seen": "", "to": spell_id(cast.vera.id)}),
        ("note", {"seen": "", "note": "x"}),
        ("done", {}),
    ):
        answer = client.send(at(row, verb), data)
        assert (answer.status_code, answer.location) == (303, PAGE)
    found = stored(make, row)
    assert (found.assigned_to, found.note, found.done_by) == (cast.vera.id, "x", cast.max.id)


@pytest.mark.parametrize("part", [True, False])
def test_of_two_who_choose_at_once_the_second_is_told_who_was_first(
    client: PageCheckingClient, cast: Cast, make: Make, part: bool
) -> None:
    row = waiting(make, assigned_to=cast.max.id)
    client.sign_in(cast.vera)
    answer = client.send(at(row, "assign"), {"seen": "", "to": spell_id(cast.vera.id)}, part=part)
    assert answer.status_code == 422
    assert "max@example.com has taken it a moment ago" in answer.text
    assert stored(make, row).assigned_to == cast.max.id
    again = client.send(at(row, "assign"), {"seen": spell_id(cast.max.id), "to": spell_id(cast.vera.id)}, part=True)
    assert (again.status_code, stored(make, row).assigned_to) == (200, cast.vera.id)
    client.send(at(row, "note"), {"seen": "", "note": "first"}, part=True)
    second = client.send(at(row, "note"), {"seen": "", "note": "second"}, part=part)
    assert second.status_code == 422
    assert "“first”" in second.text
    assert 'value="second"' in second.text
    assert stored(make, row).note == "first"


def test_a_note_that_is_too_long_is_kept_in_its_field(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    row, long = waiting(make), "x" * (LONGEST_NOTE + 1)
    client.sign_in(cast.vera)
    answer = client.send(at(row, "note"), {"seen": "", "note": long}, part=True)
    assert answer.status_code == 422
    assert f"Use at most {LONGEST_NOTE} characters." in answer.text
    assert long in answer.text
    assert stored(make, row).note == ""


@pytest.mark.parametrize("verb", ["assign", "note", "done", "open"])
def test_whoever_got_through_meanwhile_is_told_so_and_strangers_are_not_there(
    client: PageCheckingClient, cast: Cast, make: Make, verb: str
) -> None:
    call = make.call(caller=CALLER)
    client.sign_in(cast.vera)
    path = f"{PAGE}/{spell_id(call.caller_id or 0)}/{verb}"
    assert "has got through since" in client.send(path, part=True).text
    assert client.send(path).location == PAGE
    assert client.send(f"{PAGE}/{spell_id(new_id())}/{verb}").status_code == 404
    assert client.get(path).status_code == 405


def test_a_viewer_asks_nobody_but_themselves_a_manager_whoever_is_here(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    row = waiting(make)
    client.sign_in(cast.vera)
    assert "max@example.com" not in client.get(PAGE).text
    assert client.send(at(row, "assign"), {"to": spell_id(cast.max.id)}).status_code == 400
    assert client.send(at(row, "assign"), {"to": "!"}).status_code == 400
    client.sign_in(cast.max)
    assert "vera@example.com" in client.get(PAGE).text
    for part in (True, False):
        gone = client.send(at(row, "assign"), {"to": spell_id(cast.quentin.id)}, part=part)
        assert gone.status_code == 422
        assert "Whom you chose is here no more" in gone.text
    assert client.send(at(row, "assign"), {"to": spell_id(cast.vera.id)}, part=True).status_code == 200


def test_somebody_narrowed_is_asked_about_tries_that_reached_them_alone(
    client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.narrow(cast.nina, "201")
    theirs, others = waiting(make, callee="201"), waiting(make, "+442079460377", callee="205")
    client.sign_in(cast.olive)
    to_nina = {"to": spell_id(cast.nina.id)}
    assert client.send(at(theirs, "assign"), to_nina, part=True).status_code == 200
    refused = client.send(at(others, "assign"), to_nina, part=True)
    assert refused.status_code == 422
    assert "does not see this caller" in refused.text


# --------------------------------------------------------------------------------------------------- a narrowed reader


@pytest.fixture
def nina(client: PageCheckingClient, cast: Cast, make: Make) -> PageCheckingClient:
    """Sees the calls of 201, and of 204 since yesterday noon."""
    make.membership(cast.nina, numbers=Numbers.FULL)
    make.narrow(cast.nina, "201")
    make.narrow(cast.nina, "204", from_at=NOW - timedelta(days=1))
    client.sign_in(cast.nina)
    return client


def tries(make: Make, caller: str, *reached: tuple[str, timedelta], **fields: Any) -> CallToReturn:
    """One caller, who tried these extensions so long ago; the last one last."""
    calls: list[Call] = [
        make.call(caller=caller, callee=callee, started_at=NOW - ago, outcome=Outcome.NO_ANSWER, ring=number * 10)
        for number, (callee, ago) in enumerate(reached, 1)
    ]
    first = {"first_at": calls[0].started_at, "tries": len(calls), "wait_seconds": len(calls) * 10}
    return make.to_return(calls[-1], **{**first, **fields})


def test_a_narrowed_person_sees_whoever_tried_them_once_and_of_these_tries_their_own(
    nina: PageCheckingClient, make: Make
) -> None:
    hour = timedelta(hours=1)
    tries(make, CALLER, ("201", 4 * hour), ("205", 3 * hour), ("206", 2 * hour))
    tries(make, "+442079460377", ("205", 3 * hour), ("204", 2 * hour))
    closed = tries(make, "+442079460594", ("204", 40 * hour), ("205", hour))  # 204 was not theirs then
    # A call that they made in vain to somebody who tried a colleague is no try at them.
    tries(make, "+442079460611", ("205", 5 * hour), ("205", hour))
    make.call(caller="201", callee="+442079460611", direction=Direction.OUTBOUND, outcome=Outcome.NO_ANSWER,
              started_at=NOW - 2 * hour)  # fmt: skip
    page = nina.get(PAGE).text
    rows = told(page)
    assert len(rows) == 2
    assert rows[0].startswith("020 7946 0377 Call Today at 12:00 1 try, waited 20 s")
    assert rows[1].startswith("020 7946 0182 Call Today at 10:00 1 try, waited 10 s")
    assert "2 callers wait" in page
    assert "Tries at your numbers" in page
    assert "You see extensions 201" in page
    for verb in ("assign", "note", "done", "open"):
        assert nina.send(at(closed, verb)).status_code == 404


def test_a_narrowed_person_can_act_and_is_told_of_no_colleague(
    nina: PageCheckingClient, cast: Cast, make: Make
) -> None:
    row = tries(make, CALLER, ("201", timedelta(hours=1)), assigned_to=cast.max.id)
    page = nina.get(PAGE).text
    assert "A colleague" in page
    assert "max@example.com" not in page
    answer = nina.send(at(row, "assign"), {"seen": "", "to": spell_id(cast.nina.id)}, part=True)
    assert "A colleague has taken it a moment ago" in answer.text
    seen = {"seen": spell_id(cast.max.id)}
    assert nina.send(at(row, "assign"), {**seen, "to": spell_id(cast.nina.id)}, part=True).status_code == 200
    assert nina.send(at(row, "done"), part=True).status_code == 200
    assert stored(make, row).done_by == cast.nina.id


def test_pages_of_a_narrowed_person_go_by_their_own_tries(
    nina: PageCheckingClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(return_queries, "ROWS_ON_A_PAGE", 2)
    minute = timedelta(minutes=1)
    for turn in range(5):
        tries(make, f"+4420794601{turn}0", ("201", (100 + turn) * minute), ("205", (50 - turn) * minute))
    seen, path = [], PAGE
    while path:
        text = nina.get(path).text
        seen += [row[:13] for row in told(text)]
        more = re.search(r'href="([^"]*\?after=[^"]*)" data', text)
        path = more[1] if more else ""
    assert seen == [f"020 7946 01{turn}0" for turn in range(5)]


def test_how_fresh_it_is_tells_them_of_no_call(nina: PageCheckingClient, make: Make) -> None:
    pbx = make.pbx("Office")
    make.call(pbx=pbx, callee="205", started_at=NOW - timedelta(minutes=5))
    make.import_file(pbx, ended_at=NOW - timedelta(minutes=2), state=ImportState.DONE)
    page = nina.get(PAGE).text
    assert "as far as files were read: up to 13:58" in page
    assert "13:55" not in page


def test_the_last_reading_counts_not_the_newest_import(nina: PageCheckingClient, make: Make) -> None:
    """The import of what a phone system brings by itself is made in the morning and ends with each delivery."""
    pbx = make.pbx("Office")
    make.import_file(pbx, started_at=NOW - timedelta(hours=6), ended_at=NOW - timedelta(minutes=2))
    make.import_file(pbx, started_at=NOW - timedelta(hours=4), ended_at=NOW - timedelta(hours=3))
    waits = {"state": ImportState.QUEUED, "started_at": None, "ended_at": None}
    make.import_file(pbx, **waits)
    assert "as far as files were read: up to 13:58" in nina.get(PAGE).text
    make.import_file(pbx, state=ImportState.RUNNING, started_at=NOW - timedelta(minutes=1), ended_at=None)
    assert "as far as files were read: up to 13:59" in nina.get(PAGE).text


# ------------------------------------------------------------------------------------------------------------- leaving


def test_of_whoever_leaves_theirs_go_back_to_nobody(
    client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    rows = [
        waiting(make, f"+44207946018{turn}", assigned_to=person.id)
        for turn, person in enumerate((cast.vera, cast.max, cast.nina, cast.olive))
    ]
    client.sign_in(cast.olive)
    client.send(f"/o/harbour/people/members/{spell_id(cast.vera.id)}/remove", {"sure": "y"})
    client.sign_in(cast.max)
    client.send("/o/harbour/people/leave", {"sure": "y"})
    for step in delete_account(database, cast.nina.id, [cast.harbour.id]):
        step.commit()
    assert [stored(make, row).assigned_to for row in rows] == [None, None, None, cast.olive.id]


def test_whose_membership_has_run_out_calls_nobody(cast: Cast, make: Make, database: Database) -> None:
    rows = [
        waiting(make, f"+44207946018{turn}", assigned_to=each.id) for turn, each in enumerate((cast.vera, cast.max))
    ]
    make.membership(cast.vera, ends_at=NOW - timedelta(minutes=1))
    make.membership(cast.max, ends_at=NOW + timedelta(minutes=1))
    sweep_calls_to_return(database)
    assert [stored(make, row).assigned_to for row in rows] == [None, cast.max.id]


# ------------------------------------------------------------------------------------------------------------- one mail


def wish(make: Make, *people: Any, wanted: bool = True) -> None:
    with make.session() as session:
        for person in people:
            wish_mail(session, person.id, wanted, ZoneInfo(make.organization.time_zone), NOW)
        session.commit()


def hourly(database: Database, settings: Settings) -> None:
    """What a worker does in an hour."""
    jobs.file_return_mails(database)
    Worker(database, settings).run_due()


def test_the_tick_is_stored_and_taken_back(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    client.sign_in(cast.vera)
    assert client.send(f"{PAGE}/mail", {"wanted": "1"}).location == PAGE
    assert "checked" in client.get(PAGE).text
    answer = client.send(f"{PAGE}/mail", {}, part=True)
    assert "checked" not in answer.text
    with reading_session(make.database, make.organization.id) as session:
        assert session.scalars(select(ReturnMail)).all() == []
    assert len(audited(make, "return.mailed")) == 2


def test_one_mail_at_eight_says_how_many_and_no_more(
    cast: Cast, make: Make, database: Database, settings: Settings, clock: time_machine.Traveller
) -> None:
    mailbox = Mailbox(database, settings)
    row = waiting(make, note="wants a quote")
    wish(make, cast.vera)
    for utc in ((15, 22), (16, 5), (16, 6)):  # the day of the tick is over at eight
        clock.move_to(datetime(2026, 7, *utc, 40, tzinfo=UTC))
        hourly(database, settings)
        assert mailbox.rows() == []
    with reading_session(database) as session:
        [job] = session.scalars(select(Job).where(Job.kind == jobs.MAIL))
    assert job.run_at == datetime(2026, 7, 16, 7, tzinfo=UTC)
    clock.move_to(job.run_at)
    hourly(database, settings)
    hourly(database, settings)
    [mail] = mailbox.messages()
    assert (mail["To"], mail["Subject"]) == ("vera@example.com", "1 caller waits to be called back")
    for text in (text_of(mail), html_of(mail)):
        assert f"{settings.base_url}/o/harbour/calls-to-return" in text
        assert "Harbour Boats" in text
        assert not re.search(r"0182|quote|7946|Tyne", text)
    clock.move_to(datetime(2026, 7, 17, 7, 1, tzinfo=UTC))
    make.store(make_second(make, row))
    hourly(database, settings)
    assert [each["Subject"] for each in mailbox.messages()][1:] == ["2 callers wait to be called back"]


def make_second(make: Make, row: CallToReturn) -> CallToReturn:
    """Another caller, as one who waits."""
    call = make.call(caller="+442079460377", started_at=row.last_at, outcome=Outcome.BUSY)
    return CallToReturn(
        party_id=call.caller_id, first_at=call.started_at, last_at=call.started_at, last_call_key=call.call_key,
        pbx_id=call.pbx_id, did_id=None, tries=1, wait_seconds=1, voicemail=False, note="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("Europe/London", datetime(2026, 10, 24, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 13, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 2, tzinfo=UTC)),  # by half an hour
        ("Pacific/Kiritimati", datetime(2026, 10, 24, tzinfo=UTC)),  # 14 hours ahead
    ],
)
def test_one_a_day_over_the_change_of_clocks(
    cast: Cast,
    make: Make,
    database: Database,
    settings: Settings,
    clock: time_machine.Traveller,
    zone: str,
    begins: datetime,
) -> None:
    with make.session() as session:
        session.get_one(Organization, make.organization.id).time_zone = zone
        session.commit()
    wish(make, cast.vera)
    clock.move_to(begins)
    make.to_return(make.call(caller=CALLER, started_at=begins, outcome=Outcome.NO_ANSWER))
    for half_hours in range(3 * 48 + 24):
        clock.move_to(begins + timedelta(minutes=30 * half_hours))
        hourly(database, settings)
    local = [row.created_at.astimezone(ZoneInfo(zone)) for row in Mailbox(database, settings).rows()]
    assert len({each.date() for each in local}) == len(local) in (3, 4)
    # Exactly at eight, but for the first: its day had begun before.
    assert {(each.hour, each.minute) for each in local[1:]} == {(8, 0)}


def test_nobody_waits_then_no_mail_that_day(
    cast: Cast, make: Make, database: Database, settings: Settings, clock: time_machine.Traveller
) -> None:
    wish(make, cast.vera)
    waiting(make, done_at=NOW)
    clock.move_to(datetime(2026, 7, 16, 7, 5, tzinfo=UTC))
    hourly(database, settings)
    waiting(make, "+442079460377")
    clock.move_to(datetime(2026, 7, 16, 9, 5, tzinfo=UTC))
    hourly(database, settings)
    assert Mailbox(database, settings).rows() == []


def test_only_whose_access_lives_and_only_what_they_would_see(
    cast: Cast, make: Make, database: Database, settings: Settings, clock: time_machine.Traveller
) -> None:
    make.narrow(cast.nina, "201")
    waiting(make, callee="201")
    waiting(make, "+442079460377", callee="205")
    gone = make.member()
    wish(make, cast.vera, cast.max, cast.nina, gone)
    make.membership(cast.vera, ends_at=NOW)
    for step in delete_account(database, gone.id, [cast.harbour.id]):
        step.commit()
    wish(make, cast.max, wanted=False)
    clock.move_to(datetime(2026, 7, 16, 7, tzinfo=UTC))
    hourly(database, settings)
    [mail] = [each for each in Mailbox(database, settings).messages() if "called back" in each["Subject"]]
    assert (mail["To"], mail["Subject"]) == ("nina@example.com", "1 caller waits to be called back")


def test_the_mail_arrives(
    cast: Cast, make: Make, database: Database, settings: Settings, clock: time_machine.Traveller
) -> None:
    """Over SMTP, from a relay that is real."""
    waiting(make)
    wish(make, cast.olive)
    relay = Relay()
    with running(relay):
        clock.move_to(datetime(2026, 7, 16, 7, tzinfo=UTC))
        mailing = with_relay(settings, f"smtp://127.0.0.1:{relay.port}")
        hourly(database, mailing)
        send_due(database, mailing)
    [mail] = relay.mails
    assert relay.recipients == ["olive@example.com"]
    assert mail["Subject"] == "1 caller waits to be called back"
    assert "/o/harbour/calls-to-return" in text_of(mail)
