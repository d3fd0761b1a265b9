"""What of a call a narrowed reader sees: their own part of it. Whoever else of the house took part is "a colleague".

Pure. Used by browse.py and export.py for rows, by detail.py for one call. That the names and extensions of colleagues
are not even read, the session lock sees to; here they are told from parties that nobody has.
"""

import struct
from collections.abc import Container, Sequence

from webapp.calls.selection import CallLine
from webapp.tenancy.narrowing import Narrowing

_SIDES = (5, 7)  # of caller_id and reached_id in LINE_COLUMNS
COLLEAGUE_ID = -1  #: in the place of a party id; no party has it


def party_ids_shown(lines: Sequence[CallLine], narrowing: Narrowing | None) -> set[int]:
    """Whoever the rows of these calls may name."""
    ids = {line[place] for place in _SIDES for line in lines}
    ids.discard(None)
    return ids if narrowing is None else ids.union(*(_theirs(line, narrowing) for line in lines))


def sides_shown(
    line: CallLine, narrowing: Narrowing | None, known: Container[int | None]
) -> tuple[int | None, int | None]:
    """The caller and who was reached. `known`: the parties that the reader may read.

    For a narrowed reader: theirs, where the call went on to a colleague, else COLLEAGUE_ID.
    """
    if narrowing is None:
        return line.caller_id, line.reached_id
    caller_id = as_colleague(line.caller_id, line.ms, narrowing, known)
    reached_id = as_colleague(line.reached_id, line.ms, narrowing, known)
    if reached_id == COLLEAGUE_ID:
        theirs = [each for each in _theirs(line, narrowing) if each != line.caller_id]
        sides = [each for each in (line.answered_by_id, line.dialed_id) if each in theirs]
        reached_id = next(iter([*sides, *theirs]), COLLEAGUE_ID)
    return caller_id, reached_id


def as_colleague(party_id: int | None, ms: int, narrowing: Narrowing, known: Container[int | None]) -> int | None:
    """The id, or COLLEAGUE_ID for a party that is not theirs in a call that starts at `ms`, nor an outside one."""
    if party_id is None or narrowing.opens(party_id, ms):
        return party_id
    return party_id if party_id in known and party_id not in narrowing.party_ids else COLLEAGUE_ID


def _theirs(line: CallLine, narrowing: Narrowing) -> list[int]:
    packed = bytes(line.party_ids)  # written by ingest/call_writer.py
    everyone: tuple[int, ...] = struct.unpack(f">{len(packed) // 8}q", packed)
    return [each for each in everyone if narrowing.opens(each, line.ms)]
