"""Takes the answers of passkeys: to the question that was asked, once, in the browser that asked, and nothing else.

    challenge = take_challenge(session, answer, asked)   # commit before the answer is looked at
    passkey = add_passkey(session, site, person, challenge, answer, "Work laptop")

Called by passkey_views.py, and by passkey_sign_in.py, which counts tries first. Knows no Flask.
"""

import hashlib
import json

from sqlalchemy import CursorResult, delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    base64url_to_bytes,
    parse_attestation_object,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import AttestationFormat, AuthenticationCredential, CollectedClientData

from webapp.accounts.models import Passkey, PasskeyChallenge, UserAccount
from webapp.accounts.passkeys import Asked, Site, checked_name, handle_of
from webapp.clock import now
from webapp.database.ids import new_id
from webapp.errors import Refused

_ANSWER_AT_MOST = 20_000
#: What becomes of an answer that no browser gives.
_BROKEN = (WebAuthnException, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)


class Unusable(Exception):
    """The answer is none to this question: broken, too old, used, from elsewhere, or not signed by the passkey."""


class Copied(Unusable):
    """Right, but the passkey's count went back: somebody has a copy of it."""


def take_challenge(session: Session, answer: str, asked: Asked) -> bytes:
    """The challenge that the answer is to, if it was asked so. Whatever is tried with it, it is used up: the caller
    commits before looking further. Raises Unusable.
    """
    challenge = _challenge_in(answer)
    digest = hashlib.sha256(challenge).digest()
    kept = session.get(PasskeyChallenge, digest)
    gone = session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.challenge_digest == digest))
    assert isinstance(gone, CursorResult)
    if kept is None or gone.rowcount != 1:
        raise Unusable("no such question, or answered already")
    person_id = asked.person.id if asked.person else None
    wanted = (asked.purpose, asked.browser, person_id)
    if (kept.purpose, bytes(kept.browser_digest), kept.user_account_id) != wanted or kept.expires_at <= now():
        raise Unusable("another question, or too old")
    return challenge


def credential_in(answer: str) -> bytes:
    """Which passkey answers, as it says. Raises Unusable."""
    return _read(answer).raw_id


def add_passkey(session: Session, site: Site, person: UserAccount, challenge: bytes, answer: str, name: str) -> Passkey:
    """Keep what the browser has made. Raises Unusable, and Refused for one that is known or a name that is none."""
    try:
        credential = parse_registration_credential_json(_checked(answer))
        _refuse_frames(parse_client_data_json(credential.response.client_data_json))
        _refuse_certificates(credential.response.attestation_object)
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except _BROKEN as error:
        raise Unusable(type(error).__name__) from error
    passkey = Passkey(
        user_account_id=person.id,
        id=new_id(),
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        name=checked_name(name),
        synced=verified.credential_backed_up,
        transports=json.dumps([each.value for each in credential.response.transports or ()]),
        created_at=now(),
        last_used_at=None,
    )
    try:
        with session.begin_nested():
            session.add(passkey)
            session.flush()
    except IntegrityError:
        raise Refused("This passkey is registered already.", "name") from None
    return passkey


def check_answer(site: Site, passkey: Passkey, challenge: bytes, answer: str) -> int:
    """The count that the passkey shows. Raises Unusable; Copied when the count is none that can follow the last."""
    try:
        credential = _read(answer)
        _refuse_frames(parse_client_data_json(credential.response.client_data_json))
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.name,
            expected_origin=site.origin,
            credential_public_key=bytes(passkey.public_key),
            credential_current_sign_count=0,  # compared below, where it is known that the answer is the passkey's
            require_user_verification=True,
        )
    except _BROKEN as error:
        raise Unusable(type(error).__name__) from error
    if credential.response.user_handle not in (None, handle_of(passkey.user_account_id)):
        raise Unusable("another person's")
    count = verified.new_sign_count
    if (count or passkey.sign_count) and count <= passkey.sign_count:
        raise Copied("its count went back")
    return count


def note_use(session: Session, passkey: Passkey, count: int) -> bool:
    """Keep the new count. False: of two answers at once the other one was first."""
    changed = session.execute(
        update(Passkey)
        .where(
            Passkey.user_account_id == passkey.user_account_id,
            Passkey.id == passkey.id,
            Passkey.sign_count == passkey.sign_count,
        )
        .values(sign_count=count, last_used_at=now())
    )
    assert isinstance(changed, CursorResult)
    return bool(changed.rowcount == 1)


def _checked(answer: str) -> str:
    if len(answer) > _ANSWER_AT_MOST:
        raise Unusable("too long")
    return answer


def _read(answer: str) -> AuthenticationCredential:
    try:
        return parse_authentication_credential_json(_checked(answer))
    except _BROKEN as error:
        raise Unusable(type(error).__name__) from error


def _challenge_in(answer: str) -> bytes:
    try:
        text = json.loads(_checked(answer))["response"]["clientDataJSON"]
        return parse_client_data_json(base64url_to_bytes(text)).challenge
    except _BROKEN as error:
        raise Unusable(type(error).__name__) from error


def _refuse_frames(client_data: CollectedClientData) -> None:
    """No page of ours stands in one of another site."""
    if client_data.cross_origin:
        raise Unusable("in a frame of another site")


def _refuse_certificates(attestation: bytes) -> None:
    """Browsers send none, as they are asked to: so no certificate that anybody may send is ever read."""
    found = parse_attestation_object(attestation)
    if found.fmt not in (AttestationFormat.NONE, AttestationFormat.PACKED) or found.att_stmt.x5c:
        raise Unusable("with a certificate")
