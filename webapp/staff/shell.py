"""`flask shell`: opens with no organization, and opens one only after that was written into its audit.

Registered by create_app(). What a person with a shell can do all the same stands in docs/security.md.
"""

from typing import Any

import click
from flask import Flask, current_app

from webapp.audit.actions import record
from webapp.audit.service_chain import note_for_service
from webapp.organizations.queries import get_organization
from webapp.services import Services
from webapp.staff.organization_actions import checked_reason
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.sessions import reading_session, writing_session

_HELLO = (
    "No organization is open: `session` shows what belongs to none. bind('slug', 'why') writes into the organization's "
    "audit that the operator looks, and why, then gives a session of it. Its owners read that. With writing=True the "
    "session can change something; commit it yourself."
)


def register(app: Flask) -> None:
    app.shell_context_processor(_what_the_shell_has)


def _what_the_shell_has() -> dict[str, Any]:
    known: Services | None = current_app.extensions.get("callbook")
    if known is None:
        return {}
    click.echo(_HELLO)
    return {"session": reading_session(known.database), "bind": bind}


def bind(slug: str, reason: str, *, writing: bool = False) -> LockedSession:
    """A session of one organization, once the event is committed. Raises Refused without a reason, and NotFound."""
    why = checked_reason(reason)
    database = current_app.extensions["callbook"].database
    with writing_session(database) as session:
        organization = get_organization(session, slug)
        session.bind_organization(organization.id)
        record(session, "support.shell", actor_id=None, object_id=organization.id, reason=why)
        note_for_service(session, "service.shell", None, organization.id, organization=organization.slug, reason=why)
        session.commit()
    return (writing_session if writing else reading_session)(database, organization.id)
