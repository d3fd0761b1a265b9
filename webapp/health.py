"""/healthz: whether this process can serve, for a load balancer or a supervisor. Says nothing about anybody's data."""

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from webapp import access
from webapp.database.engine import Database
from webapp.database.installation import read_installation
from webapp.services import services

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@access.public
def show() -> Response:
    """200 {"ok": true} when the database answers, else 503."""
    answers = database_answers(services().database)
    response = jsonify(ok=answers)
    response.status_code = 200 if answers else 503
    return response


def database_answers(database: Database) -> bool:
    """Whether the database is there and initialized."""
    if database.dialect == "sqlite" and not database.sqlite_path.exists():
        return False  # connecting would make an empty one
    try:
        with database.reading.connect() as connection:
            return read_installation(connection) is not None
    except SQLAlchemyError:
        return False
