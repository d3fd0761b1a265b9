"""The authenticator app (RFC 6238: SHA-1, six digits, 30 seconds, as every app takes it) and the recovery codes.

Called by sign_in.py, which counts tries first, and by factor_views.py. The secret lies sealed in user_account; of
recovery codes there are keyed digests only. No code is taken twice: one conditional UPDATE decides.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import pyotp
import segno
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from webapp.accounts.models import Passkey, RecoveryCode, UserAccount
from webapp.clock import now, now_ms
from webapp.sealing import Unsealable, seal, unseal

ISSUER = "Callbook"
RECOVERY_CODES = 10
_STEP_MS = 30_000
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is read for something else
_GROUPS, _GROUP = 4, 4  # 16 letters of 31: 79 bits


@dataclass(frozen=True)
class Keys:
    """SECRET_KEY, and those before it."""

    current: str
    earlier: Sequence[str] = ()


@dataclass(frozen=True)
class SetUp:
    """What the app of a person is to be told."""

    secret: str
    address: str  #: otpauth://...

    @property
    def spelt(self) -> str:
        """The secret in groups of four, for typing."""
        return " ".join(self.secret[start : start + 4] for start in range(0, len(self.secret), 4))

    @property
    def picture(self) -> str:
        """The QR code as the path of an SVG: units are modules, `size` of them a side."""
        return "".join(f"M{x} {y}h{length}v1h-{length}z" for x, y, length in _runs(self.address))

    @property
    def size(self) -> int:
        return int(segno.make_qr(self.address, error="m").symbol_size(border=_QUIET)[0])


_QUIET = 4  # modules around a QR code, as its standard asks


def _runs(content: str) -> list[tuple[int, int, int]]:
    """The dark modules of a QR code, row by row: column, row, how many."""
    found = []
    for y, row in enumerate(segno.make_qr(content, error="m").matrix_iter(border=_QUIET)):
        bits = "".join("1" if module else "0" for module in row)
        found += [(run.start(), y, len(run[0])) for run in re.finditer("1+", bits)]
    return found


def new_secret() -> str:
    """160 random bits in base 32."""
    return pyotp.random_base32(32)


def set_up_of(person: UserAccount, secret: str) -> SetUp:
    return SetUp(secret, pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=ISSUER))


def step_of(secret: str, code: str) -> int | None:
    """The 30 seconds that the code is of: the present ones, those before or those after. None: it is wrong."""
    present = now_ms() // _STEP_MS
    totp, given = pyotp.TOTP(secret), re.sub(r"\s", "", code)
    matching = [
        step
        for step in (present - 1, present, present + 1)
        if hmac.compare_digest(totp.at(step * _STEP_MS // 1000).encode(), given.encode())
    ]
    return max(matching, default=None)


def take_code(session: Session, keys: Keys, person: UserAccount, code: str) -> bool:
    """Take a code of the app, once. Of two at a time exactly one is taken."""
    if person.totp_secret is None:
        return False
    try:
        secret = unseal(keys.current, person.totp_secret, keys.earlier).decode()
    except Unsealable:
        return False
    step = step_of(secret, code)
    if step is None:
        return False
    # Sealed anew: so a key that was replaced need not be kept for ever.
    return _changed_one(
        session.execute(
            update(UserAccount)
            .where(
                UserAccount.id == person.id,
                UserAccount.totp_last_step < step,
                UserAccount.totp_secret == person.totp_secret,  # else an app that was replaced would come back
            )
            .values(totp_last_step=step, totp_secret=seal(keys.current, secret.encode()))
        )
    )


def take_recovery_code(session: Session, keys: Keys, person: UserAccount, code: str) -> bool:
    """Take a recovery code, once, in place of one of the app or of a passkey."""
    if not person.has_factor:
        return False
    digests = [_digest(key, person.id, code) for key in (keys.current, *keys.earlier)]
    return _changed_one(
        session.execute(
            update(RecoveryCode)
            .where(
                RecoveryCode.user_account_id == person.id,
                RecoveryCode.code_digest.in_(digests),
                RecoveryCode.used_at.is_(None),
            )
            .values(used_at=now())
        )
    )


def set_factor(session: Session, keys: Keys, person: UserAccount, secret: str, step: int) -> list[str]:
    """The app counts from now on; gives the recovery codes, which nobody can show again."""
    person.totp_secret, person.totp_last_step = seal(keys.current, secret.encode()), step
    return renew_recovery_codes(session, keys, person)


def remove_factor(session: Session, person: UserAccount) -> None:
    """The app is gone; without a passkey the password alone is enough again, and the recovery codes go too.

    `totp_last_step` stays: no code of old is taken again.
    """
    person.totp_secret = None
    if not person.has_passkey:
        delete_recovery_codes(session, person)
    session.flush()


def remove_every_factor(session: Session, person: UserAccount) -> None:
    """App, passkeys and recovery codes: for somebody who has lost them all."""
    session.execute(delete(Passkey).where(Passkey.user_account_id == person.id))
    person.totp_secret = None
    delete_recovery_codes(session, person)
    session.flush()


def delete_recovery_codes(session: Session, person: UserAccount) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_account_id == person.id))


def renew_recovery_codes(session: Session, keys: Keys, person: UserAccount) -> list[str]:
    """Ten new ones; the old ones are dead."""
    delete_recovery_codes(session, person)
    codes = [_new_recovery_code() for _ in range(RECOVERY_CODES)]
    for code in codes:
        digest = _digest(keys.current, person.id, code)
        session.add(RecoveryCode(user_account_id=person.id, code_digest=digest, used_at=None))
    session.flush()
    return codes


def list_unused_codes(session: Session, person: UserAccount) -> list[RecoveryCode]:
    unused = select(RecoveryCode).where(RecoveryCode.user_account_id == person.id, RecoveryCode.used_at.is_(None))
    return list(session.scalars(unused))


def looks_like_recovery(code: str) -> bool:
    """Whether it is longer than any code of an app."""
    return len(_plain(code)) > 8


def _new_recovery_code() -> str:
    letters = [secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP)]
    return "-".join("".join(letters[start : start + _GROUP]) for start in range(0, len(letters), _GROUP))


def _plain(code: str) -> str:
    return re.sub(r"[\s-]", "", code).lower()


def _digest(key: str, user_account_id: int, code: str) -> bytes:
    words = f"recovery\x00{user_account_id}\x00{_plain(code)}"
    return hmac.new(key.encode(), words.encode(), hashlib.sha256).digest()


def _changed_one(result: object) -> bool:
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == 1)
