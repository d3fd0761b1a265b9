"""Finds people. Called by the sign-in, the commands and organizations/."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.accounts.models import UserAccount


def find_person(session: Session, email: str) -> UserAccount | None:
    """By address, whatever its capitals."""
    return session.scalars(select(UserAccount).where(UserAccount.email == email.strip().lower())).one_or_none()
