"""Places of numbers: found after an import by a program of its own, so that no serving process has its tables."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from flask import Flask
from sqlalchemy import select

from tests.cast import Cast
from tests.make import Make
from webapp.database.engine import Database
from webapp.destinations import jobs
from webapp.destinations.jobs import FIND_PLACES, ask_places, find_places
from webapp.destinations.models import Party
from webapp.jobs.handlers import kinds
from webapp.jobs.models import Job

#: Numbers in real use by nobody we know; only their first digits matter to the geocoder.
TYNE, LONDON, NEW_YORK, MOBILE, FICTION = (
    "+441912000000",
    "+442079460123",
    "+12125550123",
    "+447400123456",
    "+441632960123",
)


class Doing(NamedTuple):
    """A job at work; `keep` says for how many turns."""

    database: Database
    organization_id: int
    settings: Any = None
    attempts: int = 1
    keep: Callable[[], bool] = lambda: True

    @property
    def payload(self) -> dict[str, Any]:
        return {}


def places(make: Make) -> dict[str, str | None]:
    with make.session() as session:
        return {party.digits: party.place for party in session.scalars(select(Party))}


def test_places_are_named_and_what_has_none_is_not_asked_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (TYNE, LONDON, NEW_YORK, MOBILE, FICTION):
        make.party(number)
    make.party("201")
    find_places(Doing(make.database, make.organization.id))
    assert places(make) == {
        TYNE[1:]: "Tyneside",
        LONDON[1:]: "London",
        NEW_YORK[1:]: "New York, NY",
        MOBILE[1:]: "",
        FICTION[1:]: "",
        "201": None,
    }
    monkeypatch.setattr(jobs, "_PROGRAM", jobs._PROGRAM.with_name("nowhere.py"))
    find_places(Doing(make.database, make.organization.id))  # nothing is left to ask


def test_in_small_steps_between_which_it_can_be_stopped(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_AT_ONCE", 2)
    for turn in range(5):
        make.party(f"+44207946000{turn}")
    turns = iter([True, False])
    find_places(Doing(make.database, make.organization.id, keep=lambda: next(turns)))
    assert sorted(places(make).values(), key=str) == ["London"] * 2 + [None] * 3
    find_places(Doing(make.database, make.organization.id))
    assert set(places(make).values()) == {"London"}


def test_a_program_that_breaks_says_no_number(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make.party(LONDON)
    monkeypatch.setattr(jobs, "_PROGRAM", jobs._PROGRAM.with_name("nowhere.py"))
    with pytest.raises(RuntimeError, match="the program that names places has ended") as error:
        find_places(Doing(make.database, make.organization.id))
    assert "44" not in str(error.value) and error.value.__cause__ is None
    assert places(make) == {LONDON[1:]: None}


def test_every_hour_whoever_has_numbers_left_gets_a_job_and_only_one(app: Flask, make: Make, cast: Cast) -> None:
    assert FIND_PLACES in kinds()
    make.party(LONDON)
    make.at(cast.quayside).party("201", make.at(cast.quayside).pbx())
    for _ in range(2):
        ask_places(make.database)
    with make.session() as session:
        waiting = session.scalars(select(Job).where(Job.kind == FIND_PLACES)).all()
        assert [job.organization_id for job in waiting] == [cast.harbour.id]


def test_no_serving_process_has_the_geocoder() -> None:
    code = "import sys, webapp; sys.exit('phonenumbers.geocoder' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
