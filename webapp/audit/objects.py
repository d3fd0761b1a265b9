"""Where the things lie that audit events are about. Features register theirs when their views are loaded.

Read by "Who looked", which leads to what is still there; nothing here knows a feature.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from webapp.tenancy.lock import LockedSession

Find = Callable[[LockedSession, Collection[int]], Collection[int]]


@dataclass(frozen=True)
class ObjectPage:
    """The page of one kind of thing: its endpoint, which takes the id as `argument`."""

    endpoint: str
    argument: str
    find_existing: Find


_pages: dict[str, ObjectPage] = {}


def register_object(about: str, endpoint: str, argument: str, find_existing: Find) -> None:
    """Let events whose kind says `about` lead to this page. `find_existing` gives those of some ids that exist."""
    _pages[about] = ObjectPage(endpoint, argument, find_existing)


def find_pages(session: LockedSession, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], ObjectPage]:
    """The pages of things that still exist, by (about, id)."""
    ids: dict[str, set[int]] = {}
    for about, object_id in wanted:
        if about in _pages:
            ids.setdefault(about, set()).add(object_id)
    return {
        (about, object_id): _pages[about]
        for about, some in ids.items()
        for object_id in _pages[about].find_existing(session, some)
    }
