"""Every view says who may call it, once, in its own words; found by reading the code and by asking the app."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from config import Settings
from webapp import access, create_app
from webapp.database.engine import Database
from webapp.tenancy import guard
from webapp.tenancy.models import Role

WEBAPP = Path(__file__).resolve().parents[2] / "webapp"
ROUTES = {"route", "get", "post", "put", "patch", "delete"}
MARKERS = {"public", "signed_in", "member", "pbx", "staff"}
#: Whoever wants to make another page public writes it here as well.
PUBLIC = {
    "static",
    "health.show",
    "accounts.sign_in",
    "accounts.enter_code",
    *("accounts.question_to_sign_in", "accounts.sign_in_by_passkey"),
    *("accounts.staff_sign_in", "accounts.staff_sign_in_by_passkey"),
    "accounts.check_cookie",
    "accounts.sign_out",
    "accounts.forgotten_password",
    "accounts.follow_link",
    "accounts.open_link",
    # Between the password and the code, and the link of the mails about it.
    *("accounts.ask_without_factor", "accounts.not_me"),
    # 404 everywhere but in the demo: webapp/outbox/demo_views.py
    "outbox.list_mail",
    "outbox.show_mail",
    *("organizations.choose", "inventory.show"),
    *(f"policies.{view}" for view in ("show", "versions", "show_version", "difference", "choose_difference")),
    *("policies.feed", "policies.security_txt", "policies.employees", "promises.kept"),
    *("invitations.link", "invitations.open_link", "invitations.show", "invitations.accept"),
}


#: Asked by phone systems, with a token of theirs.
PHONE_SYSTEMS = {"collect.receive"} | {f"route_lookups.{view}" for view in ("as_json", "as_line", "as_dialplan")}


def decorators(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """("bp", "get") for @bp.get(...)."""
    for decorator in function.decorator_list:
        call = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name):
            yield call.value.id, call.attr


def views() -> list[tuple[str, ast.FunctionDef]]:
    found = []
    for path in sorted(WEBAPP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                name == "bp" and verb in ROUTES for name, verb in decorators(node)
            ):
                found.append((f"{path.relative_to(WEBAPP)}: {node.name}", node))
    return found


def test_security_21_every_view_has_exactly_one_marker() -> None:
    found = views()
    assert len(found) > 10
    for name, function in found:
        marks = [verb for owner, verb in decorators(function) if owner == "access" and verb in MARKERS]
        assert len(marks) == 1, f"{name} has {marks or 'no marker'}"


def test_security_21_the_marker_stands_below_the_route() -> None:
    """Above it, the app would get the function before it is marked."""
    for name, function in views():
        order = [owner for owner, verb in decorators(function) if owner in ("bp", "access")]
        assert order == sorted(order, key=lambda owner: owner != "bp"), name


GIVE_ACCESS = (
    "invitations/people_views.py",
    "organizations/settings_views.py",
    "organizations/support_views.py",
    "sources/token_views.py",
)


def test_who_gives_or_takes_access_is_asked_about_again() -> None:
    """Under the organization's lock, which may have been waited for: what the check before has seen may be lost."""
    without = set()
    for name, function in views():
        place, _colon, view = name.partition(": ")
        code = ast.unparse(function)
        if place in GIVE_ACCESS and ("'POST'" in code or "bp.post" in code):
            without |= {view} if "hold_and_check()" not in code else set()
    assert without == {"leave"}, "who leaves takes from themselves alone"


def test_security_21_public_pages_are_few_and_known(app: Flask) -> None:
    marks = {rule.endpoint: access.of(app.view_functions[rule.endpoint]) for rule in app.url_map.iter_rules()}
    assert {endpoint for endpoint, mark in marks.items() if not (mark.signed_in or mark.pbx)} == PUBLIC
    assert {endpoint for endpoint, mark in marks.items() if mark.pbx} == PHONE_SYSTEMS


def test_security_21_an_unmarked_view_stops_the_app(app: Flask) -> None:
    app.add_url_rule("/unmarked", view_func=lambda: "", endpoint="unmarked")
    with pytest.raises(access.AccessError, match="does not say who may call it"):
        guard.check_markers(app)


@pytest.mark.parametrize(
    ("address", "mark"),
    [
        ("/o/<slug:slug>/x", access.signed_in),
        ("/x", access.member(Role.OWNER)),
        ("/o/<slug:slug>/x", access.public),
        ("/o/<slug:slug>/x", access.pbx),
    ],
)
def test_security_21_a_marker_that_does_not_fit_stops_the_app(app: Flask, address: str, mark: object) -> None:
    assert callable(mark)
    app.add_url_rule(address, view_func=mark(lambda: ""), endpoint="misfit")
    with pytest.raises(access.AccessError, match="for all addresses under"):
        guard.check_markers(app)


def test_security_21_the_app_looks_itself_through(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "public", lambda view: view)
    with pytest.raises(access.AccessError):
        create_app(settings, database)


def test_addresses_are_kebab_case(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        fixed = [part for part in rule.rule.split("/") if part and not part.startswith("<")]
        assert all(part == part.lower() and "_" not in part for part in fixed), rule


def test_security_19_nobody_can_register(app: Flask) -> None:
    client = app.test_client()
    for path in ("/register", "/sign-up", "/join"):
        assert client.get(path).status_code == 404
        assert client.post(path).status_code == 404
