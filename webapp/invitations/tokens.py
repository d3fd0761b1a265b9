"""The secret in an invitation's link: the organization's id, a hyphen, 256 random bits. Stored as a digest alone.

The id stands in front so that the session can be bound before anything is looked up.
"""

import hashlib
import secrets

from webapp.database.ids import read_id, spell_id

_SECRET_CHARACTERS = 43  # 32 bytes in base64 for addresses


def make_token(organization_id: int) -> str:
    return f"{spell_id(organization_id)}-{secrets.token_urlsafe(32)}"


def digest_token(token: str) -> bytes:
    """What the table knows of it."""
    return hashlib.sha256(token.encode()).digest()


def organization_in(token: str) -> int | None:
    """The id of the organization in whose name the token speaks; None if it is no token of ours."""
    spelt, _, secret = token.partition("-")
    if len(secret) != _SECRET_CHARACTERS or not token.isascii():
        return None
    try:
        return read_id(spelt)
    except ValueError:
        return None
