"""What stands beside a section of a policy: whether its promises are kept. Called by the views of the policies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webapp.policies.text import Section


@dataclass(frozen=True)
class Card:
    """One promise as templates/policies/_promise.html shows it."""

    promise: Any
    state: Any
    figures: Any
    evidence: Any


Beside = Callable[[Section], list[Card]]


def nothing_beside(_section: Section) -> list[Card]:
    """Of older versions, and as long as no promise is checked."""
    return []
