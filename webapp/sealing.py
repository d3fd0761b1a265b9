"""Seals what lies in the database and must be readable again: the token in a waiting mail, an authenticator's secret.

The key is made of SECRET_KEY, which is outside the database: a dump alone opens nothing (SECURITY 51). AES-128 in CBC
with HMAC-SHA-256, as Fernet of `cryptography` has it. Used by outbox/ and accounts/. What an earlier key sealed
(SECRET_KEY_FALLBACKS) opens too.
"""

import base64
import hashlib
from collections.abc import Iterable

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Unsealable(Exception):
    """It was sealed under another SECRET_KEY, or is damaged."""


def seal(secret_key: str, content: bytes) -> bytes:
    return _box(secret_key).encrypt(content)


def unseal(secret_key: str, sealed: bytes, fallbacks: Iterable[str] = ()) -> bytes:
    """Raises Unsealable."""
    try:
        return MultiFernet([_box(key) for key in (secret_key, *fallbacks)]).decrypt(bytes(sealed))
    except InvalidToken:
        raise Unsealable from None


def _box(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"callbook.sealing:" + secret_key.encode()).digest()))
