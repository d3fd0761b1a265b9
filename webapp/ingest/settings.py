"""What must be known about a phone system to understand its records: the part of a `pbx` row that ingest reads."""

import json
from dataclasses import dataclass, replace

from webapp.calls.models import Pbx

#: Lengths taken for extensions until somebody says how long they are.
USUAL_EXTENSION_DIGITS = frozenset({2, 3, 4, 5})


@dataclass(frozen=True)
class PbxSettings:
    """`outside_lines` is None until the questions are answered: then no direction can be told."""

    pbx_id: int
    time_zone: str
    region: str
    area_code: str = ""
    outside_prefix: str = ""
    extension_digits: frozenset[int] = USUAL_EXTENSION_DIGITS
    outside_lines: frozenset[str] | None = None

    @classmethod
    def of(cls, pbx: Pbx, time_zone: str | None = None) -> "PbxSettings":
        """The settings of a phone system, with the zone of one import where that differs."""
        return cls(
            pbx_id=pbx.id,
            time_zone=time_zone or pbx.time_zone,
            region=pbx.region,
            area_code=pbx.area_code,
            outside_prefix=pbx.outside_prefix,
            extension_digits=read_extension_digits(pbx.extension_digits),
            outside_lines=frozenset(json.loads(pbx.outside_lines)) if pbx.answered_at else None,
        )

    def with_zone(self, time_zone: str) -> "PbxSettings":
        return replace(self, time_zone=time_zone)


def read_extension_digits(text: str) -> frozenset[int]:
    """ "3,4" -> {3, 4}; "" -> the usual lengths. Raises ValueError for anything else."""
    if not text.strip():
        return USUAL_EXTENSION_DIGITS
    lengths = frozenset(int(part) for part in text.split(","))
    if not all(1 <= length <= 9 for length in lengths):
        raise ValueError("extensions have 1 to 9 digits")
    return lengths
