"""What the chains say, for the tests of what staff do."""

import json
from typing import Any

from sqlalchemy import select

from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.service_chain import SERVICE_ID
from webapp.database.engine import Database
from webapp.tenancy.sessions import reading_session

Told = tuple[str, int | None, dict[str, Any]]


def told(database: Database, organization_id: int = SERVICE_ID, beginning: str = "") -> list[Told]:
    """Kind, actor and words of each event of a chain whose kind begins so, the oldest first."""
    with reading_session(database, organization_id) as session:
        rows = session.execute(
            select(AuditEvent.kind, AuditEvent.actor_id, AuditDetail.words)
            .join(
                AuditDetail,
                (AuditDetail.organization_id == AuditEvent.organization_id)
                & (AuditDetail.position == AuditEvent.position),
            )
            .order_by(AuditEvent.position)
        )
        return [
            (kind, actor_id, json.loads(words or "{}")) for kind, actor_id, words in rows if kind.startswith(beginning)
        ]
