"""Reads the register of disclosures. Sessions of the console, but for chunks, which its role cannot read at all."""

from collections.abc import Iterator

from sqlalchemy import func, select

from webapp.accounts.models import UserAccount
from webapp.database.engine import Database
from webapp.errors import NotFound
from webapp.tenancy.consent_models import Disclosure, DisclosureChunk
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.sessions import reading_session

SHOWN_AT_MOST = 200
Listed = tuple[Disclosure, Organization]


def list_disclosures(session: LockedSession) -> list[Listed]:
    """Of all organizations, the newest first."""
    found = session.execute(
        select(Disclosure, Organization)
        .join(Organization, Organization.id == Disclosure.organization_id)
        .order_by(Disclosure.id.desc())
        .limit(SHOWN_AT_MOST)
    )
    return [(disclosure, organization) for disclosure, organization in found]


def count_disclosures(session: LockedSession) -> int:
    """The service's own count: all that were ever entered, told or not."""
    return session.scalar(select(func.count()).select_from(Disclosure)) or 0


def get_disclosure(session: LockedSession, disclosure_id: int) -> Listed:
    """Raises NotFound."""
    found = session.execute(
        select(Disclosure, Organization)
        .join(Organization, Organization.id == Disclosure.organization_id)
        .where(Disclosure.id == disclosure_id)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found[0], found[1]


def find_organization(session: LockedSession, slug: str) -> Organization | None:
    """Whatever has become of it: the law may ask for data of one that was closed."""
    return session.scalars(select(Organization).where(Organization.slug == slug.strip().lower())).one_or_none()


def is_closed(organization: Organization) -> bool:
    return organization.state == OrganizationState.CLOSED


def find_archive(session: LockedSession, disclosure_id: int) -> tuple[bool, bool]:
    """Whether its pieces are still stored, and whether its key was not shown yet. Of the bound organization."""
    ends = session.execute(
        select(func.min(DisclosureChunk.position), func.max(DisclosureChunk.position)).where(
            DisclosureChunk.disclosure_id == disclosure_id
        )
    ).one()
    return (ends[1] is not None and ends[1] >= 0), ends[0] == DisclosureChunk.KEY_POSITION


def read_archive(database: Database, organization_id: int, disclosure_id: int, staff_id: int) -> Iterator[bytes]:
    """The pieces in order, each in a transaction of its own. Ends where the member of staff may no longer sign in."""
    position = 0
    while True:
        with reading_session(database, organization_id) as session:
            piece = session.scalar(
                select(DisclosureChunk.content).where(
                    DisclosureChunk.disclosure_id == disclosure_id, DisclosureChunk.position == position
                )
            )
            reader = session.get(UserAccount, staff_id)
        if piece is None or reader is None or not (reader.is_active and reader.is_staff):
            return
        yield bytes(piece)
        position += 1
