"""Which passwords are refused, and that nothing else is asked of them."""

import pytest

from webapp.accounts import password_strength
from webapp.accounts.password_strength import weakness

ABOUT = ("olive@harbourboats.example", "Harbour Boats", "harbour")


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short pass!",
        "passwordpassword",
        "Password1234!",
        "P@ssw0rd2026!",
        "aaaaaaaaaaaaaaaa",
        "abcabcabcabcabc",
        "123456789012",
        "abcdefghijklmnop",
        "qwertyuiop123",
        "qwertzuiopasdf",
        "1qaz2wsx3edc4rfv",
        "Summer2026!Summer",
        "iloveyou1234567",
        "letmein12345678",
        "harbour2026!",
        "HarbourBoats1998",
        "h4rb0ur-b0ats-26",
        "olive@harbourboats.example",
        "OliveHarbour123",
        "callbook2026callbook",
        "voicemail-phone-system",
        "000000000000",
        "ab" * 64,
        "1qaz" * 32,
        "x" * 129,
    ],
)
def test_security_10_what_is_guessed_first_is_refused(password: str) -> None:
    assert weakness(password, ABOUT) is not None


@pytest.mark.parametrize(
    "password",
    [
        "six small boats at anchor",
        "correct horse battery staple",
        "tulip-radiator-wolf",
        "nine lemons by the harbour wall",
        "vC9$kq2!Lp0z",
        "bateaux à voile ⛵",
        "the quick brown fox jumps over the lazy dog while nobody is watching them",
        "x7" + "kq" * 3 + "mvdtr" * 20,
    ],
)
def test_security_10_others_are_taken_whatever_they_are_made_of(password: str) -> None:
    assert weakness(password, ABOUT) is None


def test_security_10_a_phrase_of_73_characters_is_no_trouble() -> None:
    phrase = "the quick brown fox jumps over the lazy dog while nobody is watching them"
    assert len(phrase) == 73
    assert weakness(phrase) is None


def test_the_reason_says_what_to_do() -> None:
    assert "at least 12 characters" in str(weakness("boats"))
    assert "at most 128" in str(weakness("x" * 129))
    assert "A few words that do not belong together" in str(weakness("harbour2026!", iter(ABOUT)))


def test_the_worst_to_judge_is_judged_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookalikes of many letters, 128 of them: zxcvbn alone needs seconds, in which nobody else is judged.

    Its time grows with the square of what it is given at once.
    """
    judged: list[str] = []
    zxcvbn = password_strength.zxcvbn
    monkeypatch.setattr(
        password_strength, "zxcvbn", lambda piece, **about: judged.append(piece) or zxcvbn(piece, **about)
    )
    assert weakness(("4@8({[<369&#!1/|0$5+7%2" * 6)[:128]) is None
    assert 0 < max(len(piece) for piece in judged) <= 32
