"""What is done through the pages and commands stands in the audit: what, by whom, about what, with which words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event, select

from config import Settings
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.conftest import HARBOUR, HandsIn, asterisk_file, hands_in
from webapp.accounts import session_rows
from webapp.accounts.jobs import REFUSAL_NOTED_AFTER
from webapp.accounts.models import UserAccount, WebSession
from webapp.audit import actions
from webapp.audit.models import AuditDetail, AuditEvent, AuditHead
from webapp.audit.verify import verify_chain
from webapp.clock import now
from webapp.database.engine import ACCESS, Database
from webapp.database.ids import read_id, spell_id
from webapp.jobs.worker import Worker
from webapp.organizations.actions import add_member
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, Role
from webapp.tenancy.sessions import reading_session, writing_session

__all__ = ["hands_in"]
SET_UP = {"extension_digits": "3", "region": "GB", "area_code": "020", "time_zone": "Europe/London"}
Recorded = tuple[str, int | None, int | None, dict[str, Any]]


def events_of(database: Database, organization: Organization) -> list[Recorded]:
    """Kind, actor, object and words of every event."""
    with reading_session(database, organization.id) as session:
        rows = session.execute(
            select(AuditEvent.kind, AuditEvent.actor_id, AuditEvent.object_id, AuditDetail.words)
            .join(
                AuditDetail,
                (AuditDetail.organization_id == AuditEvent.organization_id)
                & (AuditDetail.position == AuditEvent.position),
            )
            .order_by(AuditEvent.position)
        ).all()
    return [(kind, actor, thing, json.loads(words)) for kind, actor, thing, words in rows]


def work_off(database: Database, settings: Settings) -> None:
    """What the worker does once it is due."""
    with time_machine.travel(now() + REFUSAL_NOTED_AFTER, tick=False):
        Worker(database, settings).run_due()


@pytest.fixture
def recorded(database: Database, cast: Cast) -> Callable[[], list[Recorded]]:
    """What came into Harbour's chain since the last call; views of pages on the way are left out."""
    seen = len(events_of(database, cast.harbour))

    def fresh() -> list[Recorded]:
        nonlocal seen
        found = events_of(database, cast.harbour)[seen:]
        seen += len(found)
        return [event for event in found if not event[0].endswith(".viewed")]

    return fresh


# --------------------------------------------------------------------------------------------------------- signing in


def test_signing_in_and_out_is_in_the_chain_of_every_organization_of_the_person(
    client: PageCheckingClient, cast: Cast, database: Database, recorded: Callable[[], list[Recorded]]
) -> None:
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.max.id), Role.VIEWER)
        session.commit()
    client.sign_in(cast.max)
    client.send("/sign-out")
    expected = [("sign_in.done", cast.max.id, None, {}), ("sign_out.done", cast.max.id, None, {})]
    assert recorded() == expected
    assert events_of(database, cast.quayside)[-2:] == expected


@pytest.mark.parametrize("unwritable", ["harbour", "quayside"])
def test_security_28_nobody_is_in_whose_sign_in_cannot_be_noted(
    client: PageCheckingClient, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch, unwritable: str
) -> None:
    """In none of their organizations: the lines are there before the session, or in its transaction."""
    organization_id = getattr(cast, unwritable).id
    with writing_session(database, cast.quayside.id) as session:
        add_member(session, session.get_one(UserAccount, cast.max.id), Role.VIEWER)
        session.commit()
    hold_head = actions.hold_head

    def fail(session: LockedSession) -> AuditHead:
        if session.organization_id == organization_id:
            raise OSError("the disk is full")
        return hold_head(session)

    monkeypatch.setattr(actions, "hold_head", fail)
    client.get("/sign-in")
    with pytest.raises(OSError, match="full"):
        client.send("/sign-in", {"email": cast.max.email, "password": PASSWORD})
    with reading_session(database) as reading:
        assert reading.scalars(select(WebSession)).all() == []


def test_a_sign_in_that_is_refused_at_the_last_step_is_none(
    client: PageCheckingClient,
    cast: Cast,
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    recorded: Callable[[], list[Recorded]],
) -> None:
    monkeypatch.setattr(session_rows, "is_unchanged", lambda held, proved: False)
    client.get("/sign-in")
    assert client.send("/sign-in", {"email": cast.max.email, "password": PASSWORD}).status_code == 422
    work_off(database, settings)
    assert [kind for kind, *_ in recorded()] == ["sign_in.refused"]


def refuse(client: PageCheckingClient, email: str, times: int = 1) -> None:
    for _turn in range(times):
        client.get("/sign-in")
        assert client.send("/sign-in", {"email": email, "password": "not the right one"}).status_code == 422


def test_security_32_refused_sign_ins_of_somebody_known_are_in_it_once_in_a_quarter_of_an_hour(
    client: PageCheckingClient,
    cast: Cast,
    database: Database,
    settings: Settings,
    recorded: Callable[[], list[Recorded]],
) -> None:
    refuse(client, " Olive@Example.com", 3)
    work_off(database, settings)
    refuse(client, "olive@example.com")
    work_off(database, settings)
    assert recorded() == [("sign_in.refused", cast.olive.id, None, {})]


def test_refused_sign_ins_of_somebody_unknown_are_nobodys_matter(
    client: PageCheckingClient,
    cast: Cast,
    database: Database,
    settings: Settings,
    recorded: Callable[[], list[Recorded]],
) -> None:
    refuse(client, "nobody@example.com")
    refuse(client, "nora@example.com")  # who is in no organization
    work_off(database, settings)
    assert recorded() == []
    assert events_of(database, cast.quayside)[-1][0] == "member.joined"


def test_security_11_a_refused_sign_in_writes_as_often_for_an_unknown_address(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    """Else the time that it takes would tell who is known."""
    begun: list[str] = []
    event.listen(database.engine, "begin", lambda connection: begun.append(connection.get_execution_options()[ACCESS]))
    refuse(client, "vera@example.com")  # what is done once in a process is done
    counts = {}
    for email in ("olive@example.com", "unknown@example.com", "nora@example.com"):
        for turn in range(2):
            begun.clear()
            refuse(client, email)
            counts[email, turn] = begun.count("write")
    first, later = counts["olive@example.com", 0], counts["olive@example.com", 1]
    assert later == first - 2  # the job, and the mark that it is put in
    assert [counts[email, turn] for email, turn in counts] == [first, later] * 3


# -------------------------------------------------------------------------------------------------- searching, exports


def test_a_search_is_in_it_with_its_words(
    client: PageCheckingClient, cast: Cast, make: Make, recorded: Callable[[], list[Recorded]]
) -> None:
    make.call()
    client.sign_in(cast.vera)
    recorded()
    answer = client.send(f"{HARBOUR}/calls/search", {"words": "020 7946 0123", "caller": "Smith"})
    words = "“020 7946 0123”, caller “Smith”"
    assert recorded() == [("search.made", cast.vera.id, None, {"words": words})]
    assert client.get(answer.location).status_code == 200
    again = {"words": "020 7946 0123", "caller": "Smith", "search": answer.location.split("search=")[1]}
    client.send(f"{HARBOUR}/calls/search", {**again, "direction": "inbound"})
    assert recorded() == []  # the same words with another filter
    client.get(answer.location.replace("/calls?", "/calls/export?"))
    [(kind, actor, _thing, told)] = recorded()
    assert (kind, actor) == ("export.made", cast.vera.id)
    assert told["selection"].startswith("Last 30 days") and told["selection"].endswith(f"Search {words}")


def test_an_export_is_in_it_each_time_with_its_filter(
    client: PageCheckingClient, cast: Cast, make: Make, recorded: Callable[[], list[Recorded]]
) -> None:
    make.call()
    client.sign_in(cast.max)
    recorded()
    for _turn in range(2):
        client.get(f"{HARBOUR}/calls/export?period=2026-07&direction=inbound&talk_min=30")
    told = {"selection": "July 2026; Direction Inbound; Talked at least 0:30"}
    assert recorded() == [("export.made", cast.max.id, None, told)] * 2
    assert client.get(f"{HARBOUR}/calls/export?direction=sideways").status_code == 422
    assert recorded() == []


# ------------------------------------------------------------------------------------------- phone systems and imports


def test_what_is_done_to_a_phone_system(
    client: PageCheckingClient, cast: Cast, make: Make, recorded: Callable[[], list[Recorded]]
) -> None:
    client.sign_in(cast.max)
    recorded()
    answer = client.send(
        f"{HARBOUR}/phone-systems/new", {"name": "Shop", "time_zone": "Europe/London", "reader_name": ""}
    )
    address = answer.location.removesuffix("/imports")
    pbx_id = read_id(address.rsplit("/", 1)[1])
    client.send(f"{address}/name", {"name": "Old shop"})
    client.send(f"{address}/name", {"name": "Old shop"})
    client.send(f"{address}/set-up", SET_UP)
    for _twice in range(2):
        client.send(f"{address}/close")
    for _twice in range(2):
        client.send(f"{address}/reopen")
    by_max = [(kind, thing, words) for kind, actor, thing, words in recorded() if actor == cast.max.id]
    assert by_max == [
        ("pbx.added", pbx_id, {"name": "Shop"}),
        ("pbx.renamed", pbx_id, {"before": "Shop", "name": "Old shop"}),
        ("pbx.set_up", pbx_id, {"name": "Old shop"}),
        ("pbx.closed", pbx_id, {"name": "Old shop"}),
        ("pbx.reopened", pbx_id, {"name": "Old shop"}),
    ]


def test_what_is_refused_is_not_in_it(
    client: PageCheckingClient, cast: Cast, make: Make, recorded: Callable[[], list[Recorded]]
) -> None:
    make.pbx("Shop")
    client.sign_in(cast.max)
    recorded()
    form = {"name": "Shop", "time_zone": "Europe/London"}
    assert client.send(f"{HARBOUR}/phone-systems/new", form).status_code == 422
    assert recorded() == []


def test_what_is_done_to_an_import(
    hands_in: Callable[[object], HandsIn], cast: Cast, make: Make, recorded: Callable[[], list[Recorded]]
) -> None:
    pbx = make.pbx("Shop")
    browser = hands_in(cast.max)
    recorded()
    first = browser.take_in(pbx, asterisk_file(3) + b"nonsense\n", "May.csv")
    browser.client.get(f"{first}/refused-lines")
    address = f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/set-up/apply"
    assert browser.client.send(address, {**SET_UP, "outside_prefix": "9"}).status_code == 303
    browser.work()
    browser.client.send(f"{first}/undo")
    browser.work()
    second = browser.receive(pbx, asterisk_file(2), "June.csv")
    browser.client.send(f"{second}/start")
    browser.client.send(f"{second}/cancel")
    third = browser.receive(pbx, asterisk_file(2), "July.csv")
    browser.client.send(f"{third}/throw-away")
    ids = [read_id(place.rsplit("/", 1)[1]) for place in (first, second, third)]
    found = recorded()
    assert {actor for _kind, actor, _thing, _words in found} == {cast.max.id}
    assert [(kind, thing, words) for kind, _actor, thing, words in found] == [
        ("import.started", ids[0], {"file": "May.csv"}),
        ("refused_lines.downloaded", ids[0], {"file": "May.csv"}),
        ("pbx.set_up", pbx.id, {"name": "Shop"}),
        ("pbx.read_again", pbx.id, {"name": "Shop", "records": 3}),
        ("import.undone", ids[0], {"file": "May.csv"}),
        ("import.started", ids[1], {"file": "June.csv"}),
        ("import.cancelled", ids[1], {"file": "June.csv"}),
        ("import.thrown_away", ids[2], {"file": "July.csv"}),
    ]
    assert verify_chain(make.database, cast.harbour.id).wrong is None


def test_what_a_command_does_is_the_operators(
    app: Flask, cast: Cast, tmp_path: Any, recorded: Callable[[], list[Recorded]]
) -> None:
    path = tmp_path / "Master.csv"
    path.write_bytes(asterisk_file(2))
    run = app.test_cli_runner().invoke
    for words in (
        ("create-pbx", "Shop", "--organization", "harbour", "--format", "asterisk_cdr_csv"),
        ("import-calls", str(path), "--organization", "harbour", "--pbx", "Shop"),
    ):
        assert run(args=words).exit_code == 0
    assert [(kind, actor) for kind, actor, _thing, _words in recorded()] == [
        ("pbx.added", None),
        ("import.started", None),
    ]
