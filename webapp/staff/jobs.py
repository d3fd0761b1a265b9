"""Done every hour for the console: each organization is counted, and what is kept for some days is swept."""

from datetime import timedelta

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import SQLAlchemyError

from webapp import logs
from webapp.clock import now
from webapp.database.engine import Database
from webapp.organizations.models import OrganizationUsage
from webapp.staff.counting import count_organization, store_counted
from webapp.staff.models import FeatureUse, LimitedNetwork, SourceFailure
from webapp.staff.seen import FAILURE_DAYS
from webapp.tallies import today
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

FEATURE_DAYS, NETWORK_DAYS = 400, 7
#: Every worker comes by once an hour: who was counted so lately is left to the next one.
_COUNTED_LATELY = timedelta(minutes=40)


def count_organizations(database: Database) -> None:
    """One short transaction an organization, the longest ago counted first. What fails holds up no other."""
    with reading_session(database) as session:
        due = session.scalars(
            select(OrganizationUsage.organization_id)
            .join(Organization, Organization.id == OrganizationUsage.organization_id)
            .where(
                or_(
                    OrganizationUsage.counted_at < now() - _COUNTED_LATELY,
                    OrganizationUsage.counted_at <= Organization.created_at,
                )
            )
            .order_by(OrganizationUsage.counted_at)
        ).all()
    for organization_id in due:
        try:
            _count(database, organization_id)
        except SQLAlchemyError as error:
            logs.event("usage.not_counted", organization_id=organization_id, error=type(error).__name__)


def _count(database: Database, organization_id: int) -> None:
    with reading_session(database, organization_id) as session:
        counted = count_organization(session, now())
    with writing_session(database, organization_id) as session:
        store_counted(session, counted)
        session.commit()


def sweep_counts(database: Database) -> None:
    """Forget what is older than the page of it says."""
    newest = today()
    with writing_session(database) as session:
        for statement in (
            delete(FeatureUse).where(FeatureUse.day <= newest - FEATURE_DAYS),
            delete(LimitedNetwork).where(LimitedNetwork.day <= newest - NETWORK_DAYS),
            delete(SourceFailure).where(SourceFailure.day <= newest - FAILURE_DAYS),
        ):
            session.execute(statement.execution_options(synchronize_session=False))
        session.commit()
