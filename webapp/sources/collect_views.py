"""Where phone systems bring their records by themselves. The address names the phone system, its token the rest.

docs/use.md tells what may be sent, and what each answer means: 200 is given for everything that is kept, broken or
not, since a phone system sends again for ever what is answered otherwise; 507 once too much lies here (ingest/room.py).
"""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from webapp import access, logs
from webapp.ingest.room import take_room
from webapp.ingest.spooling import put
from webapp.services import services
from webapp.sources.models import PbxToken
from webapp.sources.pbx_access import pbx_caller
from webapp.sources.sent import LARGEST_BODY, Sent, take_apart
from webapp.sources.storing import notice
from webapp.sources.tokens import note_use, wants_note
from webapp.tenancy.sessions import writing_session

bp = Blueprint("collect", __name__)


@bp.post("/collect/<id:pbx_id>")
@access.pbx
@access.takes_body(LARGEST_BODY)
def receive(pbx_id: int) -> ResponseReturnValue:
    """Answered after commit, and a repeat like the first: what is there already is told apart when it is stored."""
    pbx = pbx_caller().pbx
    sent = Sent(request.get_data(cache=False), request.content_type or "", request.headers.get("Content-Encoding", ""))
    received, parcels = take_apart(pbx, sent)
    take_room(services().database, pbx.organization_id, parcels)
    put(services().database, pbx.organization_id, parcels)
    notice(services().database, pbx.organization_id)
    _note_use(pbx_caller().token)
    return jsonify(received=received)


def _note_use(token: PbxToken) -> None:
    """Once the calls are kept. They stay so where it cannot be written."""
    if not wants_note(token.last_used_at):
        return
    try:
        with writing_session(services().database, token.organization_id) as session:
            note_use(session, token.id)
            session.commit()
    except Exception as error:  # noqa: BLE001 - whatever it is, what was sent is kept, and is not to be sent again
        logs.event("pbx.use_not_noted", error=type(error).__name__)
