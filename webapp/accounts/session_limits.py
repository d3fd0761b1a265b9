"""How long a session lives: the limits, which docs/security.md tells, and when one has run out.

Read by web_sessions.py, the gates, the settings of signing in, and the pages that tell a limit.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_

from webapp.accounts.models import SessionState, WebSession
from webapp.clock import now

USUAL_IDLE_MINUTES = 30  #: unless the person's organizations say otherwise
IDLE_LIMIT = timedelta(minutes=USUAL_IDLE_MINUTES)
IDLE_CHOICES = (30, 60, 120, 240, 480, 720)  #: minutes among which an organization may choose
ABSOLUTE_LIMIT = timedelta(hours=12)
WAITING_LIMIT = timedelta(minutes=15)  #: between the password and the code
PROVED_FOR = timedelta(minutes=10)
FACTOR_FRESH_FOR = timedelta(minutes=5)  #: a code or a passkey, before an organization's data is opened
STAFF_IDLE_MINUTES = 15
STAFF_ABSOLUTE_LIMIT = timedelta(hours=8)
SEEN_EVERY = timedelta(minutes=1)


def has_run_out(row: WebSession) -> bool:
    """Whether the browser was idle too long, or signed in too long ago, or did not go on after the password."""
    return now() >= runs_out_at(row)


def runs_out_at(row: WebSession) -> datetime:
    """When it does, if nothing more is done in it."""
    idle_until = row.last_seen_at + timedelta(minutes=row.idle_minutes)
    until = row.created_at + (STAFF_ABSOLUTE_LIMIT if row.is_staff else ABSOLUTE_LIMIT)
    waits = row.state == SessionState.ON_ITS_WAY and row.user_account_id
    return min(idle_until, until, row.created_at + WAITING_LIMIT) if waits else min(idle_until, until)


def run_out() -> ColumnElement[bool]:
    """Of rows that may be swept: idle too long, or signed in too long ago."""
    idle = (
        and_(WebSession.idle_minutes == minutes, WebSession.last_seen_at < now() - timedelta(minutes=minutes))
        for minutes in (STAFF_IDLE_MINUTES, *IDLE_CHOICES)
    )
    staff = and_(WebSession.is_staff, WebSession.created_at < now() - STAFF_ABSOLUTE_LIMIT)
    return or_(WebSession.created_at < now() - ABSOLUTE_LIMIT, staff, *idle)
