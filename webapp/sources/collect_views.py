"""Where phone systems bring their records by themselves. The address names the phone system, its token the rest.

docs/use.md tells what may be sent, and what each answer means: 200 is given for everything that is kept, broken or
not, since a phone system sends again for ever what is answered otherwise.
"""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from webapp import access
from webapp.ingest.spooling import put
from webapp.services import services
from webapp.sources.pbx_access import pbx_caller
from webapp.sources.sent import LARGEST_BODY, Sent, take_apart
from webapp.sources.storing import notice

bp = Blueprint("collect", __name__)


@bp.post("/collect/<id:pbx_id>")
@access.pbx
@access.takes_body(LARGEST_BODY)
def receive(pbx_id: int) -> ResponseReturnValue:
    """Answered after commit, and a repeat like the first: what is there already is told apart when it is stored."""
    pbx = pbx_caller().pbx
    sent = Sent(request.get_data(cache=False), request.content_type or "", request.headers.get("Content-Encoding", ""))
    received, parcels = take_apart(pbx, sent)
    put(services().database, pbx.organization_id, parcels)
    notice(services().database, pbx.organization_id)
    return jsonify(received=received)
