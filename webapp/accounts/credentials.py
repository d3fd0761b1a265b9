"""Holds a person while sessions of theirs begin or end, so that none begins behind what was to end them all.

Whoever makes a session, makes one stronger or ends all of a person's holds the person's row first (on SQLite every
write holds the whole database), and asks after that whether what was proved before still counts. Called by
web_sessions.py and people.py.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.models import UserAccount


def hold_person(session: Session, user_account_id: int) -> UserAccount | None:
    """The person as they are now, held until the transaction ends. None: the account is deleted.

    FOR NO KEY UPDATE, as members.py holds an organization: rows that only refer to the person need not wait.
    """
    wanted = select(UserAccount).where(UserAccount.id == user_account_id).with_for_update(key_share=True)
    held = session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()
    if held is not None:
        # Another table's: read before a lock that was waited for, it may be what it was.
        session.refresh(held, ["has_passkey"])
    return held


def is_unchanged(held: UserAccount, proved: UserAccount) -> bool:
    """Whether the person may still get in by what they proved when `proved` was read, in a session of its own.

    A password is told from the next one by when it was set: hashing it anew at a sign-in leaves that alone. An
    authenticator app seals its secret anew with each code, so only whether there is one is compared, as of passkeys;
    exchanging them ends all sessions, those on their way too.
    """
    had, has = (proved.totp_secret is not None, proved.has_passkey), (held.totp_secret is not None, held.has_passkey)
    return held.is_active and held.password_set_at == proved.password_set_at and has == had
