"""Still without a name: the most called numbers that nothing names, each named with one key. Loaded by views.py."""

from typing import NamedTuple

from flask import flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.database.staff_rights import Area
from webapp.destinations.blueprint import bp
from webapp.destinations.forms import NameForm
from webapp.destinations.kind_words import KIND_LABELS, KIND_NAMES
from webapp.destinations.masking import mask_digits, mask_name, mask_text, masked_party
from webapp.destinations.models import DestinationKind, Party, PartyKind
from webapp.destinations.naming import get_party, name_party
from webapp.destinations.pages import frame, own_plan
from webapp.destinations.patterns import Plan
from webapp.destinations.tabs import add_tab
from webapp.destinations.unnamed import read_unnamed
from webapp.destinations.unnamed_skips import count_skips
from webapp.destinations.zones import tell_zone
from webapp.errors import Refused
from webapp.formatting import format_number
from webapp.places import country_of
from webapp.tenancy.guard import hold_and_check
from webapp.tenancy.models import Role
from webapp.tenancy.reader import Reader
from webapp.tenancy.request import current_reader, db

add_tab("Still without a name", "destinations.unnamed", 40)

_INSIDE = {PartyKind.EXTENSION: "Extension", PartyKind.SERVICE: "Code", PartyKind.OTHER: "Number"}
#: What is guessed of them.
_KINDS = {
    PartyKind.OUTSIDE: DestinationKind.CUSTOMER,
    PartyKind.EXTENSION: DestinationKind.PERSON,
    PartyKind.SERVICE: DestinationKind.MENU,
}


class ShownUnnamed(NamedTuple):
    """`number` as the reader may see it, `e164` its full form or "". `name` and `kind` are what is suggested."""

    id: int
    number: str
    e164: str
    what: str
    calls: int
    name: str
    kind: str


@bp.get("/unnamed")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.CALLS | Area.DESTINATIONS, "numbers still without a name")
def unnamed() -> ResponseReturnValue:
    found, plan, reader = read_unnamed(db()), own_plan(), current_reader()
    shown = [show_unnamed(each.party, each.calls, plan, reader) for each in found.parties]
    page = "destinations/unnamed.html"
    context = frame(found=found, rows=shown, kinds=list_kinds(), skip_count=count_skips(db()), error="")
    return htmx.render(page, page, **context)


@bp.post("/unnamed/<id:party_id>")
@access.member(Role.MANAGER)
@access.sees_every_call
def give_name(party_id: int) -> ResponseReturnValue:
    """One row is stored: htmx puts what became of it in its place and goes on to the next."""
    hold_and_check()
    party, plan = get_party(db(), party_id), own_plan()
    shown = show_unnamed(party, None, plan, current_reader())
    form = NameForm()
    if not form.validate():
        return _row_page(shown, form, " ".join(error for errors in form.errors.values() for error in errors))
    try:
        destination, is_new = name_party(
            db(), party, form.name.data or "", KIND_NAMES[form.kind.data], plan, actor_id=current_user.id
        )
    except Refused as refusal:
        # It may name the number that the reader sees with dots.
        sentence = mask_text(refusal.sentence) if current_reader().is_masked else refusal.sentence
        return _row_page(shown, form, sentence)
    db().commit()
    told = f"is {destination.name} now" if is_new else f"is now one of {destination.name}’s numbers"
    if not htmx.wants_part():
        flash(f"{shown.number} {told}.", "ok")
        return htmx.go_to(url_for("destinations.unnamed"))
    part = "destinations/_named.html"
    return htmx.render(part, part, **frame(row=shown, destination=destination, told=told))


def _row_page(row: ShownUnnamed, form: NameForm, error: str) -> ResponseReturnValue:
    """The row again, with what was typed; without htmx as a page of its own."""
    typed = row._replace(name=form.name.data or "", kind=form.kind.data or row.kind)
    context = frame(row=typed, kinds=list_kinds(), error=error)
    return htmx.render("destinations/name.html", "destinations/_unnamed_row.html", status=422, **context)


def list_kinds() -> list[tuple[str, str]]:
    return [(kind.name.lower(), KIND_LABELS[kind]) for kind in DestinationKind if kind != DestinationKind.ZONE]


def show_unnamed(party: Party, calls: int | None, plan: Plan, reader: Reader) -> ShownUnnamed:
    outside = party.kind == PartyKind.OUTSIDE
    number = format_number(party.e164, plan.region) if party.e164 else party.digits
    hidden = reader.is_masked and masked_party(party.kind, party.digits)
    system = plan.pbxes.get(party.pbx_id or 0, "") if len(plan.pbxes) > 1 else ""
    return ShownUnnamed(
        id=party.id,
        number=mask_digits(party.kind, number) if hidden else number,
        e164=party.e164 if party.e164 and not hidden else "",
        what=_where(party, plan.region)
        if outside
        else " at ".join(part for part in (_INSIDE[party.kind], system) if part),
        calls=calls or 0,
        name=_suggest(party, plan, reader),
        kind=_KINDS.get(party.kind, DestinationKind.CONTACT).name.lower(),
    )


def _suggest(party: Party, plan: Plan, reader: Reader) -> str:
    """The name that a phone system gave, where no dots would be stored with it; of an extension else what it is.

    Of an outside number nothing else: where it is from is no name, and one key would store it.
    """
    if party.kind == PartyKind.OTHER and reader.is_masked:
        return ""
    if party.name and (not reader.is_masked or mask_name(party.name, party.digits) == party.name):
        return party.name
    return "" if party.kind == PartyKind.OUTSIDE else f"{_INSIDE[party.kind]} {party.digits}"


def _where(party: Party, home: str) -> str:
    """ "Newcastle upon Tyne", "Mobile, France"."""
    region = party.region or country_of(party.digits)
    zone = tell_zone(region, party.line_type, party.place, home) or "Outside number"
    return zone[0].upper() + zone[1:]
