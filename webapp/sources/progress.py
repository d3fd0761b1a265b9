"""How far an import has come, in words. Pure; used by the import page and the command line."""

from dataclasses import dataclass

from webapp.calls.models import ImportFile
from webapp.formatting import format_count


@dataclass(frozen=True)
class Progress:
    """`value` of `maximum` bytes; None while the end is not known. `amount`, `rate`, `left` are words or ""."""

    value: int
    maximum: int | None
    amount: str
    rate: str
    left: str


def progress_of(file: ImportFile, size: int | None) -> Progress:
    """`size` is the file's, as received."""
    rate = file.read_count // file.work_seconds if file.work_seconds else 0
    return Progress(
        value=min(file.bytes_read, size or 0),
        maximum=size if size and file.read_count else None,
        amount=f"{format_count(file.read_count)} rows read" if file.read_count else "Waiting to begin",
        rate=f"{format_count(rate)} rows a second" if rate else "",
        left=_left(file, size),
    )


def _left(file: ImportFile, size: int | None) -> str:
    if not size or not file.bytes_read or not file.work_seconds:
        return ""
    seconds = round((size - file.bytes_read) * file.work_seconds / file.bytes_read)
    if seconds < 1:
        return "nearly done"
    return f"about {seconds} s left" if seconds < 90 else f"about {round(seconds / 60)} min left"
