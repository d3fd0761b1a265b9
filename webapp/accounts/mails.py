"""The mails about a person's own account, each queued with its cause. Templates: templates/emails/<name>.*

A notice goes to every confirmed address, so that whoever has taken over one of them cannot keep it from the person.
"""

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select

from webapp.accounts.account_events import KEPT_DAYS, KINDS
from webapp.accounts.browsers import describe_network
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
    session: LockedSession,
    template: str,
    person: UserAccount,
    event: AccountEvent,
    also: Iterable[str] = (),
    **words: str,
) -> None:
    """Tell the person what happened, at every address of theirs and at those in `also`. `words`: those of one template.

    The mail is of no organization, whatever the session is bound to: it is about the person alone.
    """
    addresses = [found.email for found in list_addresses(session, person.id)]
    for address in dict.fromkeys([*addresses, *also]):
        mail = queue_mail(
            session,
            template,
            address,
            cause=f"account_event:{event.id}",
            words={
                "happened": KINDS[event.kind],
                "at": event.at.strftime("%d %B %Y, %H:%M UTC"),
                "browser": event.browser,
                "account": person.email,
                **words,
            },
        )
        mail.organization_id = None


def tell_of_network(session: LockedSession, person: UserAccount, event: AccountEvent) -> None:
    """Tell the person that somebody signed in as them where nobody has lately (ASVS 6.3.5).

    Not at the first sign-in of all: to a new account every network is new. Events are kept for a year, so an older
    account without any has not been used for that long, which is news too.
    """
    before = select(AccountEvent.id).where(
        AccountEvent.user_account_id == person.id, AccountEvent.kind == "sign_in.done"
    )
    is_first = session.scalars(before.limit(1)).first() is None
    if not is_first or event.at - person.created_at > timedelta(days=KEPT_DAYS):
        tell(session, "new_network", person, event, place=describe_network(event.network))
