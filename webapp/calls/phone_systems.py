"""The phone systems as the directory needs them: their names, and how long their extensions are.

Registered with destinations/plans.py in create_app(). How long extensions are is read by ingest/ from here too.
"""

from collections.abc import Sequence

from sqlalchemy import select

from webapp.calls.models import Pbx
from webapp.destinations.plans import PhoneSystem
from webapp.tenancy.lock import LockedSession, kept

#: Lengths taken for extensions until somebody says how long they are.
USUAL_EXTENSION_DIGITS = frozenset({2, 3, 4, 5})
_SYSTEMS = kept(select(Pbx.id, Pbx.name, Pbx.extension_digits).order_by(Pbx.closed_at.is_not(None), Pbx.name, Pbx.id))


def list_phone_systems(session: LockedSession) -> Sequence[PhoneSystem]:
    """All of the bound organization, those that are in use first."""
    return [
        PhoneSystem(row.id, row.name, read_extension_digits(row.extension_digits)) for row in session.rows(_SYSTEMS)
    ]


def read_extension_digits(text: str) -> frozenset[int]:
    """ "3,4" -> {3, 4}; "" -> the usual lengths. Raises ValueError for anything else."""
    if not text.strip():
        return USUAL_EXTENSION_DIGITS
    lengths = frozenset(int(part) for part in text.split(","))
    if not all(1 <= length <= 9 for length in lengths):
        raise ValueError("extensions have 1 to 9 digits")
    return lengths
