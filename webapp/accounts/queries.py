"""Finds people. Called by the sign-in, the commands and organizations/."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.models import UserAccount, UserEmail


def find_person(session: Session, email: str) -> UserAccount | None:
    """By any confirmed address of theirs, whatever its capitals."""
    return session.scalars(
        select(UserAccount)
        .join(UserEmail, UserEmail.user_account_id == UserAccount.id)
        .where(UserEmail.email == email.strip().lower())
    ).one_or_none()
