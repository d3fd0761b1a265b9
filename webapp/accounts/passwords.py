"""Passwords: hashing with argon2id, and checking in the same time for people who are known and who are not.

Called by sign_in.py and people.py. The parameters are pinned here; tests put a cheap hasher in.
"""

import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LONGEST = 128  #: characters; checked before anything is hashed
_AT_ONCE = 2  # 19 MiB and a whole core each: more at a time would only make all of them slower

hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1, hash_len=32, salt_len=16)
_turn = threading.BoundedSemaphore(_AT_ONCE)


def hash_password(password: str) -> str:
    """The digest to store. Raises ValueError for a password that is too long."""
    if len(password) > LONGEST:
        raise ValueError(f"a password has at most {LONGEST} characters")
    with _turn:
        return hasher.hash(password)


def check_password(digest: str | None, password: str) -> bool:
    """Whether the password belongs to the digest. None, for a person who is not there, takes as long and is False."""
    if len(password) > LONGEST:
        return False
    with _turn:
        try:
            return hasher.verify(digest or _dummy(hasher), password) and digest is not None
        except (VerificationError, InvalidHashError):
            return False


def prepare_dummy() -> None:
    """Make the digest that stands for nobody's, so that the first try of somebody unknown takes no longer."""
    _dummy(hasher)


def needs_new_digest(digest: str) -> bool:
    """Whether the digest was made with other parameters than today's."""
    return hasher.check_needs_rehash(digest)


@lru_cache(maxsize=4)
def _dummy(with_hasher: PasswordHasher) -> str:
    return with_hasher.hash("nobody has this password")
