"""What must be known about a phone system to understand its records: the part of a `pbx` row that ingest reads."""

import json
from dataclasses import dataclass, replace

from webapp.calls.models import Pbx
from webapp.calls.phone_systems import USUAL_EXTENSION_DIGITS, read_extension_digits


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
