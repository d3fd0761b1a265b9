"""Passkeys (WebAuthn): those of a person, and the questions that browsers are asked. Knows no Flask.

Each question (a challenge of 256 random bits) is kept as its digest with the browser that asked, what for and for whom,
and counts once, for five minutes; passkey_answers.py takes the answers. The private half of a passkey never leaves the
person's device; what is kept here signs nobody in. Called by the views of passkeys and by passkey_sign_in.py.
"""

import hashlib
import ipaddress
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from webauthn import generate_authentication_options, generate_registration_options, options_to_json
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from webapp.accounts.models import Passkey, PasskeyChallenge, PasskeyPurpose, UserAccount
from webapp.clock import now
from webapp.errors import NotFound, Refused
from webapp.names import clean_name

LIVES = timedelta(minutes=5)
PASSKEYS_AT_MOST = 20
NAME_AT_MOST = 50
_SERVICE = "Callbook"
_TIMEOUT_MS = int(LIVES.total_seconds() * 1000)
_VERIFIED = UserVerificationRequirement.REQUIRED
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Site:
    """To whom a passkey belongs: `origin` as browsers spell it, and the host's `name`."""

    origin: str
    name: str


@dataclass(frozen=True)
class Asked:
    """Who is asked what for: `browser` is the digest of its session's id. `person` None: whoever has a passkey."""

    purpose: PasskeyPurpose
    browser: bytes
    person: UserAccount | None = None


def site_of(base_url: str) -> Site | None:
    """None where browsers allow no passkeys: an address in figures has no name to which one could belong."""
    parts = urlsplit(base_url)
    name = parts.hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        port = "" if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
        return Site(f"{parts.scheme}://{name}{port}", name)
    return None


def list_passkeys(session: Session, user_account_id: int) -> list[Passkey]:
    """Of a person, the oldest first."""
    mine = select(Passkey).where(Passkey.user_account_id == user_account_id).order_by(Passkey.id)
    return list(session.scalars(mine))


def get_passkey(session: Session, user_account_id: int, passkey_id: int) -> Passkey:
    """One of the person's. Raises NotFound."""
    found = session.get(Passkey, (user_account_id, passkey_id))
    if found is None:
        raise NotFound
    return found


def find_passkey(session: Session, credential_id: bytes) -> tuple[Passkey, UserAccount] | None:
    """By what the browser calls it, with whose it is."""
    found = session.execute(
        select(Passkey, UserAccount)
        .join(UserAccount, UserAccount.id == Passkey.user_account_id)
        .where(Passkey.credential_id == credential_id)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def checked_name(name: str) -> str:
    """As the person calls it. Raises Refused."""
    name = clean_name(name)
    if not 1 <= len(name) <= NAME_AT_MOST:
        raise Refused(f"Give it a name of at most {NAME_AT_MOST} characters, such as Work laptop.", "name")
    return name


# ------------------------------------------------------------------------------------------------------- questions


def ask_for_new(session: Session, site: Site, asked: Asked) -> str:
    """The question for a new passkey, as JSON. It is to ask who is there (a finger, a PIN), and to know the person."""
    person = asked.person
    assert person is not None
    mine = list_passkeys(session, person.id)
    if len(mine) >= PASSKEYS_AT_MOST:
        raise Refused(f"You have {PASSKEYS_AT_MOST} passkeys, which is the most. Remove one first.")
    options = generate_registration_options(
        rp_id=site.name,
        rp_name=_SERVICE,
        user_name=person.email,
        user_id=handle_of(person.id),
        user_display_name=person.name or person.email,
        challenge=_keep_challenge(session, asked),
        timeout=_TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
        ),
        exclude_credentials=[_describe(passkey) for passkey in mine],
    )
    return options_to_json(options)


def ask_who(session: Session, site: Site, asked: Asked) -> str:
    """The question who is there, as JSON."""
    mine = [] if asked.person is None else list_passkeys(session, asked.person.id)
    options = generate_authentication_options(
        rp_id=site.name,
        challenge=_keep_challenge(session, asked),
        timeout=_TIMEOUT_MS,
        allow_credentials=[_describe(passkey) for passkey in mine],
        user_verification=_VERIFIED,
    )
    return options_to_json(options)


def sweep_challenges(session: Session) -> None:
    """Forget those that nobody answered in time."""
    session.execute(delete(PasskeyChallenge).where(PasskeyChallenge.expires_at <= now()))


def _keep_challenge(session: Session, asked: Asked) -> bytes:
    challenge = secrets.token_bytes(32)
    session.add(
        PasskeyChallenge(
            challenge_digest=hashlib.sha256(challenge).digest(),
            purpose=asked.purpose,
            browser_digest=asked.browser,
            user_account_id=asked.person.id if asked.person else None,
            expires_at=now() + LIVES,
        )
    )
    session.flush()
    return challenge


def _describe(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    known = {transport.value for transport in AuthenticatorTransport}
    transports = [AuthenticatorTransport(name) for name in json.loads(passkey.transports) if name in known]
    return PublicKeyCredentialDescriptor(id=bytes(passkey.credential_id), transports=transports or None)


def handle_of(user_account_id: int) -> bytes:
    """By which a passkey names its person: the id, which says nothing about them."""
    return user_account_id.to_bytes(8, "big")
