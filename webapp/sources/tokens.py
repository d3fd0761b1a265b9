"""The tokens of phone systems: made, rotated, revoked, found. Used by pbx_access.py and by the page that shows them.

A token is `cb_<organization, base 32>_<256 random bits>`: the organization stands in front so that the session can be
bound before anything is looked up. It is shown once; the database knows its digest and its first letters. Each change
is recorded in the audit as done by `actor_id`, a user_account; None is the operator.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import LargeBinary, bindparam, or_, select

from webapp import clock
from webapp.audit.actions import record
from webapp.calls.models import Pbx
from webapp.database.engine import Database
from webapp.database.ids import new_id, read_id, spell_id
from webapp.database.types import Instant
from webapp.errors import NotFound, Refused
from webapp.sources.models import PbxToken
from webapp.tenancy.lock import LockedSession, kept
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import look_up

#: How long the old token goes on working beside the new one, in the words of the page.
OVERLAPS = {
    "none": timedelta(0),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
MOST_LIVE_TOKENS = 10  #: of a phone system
_USED_EVERY = timedelta(minutes=1)
_SECRET_CHARACTERS = 43  # 32 bytes in base64 for addresses
_SHOWN_OF_SECRET = 6

_FOUND = kept(
    select(PbxToken, Pbx, Organization)
    .join(Pbx, (Pbx.organization_id == PbxToken.organization_id) & (Pbx.id == PbxToken.pbx_id))
    .join(Organization, Organization.id == PbxToken.organization_id)
    .where(
        PbxToken.token_digest == bindparam("digest", type_=LargeBinary),
        or_(PbxToken.ends_at.is_(None), PbxToken.ends_at > bindparam("now", type_=Instant)),
    )
)


class FoundToken(NamedTuple):
    """A token that is known and has not ended; its phone system may be closed, or its organization."""

    token: PbxToken
    pbx: Pbx
    organization: Organization


def make_token(session: LockedSession, pbx: Pbx, *, actor_id: int | None) -> str:
    """A new token of a phone system, besides those that it has: the text, which nothing can tell again."""
    if pbx.closed_at is not None:
        raise Refused(f"{pbx.name} is closed. Open it again first, then make a token.")
    _refuse_too_many(pbx, list_live_tokens(session, pbx.id))
    text = _add(session, pbx, actor_id)
    record(session, "token.made", actor_id=actor_id, object_id=pbx.id, name=pbx.name)
    return text


def rotate_token(session: LockedSession, pbx: Pbx, token: PbxToken, overlap: timedelta, *, actor_id: int | None) -> str:
    """A new token in the place of one that works on for `overlap`. Raises Refused where that one has ended."""
    if not is_live(token):
        raise Refused("This token does not work any more. Make a new one instead.")
    _refuse_too_many(pbx, [each for each in list_live_tokens(session, pbx.id) if each.id != token.id])
    text = _add(session, pbx, actor_id)
    ends_at = clock.now() + overlap
    token.ends_at = ends_at if token.ends_at is None else min(token.ends_at, ends_at)
    record(session, "token.rotated", actor_id=actor_id, object_id=pbx.id, name=pbx.name, prefix=token.prefix)
    return text


def revoke_token(session: LockedSession, pbx: Pbx, token: PbxToken, *, actor_id: int | None) -> None:
    """It opens nothing from now on."""
    if is_live(token):
        token.ends_at = clock.now()
        record(session, "token.revoked", actor_id=actor_id, object_id=pbx.id, name=pbx.name, prefix=token.prefix)


def is_live(token: PbxToken) -> bool:
    return token.ends_at is None or token.ends_at > clock.now()


def list_live_tokens(session: LockedSession, pbx_id: int) -> list[PbxToken]:
    """Those that work, the newest first."""
    query = select(PbxToken).where(PbxToken.pbx_id == pbx_id).order_by(PbxToken.id.desc())
    return [token for token in session.scalars(query) if is_live(token)]


def get_token(session: LockedSession, pbx_id: int, token_id: int) -> PbxToken:
    """Raises NotFound."""
    token = session.get(PbxToken, (session.organization_id, token_id))
    if token is None or token.pbx_id != pbx_id:
        raise NotFound
    return token


def organization_in(text: str) -> int | None:
    """The id of the organization in whose name a token speaks; None if it is no token of ours."""
    kind, _, rest = text.partition("_")
    spelt, _, secret = rest.partition("_")
    if kind != "cb" or len(secret) != _SECRET_CHARACTERS or not text.isascii():
        return None
    try:
        return read_id(spelt)
    except ValueError:
        return None


def find_token(database: Database, organization_id: int, text: str) -> FoundToken | None:
    """The token of this text in an organization, if it works. Asks the database once, whatever the text is."""
    rows = look_up(database, organization_id, _FOUND, {"digest": digest_token(text), "now": clock.now()})
    return FoundToken(*rows[0]) if rows else None


def note_use(session: LockedSession, token_id: int) -> None:
    """Write when it was last used, which nobody waits for: in a session of its own, once the request's work is done."""
    token = session.get(PbxToken, (session.organization_id, token_id))
    if token is not None and wants_note(token.last_used_at):
        token.last_used_at = clock.now()


def wants_note(last_used_at: datetime | None) -> bool:
    """Once a minute is enough."""
    return last_used_at is None or clock.now() - last_used_at >= _USED_EVERY


def digest_token(text: str) -> bytes:
    """What the table knows of it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _refuse_too_many(pbx: Pbx, beside: list[PbxToken]) -> None:
    """`beside`: those that work beside the new one, but for the one that it replaces."""
    if len(beside) >= MOST_LIVE_TOKENS:
        raise Refused(f"{pbx.name} has {MOST_LIVE_TOKENS} tokens that work. Revoke those that nothing uses any more.")


def _add(session: LockedSession, pbx: Pbx, actor_id: int | None) -> str:
    assert session.organization_id is not None
    begin = f"cb_{spell_id(session.organization_id)}_"
    text = begin + secrets.token_urlsafe(32)
    session.add(
        PbxToken(
            organization_id=session.organization_id,
            id=new_id(),
            pbx_id=pbx.id,
            prefix=text[: len(begin) + _SHOWN_OF_SECRET],
            token_digest=digest_token(text),
            created_at=clock.now(),
            created_by=actor_id,
        )
    )
    session.flush()
    return text
