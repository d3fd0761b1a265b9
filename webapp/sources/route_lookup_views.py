"""Where phone systems ask where a call goes: as JSON, as one line for Asterisk, as FreeSWITCH's dialplan XML.

docs/routes.md tells what is asked and answered, and what each phone system does when there is no answer. Whatever
happens here, a call is never lost by it: each shape has a safe answer, which leaves the call to the phone system.
"""

import re
from datetime import datetime, timedelta
from html import escape

from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from webapp import access, logs
from webapp.clock import from_ms, now, to_ms
from webapp.database.ids import read_id, spell_id
from webapp.database.installation import number_key
from webapp.destinations.route_models import LookupAnswer, RouteCondition
from webapp.errors import Refused
from webapp.services import services
from webapp.sources.pbx_access import pbx_caller
from webapp.sources.route_lookups import LONGEST_CALL_ID, LONGEST_DIALLED, Note, Question, Told, answer, note_lookup
from webapp.sources.tokens import wants_note
from webapp.tenancy.sessions import reading_session

bp = Blueprint("route_lookups", __name__, url_prefix="/where/<id:pbx_id>")

WORDS = {
    LookupAnswer.ROUTE: "route",
    LookupAnswer.NOT_LISTED: "not_listed",
    LookupAnswer.NO_PLAN: "no_plan",
    LookupAnswer.NOTHING_FITS: "nothing_fits",
}
ON_WORDS = {
    RouteCondition.ALWAYS: "first",
    RouteCondition.NO_ANSWER: "no_answer",
    RouteCondition.BUSY: "busy",
    RouteCondition.UNREACHABLE: "unreachable",
}
UNAVAILABLE = "unavailable"  #: the database does not answer
_NOT_FOUND = (
    '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<document type="freeswitch/xml">'
    '<section name="result"><result status="not found"/></section></document>\n'
)
#: What FreeSWITCH calls it when the place that was rung first did not take the call (originate_disposition).
_FAILURES = {
    "NO_ANSWER": RouteCondition.NO_ANSWER,
    "NO_USER_RESPONSE": RouteCondition.NO_ANSWER,
    "ALLOTTED_TIMEOUT": RouteCondition.NO_ANSWER,
    "ORIGINATOR_CANCEL": RouteCondition.NO_ANSWER,
    "USER_BUSY": RouteCondition.BUSY,
    "CALL_REJECTED": RouteCondition.BUSY,
}
_MARK = "~"  #: between the number, the instant of the first question and the failure, where FreeSWITCH asks again
_ASKED_AGAIN_WITHIN = timedelta(hours=1)
#: FreeSWITCH fills in what looks like a variable, so nothing that it sent goes back to it but these letters.
_NOT_IN_NUMBER, _CONTEXT = re.compile(r"[^0-9+*#]"), re.compile(r"[A-Za-z0-9_.\-]{1,64}")


@bp.post("/json")
@access.pbx
def as_json(pbx_id: int) -> Response:
    told = _told(_read_question())
    steps = [{"on": ON_WORDS[step.on], "dial": step.dial, "ring_seconds": step.ring_seconds} for step in told.steps]
    return jsonify(answer=WORDS[told.answer], steps=steps)


@bp.post("/asterisk")
@access.pbx
def as_line(pbx_id: int) -> Response:
    """route:204:20:*97:205:*97 is: dial 204 for 20 s; then where on no answer, busy, unreachable."""
    told = _told(_read_question())
    return _text(_line(told))


@bp.post("/freeswitch")
@access.pbx
def as_dialplan(pbx_id: int) -> Response:
    """mod_xml_curl's binding "dialplan"; for any other section it reads its own files."""
    if request.form.get("section", "dialplan") != "dialplan":
        return _xml(_NOT_FOUND)
    asked = _field("Hunt-Destination-Number", "Caller-Destination-Number", "number")
    dialled, _, again = asked.partition(_MARK)
    spelt_at, _, failure = again.partition(_MARK)
    failed = _FAILURES.get(failure, RouteCondition.UNREACHABLE) if again else None
    call_id = _field("Channel-Call-UUID", "Unique-ID", "Caller-Unique-ID", "call_id")
    moment = now()
    told = _told(_question(dialled, call_id)._replace(failed=failed, first_at=_read_first(spelt_at, moment)))
    context = _field("Hunt-Context", "Caller-Context", "context")
    ask_again = f"{_NOT_IN_NUMBER.sub('', dialled)}{_MARK}{spell_id(to_ms(moment))}{_MARK}${{originate_disposition}}"
    return _xml(_dialplan(told, ask_again, failed, context if _CONTEXT.fullmatch(context) else "public"))


def _read_first(text: str, moment: datetime) -> datetime | None:
    """When a call that is asked about again was asked about first; None for what is no such instant."""
    try:
        first = from_ms(read_id(text))
    except ValueError:
        return None
    return first if moment - _ASKED_AGAIN_WITHIN <= first <= moment else None


@bp.errorhandler(SQLAlchemyError)
def _no_database(error: SQLAlchemyError) -> Response:
    """The database is down, or takes too long: the phone system goes on by itself."""
    logs.event("route_lookup.no_database", error=type(error).__name__)
    endpoint = (request.endpoint or "").rpartition(".")[2]
    if endpoint == as_dialplan.__name__:
        response = _xml(_NOT_FOUND)
    elif endpoint == as_line.__name__:
        response = _text(f"{UNAVAILABLE}:::::")
    else:
        response = jsonify(answer=UNAVAILABLE, steps=[])
    response.status_code = 503
    return response


def _told(question: Question) -> Told:
    """Only read here, though it is a POST: a caller waits for no write, and hears nothing of one that fails."""
    caller, database = pbx_caller(), services().database
    with reading_session(database, caller.pbx.organization_id) as session:
        told, lookup = answer(session, number_key(services().settings), caller.pbx, question)
    # The second question of a call is no second call. What is not listed is none of ours: internal calls ask, too.
    is_kept = question.failed is None and told.answer != LookupAnswer.NOT_LISTED
    token_id = caller.token.id if wants_note(caller.token.last_used_at) else None
    if is_kept or token_id is not None:
        note_lookup(database, Note(caller.pbx.organization_id, token_id, lookup if is_kept else None))
    return told


def _read_question() -> Question:
    sent = request.get_json(silent=True) if request.is_json else None
    fields = sent if isinstance(sent, dict) else request.form
    return _question(str(fields.get("number") or ""), str(fields.get("call_id") or ""))


def _question(dialled: str, call_id: str) -> Question:
    dialled = dialled.strip()
    if not dialled or len(dialled) > LONGEST_DIALLED:
        raise Refused("Say which number was called: number=+441632960123, in any spelling.", "number")
    return Question(dialled, call_id.strip()[:LONGEST_CALL_ID])


def _field(*names: str) -> str:
    return next((value for name in names if (value := request.form.get(name, ""))), "")


def _line(told: Told) -> str:
    first = told.first
    if first is None:
        return f"{WORDS[told.answer]}:::::"
    no_answer = told.after(RouteCondition.NO_ANSWER)
    onward = (no_answer, told.after(RouteCondition.BUSY), told.after(RouteCondition.UNREACHABLE))
    seconds = "" if no_answer is None or no_answer.ring_seconds is None else str(no_answer.ring_seconds)
    targets = ("" if step is None else step.dial for step in onward)
    return ":".join((WORDS[told.answer], first.dial, seconds, *targets))


def _dialplan(told: Told, ask_again: str, failed: RouteCondition | None, context: str) -> str:
    """The first question is answered by a bridge, after which FreeSWITCH asks again with what became of it.

    As mod_xml_curl of FreeSWITCH 1.10 takes it (its documentation: "mod_xml_curl", "XML Dialplan").
    """
    step = told.first if failed is None else told.after(failed)
    if step is None:
        return _NOT_FOUND if failed is None else _extension(context, [("hangup", "${originate_disposition}")])
    if failed is not None or len(told.steps) == 1:
        return _extension(context, [("transfer", f"{step.dial} XML default")])
    no_answer = told.after(RouteCondition.NO_ANSWER)
    actions = [("set", "hangup_after_bridge=true"), ("set", "continue_on_fail=true")]
    if no_answer is not None and no_answer.ring_seconds is not None:
        actions.append(("set", f"call_timeout={no_answer.ring_seconds}"))
    actions.append(("bridge", f"loopback/{step.dial}/default/XML"))
    actions.append(("transfer", f"{ask_again} XML {context}"))
    return _extension(context, actions)


def _extension(context: str, actions: list[tuple[str, str]]) -> str:
    lines = "".join(f'<action application="{escape(name)}" data="{escape(data)}"/>' for name, data in actions)
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<document type="freeswitch/xml">'
        f'<section name="dialplan"><context name="{escape(context)}"><extension name="callbook">'
        f"<condition>{lines}</condition></extension></context></section></document>\n"
    )


def _text(text: str) -> Response:
    return current_app.response_class(text, mimetype="text/plain")


def _xml(text: str) -> Response:
    return current_app.response_class(text, mimetype="text/xml")
