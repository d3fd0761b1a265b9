"""By what a phone system gets in: a bearer token, or basic authentication with the token as password and any name.

The guard asks `authenticate_pbx` for every view that is marked @access.pbx; such a view then calls pbx_caller(). There
is no cookie, no session and no browser. Every token that opens nothing is answered alike, after the same work, and
counted against the network that it came from; none is logged.
"""

from dataclasses import dataclass

from flask import Flask, Request, g

from webapp import logs
from webapp.calls.models import Pbx
from webapp.errors import Forbidden, Gone, NotSignedIn, TooManyTries
from webapp.rate_limits import Limit, hit, network_of
from webapp.services import services
from webapp.sources.models import PbxToken
from webapp.sources.tokens import find_token, organization_in
from webapp.tenancy import guard
from webapp.tenancy.models import Organization, OrganizationState
from webapp.tenancy.request import bind_caller

#: Wrong tokens of one network: so many at once, then one every three seconds. Right ones are never counted.
WRONG_TOKENS = Limit("pbx_token", burst=20, every_ms=3000, by_network=True)
_NOBODY = 0  # no organization has this id: a text that is no token is looked up all the same
_LONGEST_TOKEN = 200
_WRONG = (
    "This token opens nothing: it is unknown, revoked or replaced, or belongs to another phone system. Nothing was "
    "stored. Make a new one on the phone system's page in Callbook."
)

_CLOSED = (
    "The organization of this phone system was closed in Callbook by its owner, and is going to be erased. Nothing was "
    "stored, and nothing will be: stop sending. Should an owner take that back, this token works again."
)


@dataclass(frozen=True)
class PbxCaller:
    """The phone system that asks, and by which token."""

    organization: Organization
    pbx: Pbx
    token: PbxToken


def register(app: Flask) -> None:
    guard.set_pbx_check(app, authenticate_pbx)


def authenticate_pbx(request: Request) -> PbxCaller:
    """Who asks, by the token in the request; the session of the request is its organization's from then on.

    Where the address names a phone system, the token must be that one's. Raises NotSignedIn, or TooManyTries, for
    every token that opens nothing, Forbidden for a phone system that is closed, Gone for an organization. Writes
    nothing where the token is right: the view has its use noted, in its own time.
    """
    database = services().database
    text = _token_in(request)
    organization_id = organization_in(text)
    found = find_token(database, _NOBODY if organization_id is None else organization_id, text)
    named = (request.view_args or {}).get("pbx_id")
    if found is None or organization_id is None or named not in (None, found.pbx.id):
        wait = hit(database, WRONG_TOKENS, network_of(request.remote_addr))
        logs.event("pbx.wrong_token", endpoint=request.endpoint)
        if wait:
            raise TooManyTries(wait, f"{_WRONG} Too many wrong ones came from your network: wait {wait} seconds.")
        raise NotSignedIn(_WRONG)
    g.pbx_caller = PbxCaller(found.organization, found.pbx, found.token)
    if found.organization.state == OrganizationState.CLOSED:
        raise Gone(_CLOSED)
    if found.pbx.closed_at is not None:
        raise Forbidden(
            "This phone system is closed in Callbook and accepts nothing. Nothing was stored. Somebody who manages it "
            "can open it again on the Phone systems page."
        )
    bind_caller(organization_id)
    return pbx_caller()


def pbx_caller() -> PbxCaller:
    """Only in views marked @access.pbx."""
    caller: PbxCaller = g.pbx_caller
    return caller


def _token_in(request: Request) -> str:
    """ "" where there is none."""
    sent = request.authorization
    if sent is None:
        return ""
    text = sent.token if sent.type == "bearer" else sent.get("password") if sent.type == "basic" else ""
    return text if text and len(text) <= _LONGEST_TOKEN else ""
