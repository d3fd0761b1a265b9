"""The policies for everybody: as they are, every version, what changed, as a feed, and for employees. Holds `bp`.

None of these sets a cookie or makes a session.
"""

from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp import access, htmx
from webapp.clock import now
from webapp.errors import NotFound
from webapp.policies import pages
from webapp.policies.beside import Besides, ask_publicly, nothing_beside
from webapp.policies.differences import compare
from webapp.policies.feed import make_feed, make_security_txt
from webapp.policies.models import Policy
from webapp.policies.said import Said, find_said
from webapp.policies.versions import get_version, in_force, list_versions, text_of
from webapp.privacy.retention import tell_days
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_organization, db

bp = Blueprint("policies", __name__)
#: Both policies answer at the same addresses.
_POLICY = "/<any(privacy,security):policy_name>"


@bp.get(_POLICY)
@access.public
def show(policy_name: str) -> ResponseReturnValue:
    settings = services().settings
    shown = pages.show_now(db(), settings, _policy(policy_name))
    asking = ask_publicly(db(), services().database, _said(), request)
    return render_template("policies/policy.html", shown=shown, beside=Besides(asking))


@bp.get(f"{_POLICY}/versions")
@access.public
def versions(policy_name: str) -> ResponseReturnValue:
    found = list_versions(db(), _policy(policy_name))
    return render_template(
        "policies/versions.html", policy=_policy(policy_name), versions=found, in_force=in_force(found), moment=now()
    )


@bp.get(f"{_POLICY}/<int:version>")
@access.public
def show_version(policy_name: str, version: int) -> ResponseReturnValue:
    shown = pages.show_version(db(), _policy(policy_name), version)
    return render_template("policies/policy.html", shown=shown, beside=nothing_beside)


@bp.get(f"{_POLICY}/<int:earlier>/to/<int:later>")
@access.public
def difference(policy_name: str, earlier: int, later: int) -> ResponseReturnValue:
    """Between any two, in the order that is asked for."""
    policy = _policy(policy_name)
    before, after = (get_version(db(), policy, number) for number in (earlier, later))
    found = compare(text_of(before).blocks, text_of(after).blocks)
    numbers = [version.version for version in list_versions(db(), policy)]
    return render_template(
        "policies/difference.html", policy=policy, before=before, after=after, difference=found, numbers=numbers
    )


@bp.get(f"{_POLICY}/difference")
@access.public
def choose_difference(policy_name: str) -> ResponseReturnValue:
    """The form of the difference page and of the list leads here."""
    earlier, later = (request.args.get(name, type=int) for name in ("earlier", "later"))
    if earlier is None or later is None or min(earlier, later) < 1:
        raise NotFound
    return htmx.go_to(url_for("policies.difference", policy_name=policy_name, earlier=earlier, later=later))


@bp.get("/policies.atom")
@access.public
def feed() -> ResponseReturnValue:
    body = make_feed(services().settings.base_url, pages.list_everything(db()), _said().values.operator, now())
    return Response(body, mimetype="application/atom+xml")


@bp.get("/.well-known/security.txt")
@access.public
def security_txt() -> ResponseReturnValue:
    contact = _said().values.security_contact
    if not contact:
        raise NotFound
    return Response(make_security_txt(services().settings.base_url, contact, now()), mimetype="text/plain")


@bp.get("/privacy/employees")
@access.public
def employees() -> ResponseReturnValue:
    """A page to print, for companies that do not want to show their own figures."""
    return render_template("policies/employees.html", organization=None, **_of_operator())


@bp.get("/o/<slug:slug>/privacy/employees")
@access.member(Role.VIEWER)
def employees_of() -> ResponseReturnValue:
    """The same with the organization's own values."""
    return render_template("policies/employees.html", organization=current_organization(), **_of_operator())


def _policy(name: str) -> Policy:
    return Policy[name.upper()]


def _said() -> Said:
    """Of this moment: what the policies in force say, and no draft of it."""
    return find_said(db(), services().settings, now())


def _of_operator() -> dict[str, Any]:
    values = _said().values
    return {
        "operator": values.operator,
        "privacy_contact": values.contact,
        "policy_address": f"{services().settings.base_url}/privacy",
        "tell_days": tell_days,
        "today": now().date(),
    }
