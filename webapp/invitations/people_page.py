"""What the People page shows, and what it tells afterwards. Called by people_views.py."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from flask import flash
from flask_login import current_user

from webapp import clock
from webapp.invitations.actions import Invited, Inviter
from webapp.invitations.forms import spell_offer
from webapp.invitations.lost_factors import list_asked
from webapp.invitations.queries import list_invitations, list_people
from webapp.organizations.members import has_owner
from webapp.services import services
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_membership, current_organization, current_reader, db


def inviter() -> Inviter:
    """The person of this request."""
    person = current_user._get_current_object()
    return Inviter(current_organization(), person, services().settings.secret_key)


def list_context() -> dict[str, Any]:
    """Everything that people/index.html and its parts need."""
    zone_name = current_organization().time_zone
    zone = ZoneInfo(zone_name)
    masked = current_reader().is_masked
    sends_mail = services().settings.smtp_url is not None
    people = list_people(db(), current_membership(), zone_name)
    invitations = list_invitations(db(), current_membership(), zone_name, sends_mail=sends_mail)
    return {
        "people": people,
        "invitations": invitations,
        "fields_of_people": {
            each.person.id: spell_offer(db(), each.offer, zone_name, masked=masked)
            for each in people
            if each.may_change
        },
        "fields_of_invitations": {
            each.invitation.id: spell_offer(db(), each.offer, zone_name, masked=masked)
            for each in invitations
            if each.may_change
        },
        "lost_factors": list_asked(db()) if current_membership().role == Role.OWNER else [],
        "is_owner": current_membership().role == Role.OWNER,
        "has_owner": has_owner(db()),
        "zone": zone,
        "today": clock.now().astimezone(zone).date(),
    }


def tell_results(results: Iterable[Invited], notes: Iterable[str]) -> None:
    """What became of each address, and what the form was read as, above the next page."""
    done = [result.address for result in results if result.invitation]
    if done:
        flash(f"Invited: {', '.join(done)}.", "ok")
    for result in results:
        if not result.invitation:
            flash(f"{result.address} was not invited. {result.problem}", "warn")
    for note in notes:
        flash(note, "info")
