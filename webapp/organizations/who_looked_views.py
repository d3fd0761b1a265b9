"""The owners' page "Who looked": all of the audit of their organization, with filters and as a file. Holds `bp`."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, clock, htmx, navigation
from webapp.accounts.gates import ask_for_proof
from webapp.audit.groups import GROUP_LABELS
from webapp.audit.viewing import note, note_view, sweep_viewing
from webapp.csv_out import UNPROVED_AT_MOST, csv_pieces, csv_response, download
from webapp.database.ids import spell_id
from webapp.errors import Forbidden, Refused
from webapp.jobs.handlers import register_chore
from webapp.organizations.chain_file import chain_pieces
from webapp.organizations.disclosures import count_told
from webapp.organizations.head_mails import mail_heads
from webapp.organizations.looked_filter import OPERATOR, Asked, LookedFilter, read_asked
from webapp.organizations.who_looked import (
    CSV_HEADER,
    ROWS_ON_A_PAGE,
    THE_OPERATOR,
    LookedRow,
    Person,
    export_events,
    list_events,
    list_people,
    name_people,
    read_head,
    show_events,
    tell_filter,
)
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, current_reader, db

bp = Blueprint("who_looked", __name__)
navigation.add("Who looked", "who_looked.index", 80, Role.OWNER)

PAGE, ROWS = "organizations/who_looked.html", "organizations/_who_looked_rows.html"


@dataclass(frozen=True)
class Choice:
    value: str
    label: str
    chosen: bool


@dataclass(frozen=True)
class Chip:
    name: str
    value: str
    href: str


@bp.record_once
def _register_chore(_state: BlueprintSetupState) -> None:
    register_chore("audit.sweep_viewing", sweep_viewing)
    register_chore("organizations.mail_heads", mail_heads)


@bp.get("/o/<slug:slug>/who-looked")
@access.member(Role.OWNER)
@access.sees_every_call
def index() -> ResponseReturnValue:
    """A page of events, or the rows that htmx goes on with."""
    organization = current_organization()
    asked = read_asked(request.args)
    zone = ZoneInfo(organization.time_zone)
    events = [] if asked.errors else list_events(db(), asked.chosen, zone, asked.before, ROWS_ON_A_PAGE + 1)
    shown = events[:ROWS_ON_A_PAGE]
    more = _address(asked.chosen, shown[-1].position) if len(events) > ROWS_ON_A_PAGE else ""
    rows: dict[str, Any] = {
        "rows": show_events(db(), shown, masked=current_reader().is_masked),
        "more": more,
        "zone": zone,
        "today": clock.now().astimezone(zone).date(),
        "href_of": _href_of,
        "who_href": _who_href,
    }
    frame = {} if htmx.wants_part() else _frame(asked)
    note_view(services().database, organization.id, current_user.id, "who_looked.viewed")
    return htmx.render(PAGE, ROWS, status=422 if asked.errors else 200, **rows, **frame)


@bp.get("/o/<slug:slug>/who-looked/export")
@access.member(Role.OWNER)
@access.sees_every_call
def export() -> ResponseReturnValue:
    """Every event of the selection as CSV, streamed. Where there are many, by who has just proved."""
    if (instead := _may_take_away()) is not None:
        return instead
    organization, database = current_organization(), services().database
    asked = read_asked(request.args)
    for name, sentence in asked.errors.items():
        raise Refused(sentence, name)
    selection = "; ".join(f"{name} {value}" for name, value, _without in tell_filter(db(), asked.chosen))
    note(database, organization.id, current_user.id, "who_looked.exported", selection=selection or "everything")
    zone = ZoneInfo(organization.time_zone)
    rows = export_events(
        database, organization.id, current_user.id, asked.chosen, zone, masked=current_reader().is_masked
    )
    day = clock.now().astimezone(zone).date().isoformat()
    return csv_response(f"{organization.slug}-who-looked-{day}.csv", csv_pieces(CSV_HEADER, rows))


@bp.get("/o/<slug:slug>/who-looked/chain")
@access.member(Role.OWNER)
@access.sees_every_call
def chain() -> ResponseReturnValue:
    """All of the audit with its hashes, streamed, for static/check_audit.py. If it is long, by who has just proved."""
    if (instead := _may_take_away()) is not None:
        return instead
    organization, database = current_organization(), services().database
    note(database, organization.id, current_user.id, "who_looked.chain_exported")
    pieces = chain_pieces(database, organization.id, current_user.id, masked=current_reader().is_masked)
    return download(f"{organization.slug}-audit.jsonl", pieces, "application/jsonl")


def _may_take_away() -> ResponseReturnValue | None:
    """None, or what is answered instead. Raises Forbidden. Of the whole record's length: no selection is counted."""
    if not current_reader().may_export:
        raise Forbidden("You may look here, but not take a file away.")
    return ask_for_proof() if read_head(db()).position > UNPROVED_AT_MOST else None


def _frame(asked: Asked) -> dict[str, Any]:
    """What the page needs around its rows."""
    chosen = asked.chosen
    days = {key: day.isoformat() if day else "" for key, day in (("from", chosen.first), ("to", chosen.last))}
    return {
        "asked": asked,
        "head": read_head(db()),
        "told_count": count_told(db()),
        "people": _people(chosen),
        "groups": [Choice(group, label, group is chosen.group) for group, label in GROUP_LABELS.items()],
        "values": days | asked.typed,
        "chips": [Chip(name, value, _address(without)) for name, value, without in tell_filter(db(), chosen)],
        "clear_href": url_for("who_looked.index"),
        "first_href": _address(chosen) if asked.before is not None else "",
        "export_href": _with_pairs(url_for("who_looked.export"), chosen.to_query()),
    }


def _people(chosen: LookedFilter) -> list[Choice]:
    """The members, the operator, and whoever is chosen though they have left."""
    people = [*list_people(db()), THE_OPERATOR]
    if isinstance(chosen.who, int) and chosen.who not in {person.key for person in people}:
        people.append(name_people(db(), {chosen.who})[chosen.who])
    return [Choice(_who_key(person), person.label, person.key == chosen.who) for person in people]


def _who_key(person: Person) -> str:
    return spell_id(person.key) if isinstance(person.key, int) else OPERATOR


def _who_href(person: Person) -> str:
    return url_for("who_looked.index", who=_who_key(person))


def _href_of(row: LookedRow) -> str:
    """Where what an event is about lies, "" if nowhere."""
    if row.page is None:
        return ""
    values: dict[str, Any] = {row.page.argument: row.event.object_id}
    return url_for(row.page.endpoint, **values)


def _address(chosen: LookedFilter, before: int | None = None) -> str:
    pairs = chosen.to_query() + ([("after", spell_id(before))] if before is not None else [])
    return _with_pairs(url_for("who_looked.index"), pairs)


def _with_pairs(path: str, pairs: list[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(pairs)}" if pairs else path
