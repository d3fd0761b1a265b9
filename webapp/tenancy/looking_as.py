"""Looking at an organization's pages as somebody who may see less: kept in the browser's session, applied by the guard.

Put there by invitations/look_as_views.py ("See what they will see"); ends with the session, or by itself. Pure.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from webapp.clock import now_ms
from webapp.tenancy.models import Membership, Numbers, Role
from webapp.tenancy.narrowing import DestinationDays, Narrowing, PartyDays
from webapp.tenancy.reader import Reader

KEY = "looking_as"  #: in the browser's session
LASTS_MINUTES = 30


@dataclass(frozen=True)
class LookingAs:
    """`words` tell it in the banner: "a viewer who sees extensions 201 and 202"; `since_ms`: when it began."""

    organization_id: int
    role: Role
    reader: Reader
    words: str
    since_ms: int

    @property
    def is_over(self) -> bool:
        return not 0 <= now_ms() - self.since_ms < LASTS_MINUTES * 60_000

    def fits(self, membership: Membership, reader: Reader) -> bool:
        """Whether the person has, still, all that they look as."""
        return self.role <= membership.role and reader.covers(self.reader)

    def as_membership(self, real: Membership) -> Membership:
        """What views see of the person meanwhile. In no session: it is never stored."""
        return Membership(
            organization_id=real.organization_id,
            user_account_id=real.user_account_id,
            invitation_id=real.invitation_id,
            role=self.role,
            numbers=self.reader.numbers,
            may_export=self.reader.may_export,
            narrowed=self.reader.narrowing is not None,
            ends_at=real.ends_at,
            last_used_at=real.last_used_at,
            created_at=real.created_at,
        )

    def spell(self) -> dict[str, Any]:
        """As JSON holds it."""
        narrowing = self.reader.narrowing
        spans = () if narrowing is None else narrowing.spans
        return {
            "organization_id": self.organization_id,
            "role": int(self.role),
            "numbers": int(self.reader.numbers),
            "may_export": self.reader.may_export,
            "windows": None if narrowing is None else [list(each) for each in spans if isinstance(each, PartyDays)],
            "destinations": [astuple(each) for each in spans if isinstance(each, DestinationDays)],
            "words": self.words,
            "since_ms": self.since_ms,
        }


def read_looking_as(kept: Mapping[str, Any] | None, organization_id: int) -> LookingAs | None:
    """What spell() has spelt, if it is of this organization and not over. Destinations are still to be opened."""
    if kept is None or kept["organization_id"] != organization_id:
        return None
    windows = kept["windows"]
    named = [DestinationDays(*each) for each in kept.get("destinations", ())]
    narrowing = None if windows is None else Narrowing((*(PartyDays(*each) for each in windows), *named))
    reader = Reader(Numbers(kept["numbers"]), kept["may_export"], narrowing)
    found = LookingAs(organization_id, Role(kept["role"]), reader, kept["words"], kept["since_ms"])
    return None if found.is_over else found
