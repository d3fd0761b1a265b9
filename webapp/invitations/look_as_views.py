"""See what they will see: an organization's pages as somebody with a smaller role, narrowed or masked, would see them.

Adds to the blueprint of organizations/, whose pages these are; extensions are read as the invitation's form does. The
guard applies what is kept here in the browser's session to every GET, and refuses every other POST meanwhile.
"""

from flask import flash, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than the types

from webapp import access, htmx
from webapp.addresses import organization_home
from webapp.clock import now_ms
from webapp.database.ids import read_id
from webapp.errors import Forbidden, NotFound, Refused
from webapp.invitations.extensions import Spelt, read_extensions, spell_extensions, spelt_from, tell_opened
from webapp.invitations.queries import get_invitation
from webapp.invitations.subjects import list_offered, names_of
from webapp.organizations.members import get_member
from webapp.organizations.offers import offer_of_invitation, offer_of_membership
from webapp.organizations.views import bp
from webapp.tenancy.looking_as import KEY, LookingAs
from webapp.tenancy.models import Numbers, Role
from webapp.tenancy.narrowing import Narrowing
from webapp.tenancy.reader import Reader
from webapp.tenancy.request import current_membership, current_organization, current_reader, db

__all__ = ["bp"]

NUMBERS_WORDS = {
    Numbers.FULL: "In full",
    Numbers.MASKED: "Masked: the last four digits are dots",
    Numbers.SHOWN_ONE_BY_ONE: "Masked, and one at a time can be shown",
}


class LookAsForm(FlaskForm):  # type: ignore[misc]
    """The fields of the invitation form that decide what somebody sees."""

    role = RadioField(
        "Role", choices=[SelectChoice(role.word, role.word.capitalize()) for role in Role], default=Role.VIEWER.word
    )
    numbers = RadioField(
        "Outside numbers",
        choices=[SelectChoice(each.name.lower(), words) for each, words in NUMBERS_WORDS.items()],
        default=Numbers.FULL.name.lower(),
    )
    may_export = BooleanField("May export calls")
    extensions = TextAreaField("Only the calls of")
    # Of whom the fields tell, if of anybody: the lines go on to stand for what these have.
    of_member = HiddenField()
    of_invitation = HiddenField()


@bp.route("/o/<slug:slug>/look-as", methods=["GET", "POST"])
@access.member(Role.MANAGER)
def look_as() -> ResponseReturnValue:
    """GET asks as whom; POST begins."""
    form = LookAsForm(data={"extensions": _own_lines(), "may_export": current_reader().may_export})
    if not form.validate_on_submit():
        return _page(form)
    narrowing = _read_narrowing(form)
    if form.extensions.errors:
        return _page(form)
    role = Role[form.role.data.upper()]
    reader = Reader(Numbers[form.numbers.data.upper()], form.may_export.data, narrowing)
    looking = LookingAs(current_organization().id, role, reader, _tell(role, reader), now_ms())
    if not looking.fits(current_membership(), current_reader()):
        raise Forbidden("This is more than you see yourself. Nobody can give, or look as, more than they have.")
    session[KEY] = looking.spell()
    return htmx.go_to(organization_home(current_organization().slug))


@bp.post("/o/<slug:slug>/look-as/stop")
@access.member(Role.VIEWER)
def stop_looking() -> ResponseReturnValue:
    """Back to what the person is."""
    if session.pop(KEY, None) is not None:
        flash("You see everything again that is yours to see.", "ok")
    if current_membership().role >= Role.MANAGER:
        return htmx.go_to(url_for("organizations.look_as"))
    return htmx.go_to(organization_home(current_organization().slug))


def _page(form: LookAsForm) -> ResponseReturnValue:
    status = 422 if form.errors else 200
    return htmx.render(
        "organizations/look_as.html",
        "organizations/_look_as.html",
        status=status,
        form=form,
        opened=_own_lines(),
        offered=list_offered(db(), masked=current_reader().is_masked),
    )


def _own_lines() -> str:
    """The extensions of a manager who is narrowed: they can look, as they can invite, within these."""
    narrowing = current_reader().narrowing
    if narrowing is None:
        return ""
    spans, masked = narrowing.spans, current_reader().is_masked
    return spell_extensions(spans, names_of(db(), spans, masked=masked), current_organization().time_zone)


def _read_narrowing(form: LookAsForm) -> Narrowing | None:
    """None for every call. What is wrong goes beside the field."""
    try:
        read = read_extensions(db(), form.extensions.data or "", current_organization().time_zone, _spelt(form))
    except Refused as refusal:
        form.extensions.errors = [refusal.sentence]
        return None
    return Narrowing(read.spans) if read.narrowed else None


def _spelt(form: LookAsForm) -> Spelt:
    """What the lines of the field were spelt from. Raises NotFound."""
    masked = current_reader().is_masked
    if form.of_member.data:
        membership, _person = get_member(db(), _read_id(form.of_member.data))
        return spelt_from(offer_of_membership(db(), membership), held=True, masked=masked)
    if form.of_invitation.data:
        invitation = get_invitation(db(), _read_id(form.of_invitation.data))
        return spelt_from(offer_of_invitation(db(), invitation), held=True, masked=masked)
    narrowing = current_reader().narrowing
    return Spelt() if narrowing is None else Spelt(narrowing.spans, masked=masked)


def _read_id(text: str) -> int:
    try:
        return read_id(text)
    except ValueError:
        raise NotFound from None


def _tell(role: Role, reader: Reader) -> str:
    article = "an" if role == Role.OWNER else "a"
    words = f"{article} {role.word}"
    if reader.narrowing is not None:
        words += f" who sees {tell_opened(db(), reader, current_organization().time_zone)}"
    if reader.is_masked:
        words += ", with masked numbers"
    return words if reader.may_export else f"{words}, without export"
