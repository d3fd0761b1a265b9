"""Which passwords are too weak: those that somebody would guess first. No rules of composition, no expiry.

zxcvbn says how many guesses a password takes; what belongs to the person, the company or this product is taken out
first, whatever its spelling. Called by people.py wherever a password is chosen.
"""

import re
import threading
from collections.abc import Iterable, Iterator

from zxcvbn import zxcvbn  # type: ignore[import-untyped]

from webapp.accounts.passwords import LONGEST

SHORTEST = 12
ENOUGH = 3  #: of zxcvbn's 0 to 4: more than 10^8 guesses
_PRODUCT_WORDS = tuple(
    "callbook call calls record records phone phones telephone voicemail extension switchboard reception office "  # noqa: SIM905
    "company business system systems server asterisk freepbx freeswitch login signin secret welcome password "
    "passphrase".split()
)
_LOOKALIKES = str.maketrans("4@831!0$57", "aabeiiosst")
_ENOUGH_LEFT = 6  # different characters
# zxcvbn's time grows with the square of the length and with the ways to read 4 as a: 128 of the worst take 5 seconds.
_JUDGED_AT_ONCE = 32
# It keeps the words of whoever asks in a dictionary that all threads share.
_turn = threading.Lock()


def weakness(password: str, about: Iterable[str] = ()) -> str | None:
    """Why the password is refused, as a sentence, or None. `about`: what a guesser tries first (company, e-mail)."""
    if len(password) < SHORTEST:
        return f"Use at least {SHORTEST} characters; a few words that do not belong together are good and easy to keep."
    if len(password) > LONGEST:
        return f"Use at most {LONGEST} characters."
    context = sorted({*_words_of(about), *_PRODUCT_WORDS}, key=len, reverse=True)
    left = min(len(_what_is_left(spelling, context)) for spelling in _spellings(password))
    if left < _ENOUGH_LEFT or not any(_is_hard(piece, context) for piece in _pieces(password)):
        return (
            "This is one of the first that somebody would guess: a common word, a name of yours, a year, or a row of "
            "keys. A few words that do not belong together are better."
        )
    return None


def _is_hard(password: str, context: list[str]) -> bool:
    with _turn:
        return int(zxcvbn(password, user_inputs=context, max_length=LONGEST)["score"]) >= ENOUGH


def _pieces(password: str) -> Iterator[str]:
    """The password, or pieces of a long one: it is as hard to guess as any of them, at least."""
    for start in range(0, max(1, len(password) - SHORTEST + 1), _JUDGED_AT_ONCE):
        yield password[start : start + _JUDGED_AT_ONCE]


def _words_of(about: Iterable[str]) -> Iterator[str]:
    for text in about:
        yield from (part for part in re.split(r"[\W_]+", text.casefold()) if len(part) > 2)
        yield text.casefold()


def _spellings(password: str) -> tuple[str, str]:
    plain = password.casefold()
    return plain, plain.translate(_LOOKALIKES)


def _what_is_left(text: str, context: list[str]) -> set[str]:
    """The different characters of it once the words and years are taken out."""
    for word in context:
        text = text.replace(word, " ")
    return set(re.sub(r"[\s\W_]+|(?:19|20)\d\d", "", text))
