"""The key of one backup: made of the operator's passphrase by scrypt, or of a key file, and of a salt of its own.

The first line of a backup says how, so that a backup opens with the passphrase or key alone, on any machine:

    CALLBOOK-BACKUP-1 passphrase 65536 8 2 SALT        or        CALLBOOK-BACKUP-1 key SALT

The line goes into the key itself (HKDF): with another line the key is another one. Called by archive.py.
"""

import re
import secrets

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from config import Settings
from webapp.recovery.problem import RecoveryProblem

LONGEST_LINE = 120
_KEY_BYTES = 32
_LINE = re.compile(
    rb"CALLBOOK-BACKUP-1 (?:key|passphrase (?P<n>\d{1,7}) (?P<r>\d{1,2}) (?P<p>\d)) (?P<salt>[0-9a-f]{32})\n"
)
#: 64 MiB and a third of a second: what OWASP asks of a password, twice over.
_COST = (65536, 8, 2)
_DEAREST = (1 << 20, 16, 4)  #: of a line that somebody else wrote: 2 GiB


def new_line(settings: Settings) -> bytes:
    """How the next backup is sealed. Raises RecoveryProblem when the settings name no passphrase and no key."""
    check_key(settings)
    how = "key" if settings.backup_key is not None else "passphrase {} {} {}".format(*_COST)
    return f"CALLBOOK-BACKUP-1 {how} {secrets.token_hex(16)}\n".encode("ascii")


def check_key(settings: Settings) -> None:
    """Raises RecoveryProblem when the settings name no passphrase and no key."""
    if settings.backup_key is None and settings.backup_passphrase is None:
        raise RecoveryProblem(
            "No backup is made without encryption: set BACKUP_PASSPHRASE_FILE or BACKUP_KEY_FILE, and keep a copy of "
            "that file away from this machine and from the backups (docs/recovery.md)."
        )


def key_of(settings: Settings, line: bytes) -> bytes:
    """The key that this line and the settings make. Raises RecoveryProblem."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise RecoveryProblem("This is no backup of Callbook.")
    salt = bytes.fromhex(found["salt"].decode())
    secret = _secret(settings, found, salt)
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=salt, info=line).derive(secret)


def _secret(settings: Settings, found: "re.Match[bytes]", salt: bytes) -> bytes:
    if found["n"] is None:
        if settings.backup_key is None:
            raise RecoveryProblem("This backup was sealed with a key file: set BACKUP_KEY_FILE to that key.")
        return settings.backup_key
    if settings.backup_passphrase is None:
        raise RecoveryProblem("This backup was sealed with a passphrase: set BACKUP_PASSPHRASE_FILE to that one.")
    cost = tuple(int(found[name]) for name in ("n", "r", "p"))
    if any(one > most for one, most in zip(cost, _DEAREST, strict=True)) or cost[0] & (cost[0] - 1) or not all(cost):
        raise RecoveryProblem("This is no backup of Callbook: its first line was changed.")
    n, r, p = cost
    return Scrypt(salt=salt, length=_KEY_BYTES, n=n, r=r, p=p).derive(settings.backup_passphrase.encode())
