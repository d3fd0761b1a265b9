"""Links in mails about a person's own account: for a new password, and to confirm an address.

256 random bits, stored as their SHA-256, valid 60 minutes, used once: one conditional UPDATE decides. Called by
jobs.py, link_views.py and address_views.py.
"""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from webapp.accounts.models import AccountLink, LinkKind, UserAccount
from webapp.clock import now

VALID_MINUTES = 60
_KEPT_ONCE_OVER = timedelta(days=1)


def file_link(session: Session, person: UserAccount, kind: LinkKind, email: str) -> str:
    """A new link that goes to the address; gives its token. Earlier ones of the kind to the address are dead."""
    token, moment = secrets.token_urlsafe(32), now()
    session.execute(
        delete(AccountLink).where(
            AccountLink.user_account_id == person.id, AccountLink.kind == kind, AccountLink.email == email
        )
    )
    session.add(
        AccountLink(
            token_digest=digest_of_token(token),
            user_account_id=person.id,
            kind=kind,
            email=email,
            created_at=moment,
            expires_at=moment + timedelta(minutes=VALID_MINUTES),
            used_at=None,
        )
    )
    session.flush()
    return token


def find_link(session: Session, token_digest: bytes) -> AccountLink | None:
    """The link, while it can be used."""
    return session.scalars(
        select(AccountLink).where(
            AccountLink.token_digest == token_digest, AccountLink.used_at.is_(None), AccountLink.expires_at > now()
        )
    ).one_or_none()


def use_link(session: Session, link: AccountLink) -> bool:
    """Use it up. False when somebody was quicker."""
    result = session.execute(
        update(AccountLink)
        .where(
            AccountLink.token_digest == link.token_digest,
            AccountLink.used_at.is_(None),
            AccountLink.expires_at > now(),
        )
        .values(used_at=now())
    )
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == 1)


def end_links(session: Session, person: UserAccount, kind: LinkKind) -> None:
    """No link of this kind that was sent to the person counts any more."""
    session.execute(
        update(AccountLink)
        .where(AccountLink.user_account_id == person.id, AccountLink.kind == kind, AccountLink.used_at.is_(None))
        .values(used_at=now())
    )


def sweep_links(session: Session) -> None:
    """Forget links that have been over for a day."""
    session.execute(delete(AccountLink).where(AccountLink.expires_at < now() - _KEPT_ONCE_OVER))


def digest_of_token(token: str) -> bytes:
    """What the table, and the session of whoever followed the link, know of the token."""
    return hashlib.sha256(token.encode()).digest()
