"""Which passwords are too weak: those that somebody would guess first. No rules of composition, no expiry.

Called by people.py wherever a password is chosen.
"""

import re
from collections.abc import Iterable

from webapp.accounts.passwords import LONGEST

SHORTEST = 12
_COMMON_WORDS = """
password passwort passphrase secret letmein welcome admin administrator login signin access master monkey dragon
football baseball basketball hockey soccer iloveyou princess sunshine shadow superman batman pokemon starwars
trustno whatever computer internet google facebook microsoft windows apple samsung qwerty qwertz azerty asdfgh
zxcvbn yxcvbn changeme default company business office system server telephone phone calls callbook call
voicemail asterisk freepbx freeswitch extension spring summer autumn winter january february march april june
july august september october november december monday tuesday wednesday thursday friday saturday sunday hello
test testing temp user guest root love baby angel michael jordan thomas charlie daniel ashley jessica london
england manchester liverpool chelsea arsenal
"""
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "01234567890",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
)
_LOOKALIKES = str.maketrans("4@831!0$57", "aabeiiosst")
_SHORTEST_RUN = 4
_ENOUGH_LEFT = 6  # different characters


def weakness(password: str, about: Iterable[str] = ()) -> str | None:
    """Why the password is refused, as a sentence, or None. `about`: what a guesser tries first (company, e-mail).

    No rules of composition: what counts is what is left once everything that is guessed first is taken out.
    """
    if len(password) < SHORTEST:
        return f"Use at least {SHORTEST} characters; a few words that do not belong together are good and easy to keep."
    if len(password) > LONGEST:
        return f"Use at most {LONGEST} characters."
    about = tuple(about)
    if min(len(set(_what_is_left(spelling, about))) for spelling in _spellings(password)) < _ENOUGH_LEFT:
        return (
            "This is one of the first that somebody would guess: a common word, a name of yours, a year, or a row of "
            "keys. A few words that do not belong together are better."
        )
    return None


def _spellings(password: str) -> tuple[str, str]:
    plain = password.casefold()
    return plain, plain.translate(_LOOKALIKES)


def _what_is_left(text: str, about: Iterable[str]) -> str:
    guessed = {part for word in about for part in re.split(r"[\W_]+", word.casefold()) if len(part) > 2}
    for word in sorted({*guessed, *_COMMON_WORDS.split()}, key=len, reverse=True):
        text = text.replace(word, " ")
    for row in _ROWS:
        text = _without_runs(text, row)
        text = _without_runs(text, row[::-1])
    text = re.sub(r"(?:19|20)\d\d", " ", text)
    text = re.sub(r"(.{1,6}?)\1+", r"\1", text)
    return re.sub(r"\s+", "", text)


def _without_runs(text: str, row: str) -> str:
    kept: list[str] = []
    start = 0
    while start < len(text):
        length = 0
        for end in range(start + _SHORTEST_RUN, len(text) + 1):
            if text[start:end] not in row:
                break
            length = end - start
        if length:
            kept.append(" ")
        else:
            kept.append(text[start])
        start += length or 1
    return "".join(kept)
