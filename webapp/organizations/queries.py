"""Finds organizations. Called by the commands; pages have theirs from tenancy/request.py."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.errors import NotFound
from webapp.tenancy.models import Organization


def get_organization(session: Session, slug: str) -> Organization:
    """By its name in addresses. Raises NotFound."""
    found = session.scalars(select(Organization).where(Organization.slug == slug)).one_or_none()
    if found is None:
        raise NotFound(f"There is no organization {slug!r}.")
    return found
