"""Every address of the app, spelt out, so that a test can walk through all of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask

from tests.make import Make
from webapp.addresses import IdConverter
from webapp.database.ids import new_id
from webapp.destinations.route_models import RouteCondition
from webapp.destinations.routing import Hours, RouteLine, Span

_BY_HAND = {
    "filename": "callbook.css",
    "after": 1,
    "outbox_message_id": 1,  # mails are shown by the demo alone
    "token": "of-no-link",
    "what": "hours",
    "web_session_id": 1,
    "job_id": 1,
    "passkey_id": 1,
    "policy_name": "privacy",
    "version": 1,  # of a policy
    "earlier": 1,
    "later": 2,
}
_IDS = (
    *("pbx_id", "import_file_id", "call_key", "party_id", "member_id", "invitation_id"),
    *("number_id", "schedule_id", "route_plan_id", "token_id"),
    *("destination_id", "contact_import_id", "organization_id", "notice_id"),
    "announcement_id",
    *("access_request_id", "access_grant_id", "disclosure_id", "removal_id"),
    "takeout_id",
)


@dataclass(frozen=True)
class Address:
    """One rule with one of its methods, as a path of one organization."""

    endpoint: str
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.endpoint})"


def ids_of(make: Make) -> dict[str, int]:
    """One of each thing that an address may name, stored in the organization of `make`, by the name of its argument."""
    pbx = make.pbx()
    imported = make.import_file(pbx)
    make.refused_line(imported)
    call = make.call(pbx=pbx)
    make.record(call, imported)
    number = make.number("+442079460199")
    hours = make.schedule("Office hours", Hours("Europe/London", (Span(1, 540, 1020),)))
    line = RouteLine(RouteCondition.OPEN, make.destination("Reception").id, hours.id)
    make.to_return(call)
    return {
        "pbx_id": pbx.id,
        "import_file_id": imported.id,
        "call_key": call.call_key,
        "party_id": call.caller_id or 0,
        "member_id": make.member().id,
        "invitation_id": make.invitation().id,
        "number_id": number.id,
        "schedule_id": hours.id,
        "route_plan_id": make.route_plan(number, line).id,
        "token_id": make.token(pbx).id,
        "destination_id": make.destination("Ann Lee").id,
        "contact_import_id": make.contact_import().id,
        "access_request_id": make.access_request().id,
        "access_grant_id": make.grant(make.member()).id,
        "organization_id": make.organization.id,
        "notice_id": new_id(),
        "announcement_id": new_id(),
        "disclosure_id": make.disclosure().id,
        "removal_id": make.lost_factor(make.member()).id,
        "takeout_id": make.takeout().id,
    }


def unknown_ids() -> dict[str, int]:
    """Ids that nothing has."""
    return {name: new_id() for name in _IDS}


def addresses(app: Flask, slug: str, ids: dict[str, int]) -> Iterator[Address]:
    """Every rule and method. Fails on an argument that `ids_of` does not know: add it there."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values: dict[str, object] = {}
        for name in rule.arguments:
            known = {**_BY_HAND, **ids, **(rule.defaults or {}), "slug": slug}
            assert name in known, f"tests/every_address.py knows no {name}, which {rule} names"
            values[name] = known[name]
        path = adapter.build(rule.endpoint, values)
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            yield Address(rule.endpoint, method, path)


def named_things(app: Flask, endpoint: str) -> set[str]:
    """The arguments of the endpoint's rules that are ids."""
    return {
        name
        for rule in app.url_map.iter_rules(endpoint)
        for name, converter in rule._converters.items()
        if isinstance(converter, IdConverter)
    }
