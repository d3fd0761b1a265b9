"""What lies sealed in the database, and keys that were replaced."""

import pytest

from config import SettingsError, load_settings
from webapp.sealing import Unsealable, seal, unseal

OLD, NEW = "an old key of the tests, of 40 characters", "the new key of the tests, of 40 characters"


def test_security_51_what_is_sealed_says_nothing() -> None:
    sealed = seal(OLD, b"a secret of somebody")
    assert b"secret" not in sealed
    assert seal(OLD, b"a secret of somebody") != sealed
    assert unseal(OLD, sealed) == b"a secret of somebody"


def test_security_51_another_key_does_not_open_it() -> None:
    sealed = seal(OLD, b"a secret")
    for spoilt in (sealed[:-1], sealed[:20] + (b"A" if sealed[20:21] != b"A" else b"B") + sealed[21:], b""):
        with pytest.raises(Unsealable):
            unseal(OLD, spoilt)
    with pytest.raises(Unsealable):
        unseal(NEW, sealed)


def test_security_07_an_earlier_key_opens_what_it_sealed() -> None:
    sealed = seal(OLD, b"a secret")
    assert unseal(NEW, sealed, [OLD]) == b"a secret"
    assert unseal(NEW, seal(NEW, b"another"), [OLD]) == b"another"


def test_security_07_earlier_keys_are_a_setting() -> None:
    given = {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": f"{OLD.replace(',', ';')}, {'0123456789abcdef' * 2}"}
    assert load_settings(given).secret_key_fallbacks == (OLD.replace(",", ";"), "0123456789abcdef" * 2)
    assert load_settings({"SECRET_KEY": NEW}).secret_key_fallbacks == ()


def test_security_51_a_short_earlier_key_is_refused_by_name() -> None:
    with pytest.raises(SettingsError) as refusal:
        load_settings({"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": "short"})
    assert "SECRET_KEY_FALLBACKS" in refusal.value.problems
