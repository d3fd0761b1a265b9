"""What one person may see of numbers and calls, taken once from their membership and passed down from the view.

Made by tenancy/request.py: current_reader(), and by the export for each chunk. Knows no Flask and no database.
"""

from dataclasses import dataclass

from webapp.tenancy.models import Membership, Numbers
from webapp.tenancy.narrowing import Narrowing, covers

_MORE_DIGITS = {Numbers.MASKED: 0, Numbers.SHOWN_ONE_BY_ONE: 1, Numbers.FULL: 2}


@dataclass(frozen=True)
class Reader:
    """`numbers`: how outside numbers show; `narrowing`: None for somebody who sees every call."""

    numbers: Numbers = Numbers.FULL
    may_export: bool = True
    narrowing: Narrowing | None = None

    @property
    def is_masked(self) -> bool:
        return self.numbers != Numbers.FULL

    @property
    def may_show_numbers(self) -> bool:
        """Whether single numbers can be shown, which is noted in "Who looked"."""
        return self.numbers == Numbers.SHOWN_ONE_BY_ONE

    @property
    def sees_raw(self) -> bool:
        """Whether what phone systems wrote shows as it was written: it names numbers and colleagues."""
        return not self.is_masked and self.narrowing is None

    def covers(self, other: "Reader") -> bool:
        """Whether the other sees nothing that this one does not: nobody gives more than they have."""
        more_digits = _MORE_DIGITS[other.numbers] > _MORE_DIGITS[self.numbers]
        more_files = other.may_export and not self.may_export
        return not more_digits and not more_files and covers(self.narrowing, other.narrowing)

    @property
    def why_not_raw(self) -> str:
        """Why not, for the page: goes on after a colon."""
        reasons = []
        if self.narrowing is not None:
            reasons.append("you see only some of the calls")
        if self.is_masked:
            reasons.append("the last digits of outside numbers are dots for you")
        return ", and ".join(reasons)


#: Of commands and jobs, and of everybody who is neither masked nor narrowed.
SEES_ALL = Reader()


def reader_of(membership: Membership, narrowing: Narrowing | None) -> Reader:
    return Reader(membership.numbers, membership.may_export, narrowing)
