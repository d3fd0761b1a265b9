"""How passwords are hashed and checked."""

import pytest
from argon2 import PasswordHasher

from webapp.accounts import passwords
from webapp.accounts.passwords import LONGEST, check_password, hash_password, needs_new_digest

PINNED = "$argon2id$v=19$m=19456,t=2,p=1$"


def test_security_09_the_parameters_are_pinned(pinned_hasher: PasswordHasher) -> None:
    assert pinned_hasher.hash("six small boats").startswith(PINNED)


def test_security_09_a_digest_of_other_parameters_is_renewed(
    pinned_hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "hasher", pinned_hasher)
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("six small boats")
    assert needs_new_digest(old)
    assert not needs_new_digest(hash_password("six small boats"))


def test_security_09_long_passwords_count_to_their_last_character() -> None:
    long = "boats " * 21 + "ab"
    assert len(long) == LONGEST
    digest = hash_password(long)
    assert check_password(digest, long)
    assert not check_password(digest, long[:-1] + "c")
    assert not check_password(digest, long + "b")


def test_security_09_what_is_too_long_is_never_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hash_password("six small boats")
    monkeypatch.setattr(passwords, "hasher", None)
    assert not check_password(digest, "x" * 129)
    with pytest.raises(ValueError, match="at most 128"):
        hash_password("x" * 129)


def test_security_09_any_characters_may_stand_in_it() -> None:
    for password in ("bateaux à voile ⛵⛵⛵", "  spaces at both ends  ", "nul \x00 inside it", "e\u0301 is two"):
        digest = hash_password(password)
        assert check_password(digest, password)
        assert not check_password(digest, password.strip() + "!")


def test_nobodys_password_is_never_right() -> None:
    assert not check_password(None, "nobody has this password")
    assert not check_password(None, "six small boats")
    assert not check_password("no digest at all", "six small boats")
