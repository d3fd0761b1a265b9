"""Tells of an incident, by the sender that tells of policies. Called by the console and `flask announce-incident`."""

from dataclasses import dataclass

from webapp.audit.actions import record
from webapp.audit.service_chain import note_for_service
from webapp.policies.announcing import announce_incident
from webapp.policies.models import Announcement
from webapp.policies.publishing import Publisher
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization


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
    return told
