"""The mails about a person's own account, each queued with its cause. Templates: templates/emails/<name>.*

A notice goes to every confirmed address, so that whoever has taken over one of them cannot keep it from the person.
"""

from collections.abc import Iterable

from webapp.accounts.account_events import KINDS
from webapp.accounts.links import VALID_MINUTES, digest_of_token
from webapp.accounts.models import AccountEvent, LinkKind, UserAccount
from webapp.accounts.queries import list_addresses
from webapp.outbox.actions import queue_mail
from webapp.sealing import seal
from webapp.tenancy.lock import LockedSession

_TEMPLATES = {LinkKind.NEW_PASSWORD: "reset_password", LinkKind.CONFIRM_ADDRESS: "confirm_address"}


def mail_link(session: LockedSession, secret_key: str, kind: LinkKind, to_address: str, token: str) -> None:
    """The mail with a link; its token is sealed until it is sent."""
    queue_mail(
        session,
        _TEMPLATES[kind],
        to_address,
        cause=f"account_link:{digest_of_token(token).hex()}",
        words={"minutes": VALID_MINUTES},
        secret=seal(secret_key, token.encode()),
    )


def tell(
    session: LockedSession, template: str, person: UserAccount, event: AccountEvent, also: Iterable[str] = ()
) -> None:
    """Tell the person what happened, at every address of theirs and at those in `also`."""
    addresses = [found.email for found in list_addresses(session, person.id)]
    for address in dict.fromkeys([*addresses, *also]):
        queue_mail(
            session,
            template,
            address,
            cause=f"account_event:{event.id}",
            words={
                "happened": KINDS[event.kind],
                "at": event.at.strftime("%d %B %Y, %H:%M UTC"),
                "browser": event.browser,
                "account": person.email,
            },
        )
