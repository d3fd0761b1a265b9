"""Tells of an incident, by the sender that tells of policies. Called by the console and `flask announce-incident`."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from webapp.audit.actions import record
from webapp.audit.service_chain import note_for_service
from webapp.errors import Refused
from webapp.policies.announcing import announce_incident
from webapp.policies.models import Announcement, AnnouncementKind
from webapp.policies.publishing import Publisher
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

#: So long the same words to the same people are a button pressed twice.
_THE_SAME_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class Incident:
    """`organization` None: it concerns everybody."""

    subject: str
    words: str
    organization: Organization | None


def tell_of_incident(session: LockedSession, incident: Incident, by: Publisher) -> Announcement:
    """In the chain of the service, and in that of the organization whom it concerns alone. Raises Refused."""
    organization = incident.organization
    told = announce_incident(session, incident.subject, incident.words, organization, by.staff_id)
    if organization is not None:
        with session.beside(organization.id) as theirs:
            record(
                theirs,
                "support.incident_told",
                actor_id=by.staff_id,
                object_id=told.id,
                staff=by.name,
                subject=told.subject,
            )
    note_for_service(
        session,
        "service.incident_announced",
        by.staff_id,
        told.id,
        staff=by.name,
        whom=f"everybody of {organization.slug}" if organization else "everybody",
        subject=told.subject,
        reason=by.reason,
    )
    _check_new(session, told)
    return told


def _check_new(session: LockedSession, told: Announcement) -> None:
    """Last: whoever told the same at the same moment has waited for the end of the chain. Raises Refused."""
    the_same = (
        Announcement.id != told.id,
        Announcement.kind == AnnouncementKind.INCIDENT,
        Announcement.subject == told.subject,
        Announcement.words == told.words,
        Announcement.organization_id == told.organization_id,
        Announcement.created_at > told.created_at - _THE_SAME_WITHIN,
    )
    if session.scalars(select(Announcement.id).where(*the_same).limit(1)).first() is not None:
        raise Refused("People were told this within the last day, in the same words. Say what is new, if anything is.")
