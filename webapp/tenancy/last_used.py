"""Writes when a person last used an organization: once a day, after the answer, in a short session of its own.

Registered by create_app() before tenancy/request.py: what is registered first runs last, when the request's session is
closed. The People page shows the day.
"""

from datetime import timedelta

from flask import Flask, Response, current_app, request
from sqlalchemy import update

from webapp import access
from webapp.clock import now
from webapp.services import services
from webapp.tenancy.models import Membership
from webapp.tenancy.request import close_session, current_place
from webapp.tenancy.sessions import writing_session

EVERY = timedelta(days=1)
_REFUSED = 400  # the status from which on nothing was done


def register(app: Flask) -> None:
    app.after_request(_write)


def _write(response: Response) -> Response:
    place = current_place()
    if place is None or place.opening is not None or request.endpoint is None or response.status_code >= _REFUSED:
        return response
    membership = place.membership
    if access.of(current_app.view_functions[request.endpoint]).polling:
        return response
    if membership.last_used_at is not None and now() - membership.last_used_at < EVERY:
        return response
    close_session()
    with writing_session(services().database, membership.organization_id) as session:
        session.execute(
            update(Membership)
            .where(Membership.user_account_id == membership.user_account_id)
            .values(last_used_at=now())
        )
        session.commit()
    return response
