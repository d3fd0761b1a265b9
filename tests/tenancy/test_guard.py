"""Who gets past the guard, address by address: the list is read off the app, so a new view is in it."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, session, url_for
from sqlalchemy import func, inspect, select
from werkzeug.test import TestResponse

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.every_address import Address, addresses, ids_of, named_things, unknown_ids
from tests.make import Make
from webapp import access
from webapp.accounts.models import UserAccount
from webapp.audit.models import AuditEvent
from webapp.calls.models import Pbx
from webapp.database.base import Base
from webapp.database.engine import Database
from webapp.organizations.actions import add_member
from webapp.tenancy.models import Membership, Organization, Role
from webapp.tenancy.request import current_membership, current_organization, db
from webapp.tenancy.row_security import set_local
from webapp.tenancy.sessions import reading_session, writing_session

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
#: That somebody looked is written down, and nothing else is by looking.
NOTED = frozenset({"audit_event", "audit_detail", "audit_head", "audit_viewing"})


def tenant_addresses(app: Flask, ids: dict[str, int]) -> list[Address]:
    return [address for address in addresses(app, "harbour", ids) if address.path.startswith("/o/harbour/")]


def ask(client: PageCheckingClient, address: Address, **options: Any) -> TestResponse:
    if address.method == "GET":
        return client.get(address.path, **options)
    headers = {"X-CSRFToken": client.token(), **options.pop("headers", {})}
    return client.open(address.path, method=address.method, headers=headers, **options)


def body(answer: TestResponse) -> str:
    """Without what differs from one request to the next."""
    return re.sub(r"<code>[0-9a-f]{12}</code>", "", answer.text)


def snapshot(database: Database, but: frozenset[str] = frozenset()) -> dict[str, list[Any]]:
    """All rows of all tables, but for what a visit itself leaves: the session's last_seen, and throttle rows."""
    with database.engine.connect() as connection:
        names = set(inspect(connection).get_table_names()) - {"web_session", "throttle"}
        assert set(Base.metadata.tables) - {"web_session"} <= names
        organizations = connection.exec_driver_sql("SELECT id FROM organization ORDER BY id").scalars().all()
        rows: dict[str, list[Any]] = {name: [] for name in names}
        for organization_id in organizations:
            set_local(connection, organization_id, None)
            for name in names:
                rows[name] += sorted(map(repr, connection.exec_driver_sql(f'SELECT * FROM "{name}"')))
    assert rows["pbx"]
    return {name: found for name, found in rows.items() if name not in but}


def test_security_21_a_view_without_a_marker_stops_the_app(app: Flask) -> None:
    with pytest.raises(access.AccessError, match="does not say who may call it"):
        access.of(lambda: "")
    with pytest.raises(access.AccessError, match="two access markers"):
        access.public(access.signed_in(lambda: ""))


def test_security_22_the_outsider_gets_404_everywhere(app: Flask, client: PageCheckingClient, make: Make) -> None:
    cast_client_of_quentin(client, make)
    ids = ids_of(make)
    nowhere = body(client.get("/no-such-page"))
    walked = tenant_addresses(app, ids)
    assert walked
    for address in walked:
        for headers in ({}, PART):
            answer = ask(client, address, headers=headers)
            assert answer.status_code == 404, address
            if not headers:
                assert body(answer) == nowhere, address


def cast_client_of_quentin(client: PageCheckingClient, make: Make) -> None:
    with reading_session(make.database) as session_:
        quentin = session_.scalars(select(UserAccount).where(UserAccount.email == "quentin@example.com")).one()
    client.sign_in(quentin)


def test_security_22_an_organization_that_is_not_there_looks_the_same(
    app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.quentin)
    for address in addresses(app, "nowhere", unknown_ids()):
        if address.path.startswith("/o/nowhere/"):
            other = Address(address.endpoint, address.method, address.path.replace("/nowhere/", "/harbour/", 1))
            assert body(ask(client, address)) == body(ask(client, other)), address


def test_security_22_things_of_others_are_as_unknown_as_those_of_nobody(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    client.sign_in(cast.olive)
    theirs = ids_of(make.at(cast.quayside))
    unknown = unknown_ids()
    walked = 0
    pairs = zip(tenant_addresses(app, theirs), tenant_addresses(app, unknown), strict=True)
    for address, nobodys in pairs:
        if not named_things(app, address.endpoint):
            continue
        walked += 1
        for headers in ({}, PART):
            answer, other = ask(client, address, headers=headers), ask(client, nobodys, headers=headers)
            assert (answer.status_code, other.status_code) == (404, 404), address
            assert body(answer) == body(other), address
    assert walked or not any(
        named_things(app, rule.endpoint) for rule in app.url_map.iter_rules() if "/o/" in rule.rule
    )


@pytest.mark.parametrize("role", list(Role))
def test_security_22_a_small_role_gets_403(app: Flask, client: PageCheckingClient, cast: Cast, role: Role) -> None:
    client.sign_in({Role.VIEWER: cast.vera, Role.MANAGER: cast.max, Role.OWNER: cast.olive}[role])
    for address in tenant_addresses(app, unknown_ids()):
        wanted = access.of(app.view_functions[address.endpoint]).role
        assert wanted is not None, address
        answer = ask(client, address)
        assert (answer.status_code == 403) == (role < wanted), address


def test_signed_out_everything_but_the_public_pages_asks_to_sign_in(
    app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    client.get("/sign-in")
    for address in addresses(app, "harbour", unknown_ids()):
        mark = access.of(app.view_functions[address.endpoint])
        if not mark.signed_in:
            continue
        door = "/staff/sign-in" if mark.staff else "/sign-in"
        answer = ask(client, address)
        assert answer.status_code == 303, address
        assert answer.location.startswith(door), address
        part = ask(client, address, headers=PART)
        assert part.status_code == 401, address
        assert part.headers["HX-Redirect"].startswith(door), address


def test_security_39_page_and_part_are_both_guarded(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    client.sign_in(cast.quentin)
    whole = {"HX-Request": "true", "HX-Request-Type": "full"}
    restored = {**PART, "HX-History-Restore-Request": "true"}
    for address in tenant_addresses(app, unknown_ids()):
        for headers in ({}, PART, whole, restored, {"HX-Request": "true"}, {"HX-Request-Type": "partial"}):
            assert ask(client, address, headers=headers).status_code == 404, (address, headers)


def test_security_34_no_form_without_its_token_changes_anything(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    client.get("/sign-in")
    before_signing_in = client.token()
    client.sign_in(cast.olive)
    other = app.test_client()
    assert isinstance(other, PageCheckingClient)
    other.sign_in(cast.max)
    ids = ids_of(make)
    tokens = {
        "none": {},
        "of another session": {"X-CSRFToken": other.token()},
        "old": {"X-CSRFToken": before_signing_in},
    }
    before = snapshot(database)
    marks = {name: access.of(view) for name, view in app.view_functions.items()}
    forms = {
        name for name, mark in marks.items() if not (mark.pbx or mark.staff)
    }  # tests/staff/test_forms.py has those
    walked = [each for each in addresses(app, "harbour", ids) if each.method in UNSAFE and each.endpoint in forms]
    for address in walked:
        for kind, headers in tokens.items():
            answer = client.open(address.path, method=address.method, headers=headers)
            assert answer.status_code == 400, (address, kind)
            assert "This page was open too long" in answer.text, (address, kind)
    assert any(address.path.startswith("/sign-out") for address in walked)
    assert snapshot(database) == before
    assert client.get("/").location == "/o/harbour/"


def test_security_34_other_sites_send_no_forms(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    client.sign_in(cast.olive)
    ids = ids_of(make)
    client.token()  # of a page, which is noted in the audit
    before = snapshot(database)
    for address in addresses(app, "harbour", ids):
        if address.method in UNSAFE:
            answer = ask(client, address, headers={"Sec-Fetch-Site": "cross-site"})
            assert answer.status_code == 400, address
    assert snapshot(database) == before


def test_security_34_reading_changes_nothing(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make, database: Database
) -> None:
    client.sign_in(cast.olive)
    ids = ids_of(make)
    client.get("/o/harbour/")  # the day of the last use is written now
    with reading_session(database, cast.harbour.id) as session:
        already = session.scalar(select(func.max(AuditEvent.position))) or 0
    before = snapshot(database, NOTED)
    for address in addresses(app, "harbour", ids):
        if address.method == "GET":
            answer = client.get(address.path)
            assert answer.status_code < 500, address
            assert client.head(address.path).status_code == answer.status_code, address
            of_staff = access.of(app.view_functions[address.endpoint]).staff
            assert client.options(address.path).status_code == (404 if of_staff else 200), address
    assert snapshot(database, NOTED) == before
    with reading_session(database, cast.harbour.id) as session:
        kinds = set(session.scalars(select(AuditEvent.kind).where(AuditEvent.position > already)))
    assert {kind for kind in kinds if not kind.endswith(".viewed")} == {
        "destination.exported",
        "export.made",
        "refused_lines.downloaded",
        "who_looked.exported",
        "who_looked.chain_exported",
    }


def test_security_34_over_https_a_form_comes_from_our_own_pages(
    app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    client.sign_in(cast.olive)
    token, https = {"X-CSRFToken": client.token()}, "https://localhost"
    assert client.post("/sign-out", base_url=https, headers=token).status_code == 400
    elsewhere = {**token, "Referer": "https://evil.example/"}
    assert client.post("/sign-out", base_url=https, headers=elsewhere).status_code == 400
    assert client.post("/sign-out", base_url=https, headers={**token, "Referer": f"{https}/"}).status_code == 303


def test_security_41_another_host_is_not_ours(client: PageCheckingClient) -> None:
    for host in ("evil.example", "localhost.evil.example", "localhost:80@evil.example"):
        answer = client.get("/sign-in", headers={"Host": host})
        assert answer.status_code == 400, host
        assert "evil" not in answer.text
    answer = client.get("/sign-in", headers={"X-Forwarded-Host": "evil.example"})
    assert answer.status_code == 200
    assert "evil" not in answer.text


@pytest.fixture
def probe(app: Flask) -> Callable[[], dict[str, Any]]:
    """A view of an organization that notes what it saw."""
    seen: dict[str, Any] = {}

    @access.member(Role.VIEWER)
    def look() -> str:
        seen.update(
            organization=current_organization().slug,
            role=current_membership().role,
            names=[pbx.name for pbx in db().scalars(select(Pbx))],
            memberships=len(list(db().scalars(select(Membership)))),
            self_address=url_for("look"),
            other_address=url_for("look", slug="quayside"),
        )
        return ""

    app.add_url_rule("/o/<slug:slug>/look", view_func=look)
    return lambda: seen


def test_the_request_is_bound_to_its_organization(
    client: PageCheckingClient, cast: Cast, make: Make, probe: Callable[[], dict[str, Any]]
) -> None:
    make.pbx("At the harbour")
    make.at(cast.quayside).pbx("At the quay")
    with writing_session(make.database, cast.quayside.id) as session_:
        add_member(session_, session_.get_one(UserAccount, cast.max.id), Role.OWNER)
        session_.commit()
    client.sign_in(cast.max)
    assert client.get("/o/harbour/look").status_code == 200
    assert probe() == {
        "organization": "harbour",
        "role": Role.MANAGER,
        "names": ["At the harbour"],
        "memberships": 5,  # four of this organization, and Max's own in the other
        "self_address": "/o/harbour/look",
        "other_address": "/o/quayside/look",
    }
    client.get("/o/quayside/look")
    assert (probe()["organization"], probe()["names"]) == ("quayside", ["At the quay"])


def test_a_view_outside_any_organization_sees_no_rows(
    app: Flask, client: PageCheckingClient, cast: Cast, make: Make
) -> None:
    make.pbx()
    seen: list[int] = []

    @access.signed_in
    def outside() -> str:
        seen.append(len(list(db().scalars(select(Pbx)))))
        with pytest.raises(RuntimeError, match="outside any organization"):
            current_organization()
        return ""

    app.add_url_rule("/outside", view_func=outside)
    client.sign_in(cast.olive)
    assert client.get("/outside").status_code == 200
    assert seen == [0]


def test_a_body_is_not_read_for_somebody_who_may_not_send_it(
    app: Flask, client: PageCheckingClient, cast: Cast
) -> None:
    view = access.takes_body(10_000_000)(access.member(Role.MANAGER)(lambda: "taken"))
    app.add_url_rule("/o/<slug:slug>/send", view_func=view, endpoint="send", methods=["POST"])
    client.sign_in(cast.vera)

    class Unread:
        def read(self, *_size: int) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    environ: dict[str, Any] = {"wsgi.input": Unread(), "CONTENT_LENGTH": "2000000"}
    data = {"content_type": "application/x-www-form-urlencoded", "environ_overrides": environ}
    assert client.post("/o/harbour/send", headers={"X-CSRFToken": client.token()}, **data).status_code == 403
    assert client.post("/o/quayside/send", headers={"X-CSRFToken": client.token()}, **data).status_code == 404


def test_a_larger_body_is_for_views_that_say_so(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    usual = access.member(Role.VIEWER)(lambda: "taken")
    larger = access.takes_body(3_000_000)(access.member(Role.VIEWER)(lambda: "taken"))
    app.add_url_rule("/o/<slug:slug>/usual", view_func=usual, endpoint="usual", methods=["POST"])
    app.add_url_rule("/o/<slug:slug>/larger", view_func=larger, endpoint="larger", methods=["POST"])
    client.sign_in(cast.vera)
    form = {"csrf_token": client.token(), "file": (open_file(2_000_000), "x.csv")}
    assert client.post("/o/harbour/usual", data=form).status_code == 413
    form = {"csrf_token": client.token(), "file": (open_file(2_000_000), "x.csv")}
    assert client.post("/o/harbour/larger", data=form).text == "taken"
    form = {"csrf_token": client.token(), "file": (open_file(4_000_000), "x.csv")}
    assert client.post("/o/harbour/larger", data=form).status_code == 413


def open_file(size: int) -> Any:
    return io.BytesIO(b"x" * size)


def test_security_29_a_form_cannot_name_an_organization_or_a_role(
    client: PageCheckingClient, cast: Cast, database: Database
) -> None:
    client.get("/sign-in")
    extra = {"organization_id": str(cast.quayside.id), "role": "3", "state": "1", "is_staff": "1"}
    client.send("/sign-in", {"email": cast.vera.email, "password": "six small boats at anchor", **extra})
    with reading_session(database, cast.harbour.id) as session_:
        assert session_.get_one(Membership, (cast.harbour.id, cast.vera.id)).role == Role.VIEWER
    assert client.get("/o/quayside/").status_code == 404


def test_the_session_of_a_write_is_opened_when_it_is_needed(app: Flask, client: PageCheckingClient, cast: Cast) -> None:
    """On SQLite it holds the one write lock: a view that reads a large body first must not have it yet."""
    seen: list[bool] = []

    @access.member(Role.VIEWER)
    def late() -> str:
        seen.append(session.get("nothing") is None)
        with writing_session(app.extensions["callbook"].database) as own:
            own.get_one(Organization, current_organization().id).name = "Renamed"
            own.commit()
        seen.append(db().get_one(Organization, current_organization().id).name == "Renamed")
        return ""

    app.add_url_rule("/o/<slug:slug>/late", view_func=late, methods=["POST"])
    client.sign_in(cast.olive)
    assert client.send("/o/harbour/late").status_code == 200
    assert seen == [True, True]
