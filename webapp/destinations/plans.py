"""How an organization writes its numbers: its country and its phone systems. What patterns.py reads and spells with.

Phone systems are known by a later package, which registers what lists them (calls/phone_systems.py, in create_app).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from webapp.destinations.patterns import Plan
from webapp.tenancy.lock import LockedSession


class PhoneSystem(NamedTuple):
    """What of a phone system decides how digits are read. `extension_lengths`: how many digits its extensions have."""

    id: int
    name: str
    extension_lengths: frozenset[int]


Reader = Callable[[LockedSession], Sequence[PhoneSystem]]
_readers: dict[str, Reader] = {}


def register_phone_systems(reader: Reader) -> None:
    """`reader` lists the phone systems of the bound organization, closed ones too: their calls are still there."""
    _readers["phone systems"] = reader


def list_pbx_ids(session: LockedSession) -> list[int] | None:
    """Of all phone systems there are or were; None where nobody has said what lists them."""
    return [system.id for system in _readers["phone systems"](session)] if _readers else None


def load_plan(session: LockedSession, region: str) -> Plan:
    """The plan of the bound organization. `region`: its country, ISO 3166."""
    systems = _readers["phone systems"](session) if _readers else ()
    return Plan(
        region=region,
        pbxes={system.id: system.name for system in systems},
        extension_lengths=frozenset().union(*(system.extension_lengths for system in systems)),
    )
