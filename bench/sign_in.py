"""Signing in: what a wrong password costs for an address that is known, against one that nobody has (SECURITY 11).

The same for somebody in twenty organizations, and for a forgotten password. Ratios of medians of interleaved runs:
between 0.85 and 1.15 nobody learns anything.
"""

from collections.abc import Callable, Iterator
from itertools import count

from werkzeug.test import Client

from bench.browser import BASE_URL, token_of
from bench.engines import Engine
from bench.report import Result, milliseconds
from bench.scale import Scale
from bench.timing import interleave
from webapp import create_app
from webapp.accounts.models import UserAccount
from webapp.accounts.people import create_user
from webapp.database.engine import Database
from webapp.organizations.actions import add_member, create_organization
from webapp.tenancy.models import Role
from webapp.tenancy.sessions import writing_session

_MOST_APART = 0.15
_ROUNDS = 30
_NAME = "sign-in"
_PASSWORD = "nine slow tides under the pier"
_ORGANIZATIONS = 20
_CASES = (
    ("a wrong password of an address that is known", "/sign-in", "known"),
    (f"a wrong password of somebody in {_ORGANIZATIONS} organizations", "/sign-in", "busy"),
    ("a forgotten password of an address that is known", "/forgotten-password", "known"),
)


def measure(engine: Engine, _scale: Scale) -> Iterator[Result]:
    place = engine.create(_NAME)
    try:
        database = place.open()
        with writing_session(database) as session:
            for number in range(_ROUNDS + 1):
                create_user(session, f"known-{number}@example.com", _PASSWORD)
            busy = [create_user(session, f"busy-{number}@example.com", _PASSWORD) for number in range(_ROUNDS + 1)]
            session.commit()
        _let_in_everywhere(database, busy)
        client = create_app(place.settings, database).test_client()
        for turn, (what, path, name) in enumerate(_CASES):
            known, unknown = interleave(
                _ROUNDS,
                _asking(client, path, name, f"192.0.{turn}"),
                _asking(client, path, f"unknown-{turn}", f"198.51.{turn}"),
            )
            ratio = known.wall / unknown.wall
            yield Result(
                f"{engine.name}: {what} against an address that is not known",
                milliseconds(known.wall),
                milliseconds(unknown.wall),
                1 + abs(ratio - 1),
                1 + _MOST_APART,
                note=f"known ÷ unknown {ratio:.3f}, of their processor time {known.cpu / unknown.cpu:.3f}",
            )
        database.dispose()
    finally:
        engine.drop(_NAME)


def _let_in_everywhere(database: Database, people: list[UserAccount]) -> None:
    for number in range(_ORGANIZATIONS):
        with writing_session(database) as session:
            organization = create_organization(session, f"client-{number}", f"Client {number}", "Europe/London", "GB")
            session.commit()
        with writing_session(database, organization.id) as session:
            for person in people:
                add_member(session, session.get_one(UserAccount, person.id), Role.VIEWER)
            session.commit()


def _asking(client: Client, path: str, name: str, network: str) -> Callable[[], None]:
    """Each time another address of that kind from another network: no limit is met."""
    turn = count()
    token = token_of(client.get(path, base_url=BASE_URL).text)

    def ask() -> None:
        number = next(turn)
        form = {"csrf_token": token, "email": f"{name}-{number}@example.com", "password": "not this one, surely"}
        answer = client.post(path, base_url=BASE_URL, data=form, environ_base={"REMOTE_ADDR": f"{network}.{number}"})
        if answer.status_code not in (303, 422):
            raise RuntimeError(f"{path} answered {answer.status_code}")

    return ask
