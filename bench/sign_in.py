"""Signing in: what a wrong password costs for an address that is known, against one that nobody has (SECURITY 11).

The same for a forgotten password. Ratios of medians of interleaved runs: between 0.85 and 1.15 nobody learns anything.
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
from webapp.accounts.people import create_user
from webapp.tenancy.sessions import writing_session

_MOST_APART = 0.15
_ROUNDS = 30
_NAME = "sign-in"


def measure(engine: Engine, _scale: Scale) -> Iterator[Result]:
    place = engine.create(_NAME)
    try:
        database = place.open()
        with writing_session(database) as session:
            for number in range(_ROUNDS + 1):
                create_user(session, f"known-{number}@example.com", "nine slow tides under the pier")
            session.commit()
        client = create_app(place.settings, database).test_client()
        for what, path in (("a wrong password", "/sign-in"), ("a forgotten password", "/forgotten-password")):
            known, unknown = interleave(
                _ROUNDS, _asking(client, path, "known", "192.0.2"), _asking(client, path, "unknown", "198.51.100")
            )
            ratio = known.wall / unknown.wall
            yield Result(
                f"{engine.name}: {what}, an address that is known against one that is not",
                milliseconds(known.wall),
                milliseconds(unknown.wall),
                1 + abs(ratio - 1),
                1 + _MOST_APART,
                note=f"known ÷ unknown {ratio:.3f}, of their processor time {known.cpu / unknown.cpu:.3f}",
            )
        database.dispose()
    finally:
        engine.drop(_NAME)


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
