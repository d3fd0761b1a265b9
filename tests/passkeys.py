"""A passkey in software, for tests: answers the questions of the app as a browser with its device would.

    passkey = SoftPasskey()
    client.send("/sign-in/passkey", {"credential": passkey.show(question)})

`origin`, `count` and `verified` make it answer as no honest one does.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

ORIGIN = "http://localhost:8080"
_PRESENT, _VERIFIED, _BACKED_UP, _HAS_KEY = 0x01, 0x04, 0x18, 0x40


def spell(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def read(text: str) -> bytes:
    return urlsafe_b64decode(f"{text}===")


@dataclass
class SoftPasskey:
    """One passkey on one device."""

    name: str = "localhost"
    count: int = 0
    counts: bool = True  #: else the count stays 0, as that of passkeys which are kept on several devices
    verified: bool = True
    handle: bytes = b""
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, question: dict[str, Any], attested: dict[str, Any] | None = None, **other: Any) -> str:
        """The answer to navigator.credentials.create(). `attested`: what it says of its maker, which none is asked."""
        self.handle = read(question["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        credential = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + public
        data = self._data(_HAS_KEY) + credential
        client = self._client("webauthn.create", question, other)
        response = {
            "clientDataJSON": spell(client),
            "attestationObject": spell(
                cbor2.dumps({"fmt": "none", "attStmt": {}, **(attested or {}), "authData": data})
            ),
            "transports": ["internal"],
        }
        return self._credential(response)

    def show(self, question: dict[str, Any], **other: Any) -> str:
        """The answer to navigator.credentials.get(). `other`: what the browser says of itself, such as origin."""
        self.count += self.counts
        data, client = self._data(0), self._client("webauthn.get", question, other)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        response = {
            "clientDataJSON": spell(client),
            "authenticatorData": spell(data),
            "signature": spell(signature),
            "userHandle": spell(self.handle),
        }
        return self._credential(response)

    def _data(self, flags: int) -> bytes:
        flags |= _PRESENT | (_VERIFIED if self.verified else 0) | (0 if self.counts else _BACKED_UP)
        return hashlib.sha256(self.name.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, question: dict[str, Any], other: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": question["challenge"], "origin": ORIGIN, "crossOrigin": False, **other}
        return json.dumps(said).encode()

    def _credential(self, response: dict[str, Any]) -> str:
        own = spell(self.credential_id)
        return json.dumps({"id": own, "rawId": own, "type": "public-key", "response": response})
