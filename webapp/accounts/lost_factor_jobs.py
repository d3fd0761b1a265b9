"""Finishes what waited for 72 hours or for the last owner, and stops what nobody confirmed in time. An hourly chore.

Registered by lost_factor_views.py.
"""

from sqlalchemy import select

from webapp.accounts.lost_factor import finish_if_ready, is_alive, stop
from webapp.accounts.models import FactorRemoval, RemovalState
from webapp.database.engine import Database
from webapp.jobs.queue import register_chore
from webapp.tenancy.sessions import reading_session, writing_session


def register_jobs() -> None:
    register_chore("accounts.look_after_lost_factors", look_after_lost_factors)


def look_after_lost_factors(database: Database) -> None:
    with reading_session(database) as session:
        waiting = list(session.scalars(select(FactorRemoval).where(FactorRemoval.state == RemovalState.WAITS)))
    for removal in waiting:
        with writing_session(database) as session:
            session.bind_person(removal.user_account_id)
            if is_alive(removal):
                finish_if_ready(session, removal.id)
            else:
                stop(session, removal.id, "nobody confirmed it in time", None)
            session.commit()
