"""Who stored a plan or hours, in words, for histories."""

from collections.abc import Iterable

from webapp.organizations.who_looked import THE_OPERATOR, name_people
from webapp.tenancy.lock import LockedSession


def name_authors(session: LockedSession, ids: Iterable[int | None]) -> dict[int | None, str]:
    """By id; None is the operator."""
    wanted = set(ids)
    people = name_people(session, {each for each in wanted if each is not None})
    return {None: THE_OPERATOR.label, **{person_id: person.label for person_id, person in people.items()}}
