"""Who stored a plan or hours, or changed a destination, in words that stand within a sentence."""

from collections.abc import Iterable

from webapp.organizations.who_looked import name_people
from webapp.tenancy.lock import LockedSession

_OPERATOR = "the operator"


def name_authors(session: LockedSession, ids: Iterable[int | None]) -> dict[int | None, str]:
    """By id; None is the operator."""
    wanted = set(ids)
    people = name_people(session, {each for each in wanted if each is not None})
    return {None: _OPERATOR, **{person_id: person.label for person_id, person in people.items()}}
