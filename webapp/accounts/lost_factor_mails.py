"""The mails about a lost second factor: to every address of the person, and to the owners of each organization.

Called by lost_factor.py. Templates: templates/emails/lost_factor.*, lost_factor_owners.*
"""

from datetime import datetime

from webapp.accounts.models import FactorRemoval, UserAccount
from webapp.accounts.queries import list_addresses, list_owners
from webapp.accounts.second_factor import Keys
from webapp.clock import now
from webapp.database.ids import new_id, spell_id
from webapp.outbox.actions import queue_mail
from webapp.sealing import seal
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

#: Step -> what happened, what comes next: to the person, and to the owners.
_TO_PERSON = {
    "asked": (
        "Somebody who knows your password says that you have lost your phone and your recovery codes",
        "Another owner of each of your organizations is asked to confirm it. Then your password alone signs in.",
    ),
    "started": (
        "Support says that you have lost your phone and your recovery codes",
        "In 72 hours your second factor is taken away, and your password alone signs in.",
    ),
    "confirmed": (
        "An owner has confirmed that you lost your phone and your recovery codes",
        "Once every organization of yours has, your second factor is taken away.",
    ),
    "done": (
        "Your second factor was taken away, and every browser was signed out",
        "Your password alone signs in. Set up a new app or passkey at once. It was not you? Choose a new password.",
    ),
    "stopped": (
        "It was stopped: your second factor stays",
        "Somebody may know your password. If you did not ask for it yourself, choose a new one.",
    ),
}
_TO_OWNERS = {
    "asked": "says that phone and recovery codes are lost, and asks to be let in without them",
    "started": "has lost phone and recovery codes, support was told. In 72 hours the second factor is taken away",
    "confirmed": "has lost phone and recovery codes, an owner has confirmed",
    "done": "signs in by the password alone until a new second factor is set up",
    "stopped": "keeps the second factor: it was stopped",
}


def mail_person(
    session: LockedSession,
    keys: Keys | None,
    person: UserAccount,
    removal: FactorRemoval | None,
    step: str,
    at: datetime,
    token: str,
    organization: str = "",
    browser: str = "",
) -> None:
    """`step`: of _TO_PERSON, with what tells two of a kind apart behind a colon. `token`: "" where nothing can be
    stopped any more.
    """
    happened, then = _TO_PERSON[step.partition(":")[0]]
    words = {
        "happened": f"{happened} ({organization})" if organization else happened,
        "then": then,
        "at": at.strftime("%d %B %Y, %H:%M UTC"),
        "account": person.email,
        "browser": browser,
    }
    secret = seal(keys.current, token.encode()) if keys is not None and token else None
    cause = f"factor_removal:{removal.id if removal else new_id()}:{step}"
    for address in list_addresses(session, person.id):
        mail = queue_mail(session, "lost_factor", address.email, cause=cause, words=words, secret=secret)
        mail.organization_id = None


def mail_owners(
    own: LockedSession,
    organization: Organization,
    person: UserAccount,
    removal: FactorRemoval | None,
    step: str,
    *,
    waits: bool,
) -> None:
    """To all owners but the person. `waits`: for one of them to confirm."""
    words = {
        "happened": _TO_OWNERS[step],
        "name": person.name or person.email,
        "account": person.email,
        "organization": organization.name,
        "slug": organization.slug,
        "removal": spell_id(removal.id) if removal and waits else "",
        "at": now().strftime("%d %B %Y, %H:%M UTC"),
    }
    cause = f"factor_removal:{removal.id if removal else new_id()}:{step}:{organization.id}"
    for owner in list_owners(own):
        if owner.id != person.id:
            queue_mail(own, "lost_factor_owners", owner.email, cause=cause, words=words)
