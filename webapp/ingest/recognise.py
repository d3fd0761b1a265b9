"""Which format a file is in, guessed from its head. Called by the upload page and the command line, which let a
person confirm: a wrong guess must be seen, not import rubbish.
"""

from typing import NamedTuple

from webapp.ingest.readers import READERS
from webapp.ingest.readers.asterisk_cdr_csv import is_clid_first
from webapp.ingest.readers.csv_rows import split_line
from webapp.ingest.records import Head

_CDR_CUSTOM = (
    "This is the layout of Asterisk's cdr_custom: the caller's name and number come first, the account code later. "
    "It is read like Master.csv of cdr_csv."
)


class Guess(NamedTuple):
    """`confidence` is 0.0 to 1.0; `reason` a sentence for the person who uploaded the file."""

    reader: str
    confidence: float
    reason: str


def recognise(head: Head) -> list[Guess]:
    """The readers that may fit, best first; empty where none does. Of equal ones the earlier in READERS wins."""
    guesses = [
        Guess(name, round(min(1.0, confidence), 2), _reason(name, reader.sign, head))
        for name, reader in READERS.items()
        if (confidence := reader.recognise(head)) > 0
    ]
    return sorted(guesses, key=lambda guess: guess.confidence, reverse=True)


def _reason(name: str, sign: str, head: Head) -> str:
    if name == "asterisk_cdr_csv" and is_clid_first(split_line(head.lines[0]) or []):
        return _CDR_CUSTOM
    return sign
