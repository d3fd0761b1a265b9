"""The other people of the demo: a manager, a viewer who sees two extensions, an invitation that nobody has opened; and
one of the operator's staff.

Called by run_demo.py. They come in as everybody does, by an invitation, with passwords that nobody knows; staff with
that of this run.
"""

import secrets

from webapp.accounts.people import set_password
from webapp.accounts.queries import find_person
from webapp.accounts.second_factor import remove_every_factor
from webapp.accounts.staff import create_staff
from webapp.invitations.actions import Inviter, invite, whole_offer
from webapp.invitations.extensions import read_extensions
from webapp.invitations.joining import Opened, accept_as_newcomer
from webapp.organizations.models import Invitation
from webapp.organizations.offers import Offer
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Numbers, Organization, Role

_OWNER = "olive@harbour.example"
_MANAGER, _VIEWER, _INVITED = "helen@harbour.example", "priya@harbour.example", "marek@harbour.example"
STAFF = "sam@callbook.example"
_HER_EXTENSIONS = "202\n203"


def invite_others(session: LockedSession, organization: Organization, secret_key: str) -> None:
    """At the first start; later ones find them there."""
    if find_person(session, _MANAGER) is not None:
        return
    olive = find_person(session, _OWNER)
    inviter = Inviter(organization, olive, secret_key)
    spans = read_extensions(session, _HER_EXTENSIONS, organization.time_zone).spans
    narrow = Offer(Role.VIEWER, Numbers.SHOWN_ONE_BY_ONE, False, True, spans, None)
    _let_in(session, organization, invite(session, inviter, _MANAGER, whole_offer(Role.MANAGER)), "Helen")
    _let_in(session, organization, invite(session, inviter, _VIEWER, narrow), "Priya")
    invite(session, inviter, _INVITED, whole_offer(Role.VIEWER), "Here are the calls of the workshop, Marek.")


def let_staff_in(session: LockedSession, password: str) -> None:
    """Sets up a factor at each start: the secret of an app was sealed under the key of the last one."""
    person = find_person(session, STAFF)
    if person is None:
        create_staff(session, STAFF, "Sam Reed", password)
    else:
        set_password(session, person, password)
        remove_every_factor(session, person)


def _let_in(session: LockedSession, organization: Organization, invitation: Invitation, name: str) -> None:
    accept_as_newcomer(session, Opened(invitation, organization), name, secrets.token_urlsafe(24))
