"""Finds the places of numbers that are new, in the background.

Looked for every hour, for whoever has numbers that nobody asked about: a place is worth no wait of an import.
"""

import subprocess  # nosec B404 - for one program of our own
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select, update

from webapp.database.engine import Database
from webapp.destinations.models import Party, PartyKind
from webapp.jobs.handlers import Work, register, register_chore
from webapp.jobs.queue import enqueue, list_open_jobs
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session, writing_session

FIND_PLACES = "destinations.find_places"
_AT_ONCE = 200  #: numbers: as many as are named and stored in a few hundredths of a second
_PROGRAM = Path(__file__).with_name("place_names.py")


def register_jobs() -> None:
    register(FIND_PLACES, find_places)
    register_chore("destinations.ask_places", ask_places)


def ask_places(database: Database) -> None:
    """For every organization that has a number whose place nobody asked for."""
    with reading_session(database) as session:
        organization_ids = session.scalars(select(Organization.id)).all()
    for organization_id in organization_ids:
        with reading_session(database, organization_id) as session:
            found = _list_unasked(session, after_id=0, most=1)
        if found:
            with writing_session(database, organization_id) as session:
                if not list_open_jobs(session, FIND_PLACES, organization_id):
                    enqueue(session, FIND_PLACES, {}, organization_id)
                session.commit()


def find_places(work: Work) -> None:
    """Name the place of each outside number that has none yet, "" where there is none to name."""
    assert work.organization_id is not None
    with reading_session(work.database, work.organization_id) as session:
        some = _list_unasked(session, after_id=0, most=_AT_ONCE)
    if not some:
        return
    with _place_names() as child:
        while some and work.keep():
            places = _ask(child, [e164 for _, e164 in some])
            with writing_session(work.database, work.organization_id) as session:
                _store(session, {id_: place for (id_, _), place in zip(some, places, strict=True)})
                session.commit()
            with reading_session(work.database, work.organization_id) as session:
                some = _list_unasked(session, after_id=some[-1][0], most=_AT_ONCE)


def _list_unasked(session: LockedSession, after_id: int, most: int) -> list[tuple[int, str]]:
    rows = session.execute(
        select(Party.id, Party.e164)
        .where(Party.kind == PartyKind.OUTSIDE, Party.place.is_(None), Party.id > after_id)
        .order_by(Party.id)
        .limit(most)
    )
    return [(id_, e164 or "") for id_, e164 in rows]


def _store(session: LockedSession, places: dict[int, str]) -> None:
    by_place: dict[str, list[int]] = {}
    for id_, place in places.items():
        by_place.setdefault(place, []).append(id_)
    for place, ids in by_place.items():
        session.execute(
            update(Party).where(Party.id.in_(ids)).values(place=place), execution_options={"synchronize_session": False}
        )


@contextmanager
def _place_names() -> Iterator["subprocess.Popen[str]"]:
    """The child; it ends with its input. What it may say of an error is thrown away: it could hold a number."""
    command = [sys.executable, "-I", str(_PROGRAM)]
    with subprocess.Popen(  # noqa: S603 # nosec B603 - our own program by our own interpreter
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8"
    ) as child:
        yield child


def _ask(child: "subprocess.Popen[str]", numbers: Sequence[str]) -> list[str]:
    """Places in the order of the numbers. Raises RuntimeError when the child is gone."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write("".join(f"{number}\n" for number in numbers))
        child.stdin.flush()
    except BrokenPipeError:
        raise RuntimeError("the program that names places has ended") from None
    places = [child.stdout.readline() for _ in numbers]
    if not all(places):
        raise RuntimeError("the program that names places has ended")
    return [place.rstrip("\n") for place in places]
