"""A significant change told to ten thousand people, while workers are killed: every mail arrives, few arrive twice."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import select

from bench.engines import ROOT, Engine, Place
from bench.report import Result
from bench.scale import Scale
from bench.timing import Watch
from tests.outbox.conftest import Relay, running
from tests.policies.many_people import add_people
from tests.policies.workers import KILLED, Workers, running_workers
from webapp.database.engine import Database
from webapp.organizations.actions import create_organization
from webapp.outbox.models import OutboxMessage
from webapp.policies.models import AnnouncementPerson, Policy
from webapp.policies.publishing import Change, Publisher, publish
from webapp.policies.values import load_values
from webapp.policies.versions import draft_of
from webapp.tenancy.sessions import reading_session, writing_session

_MEMBERS = 100  #: of each organization
_OPERATOR = Publisher(None, "The operator", "bench")


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    name = f"{engine.name.lower()}-notices"
    place = engine.create(name)
    database = place.open()
    people = _fill(database, scale.told)
    _announce(place, database)
    engine.settle(name)
    relay = Relay()
    with running(relay), running_workers(place.settings.database_url, f"smtp://127.0.0.1:{relay.port}") as workers:
        with Watch() as telling:
            killed = _run(workers, "tell", scale.kills // 2, scale.told // 1000)
        with Watch() as sending:
            killed += _run(workers, "send", scale.kills // 2, scale.told // 20)
    yield from _judge(
        engine, database, relay, people, killed, f"told in {telling.wall:.0f} s, sent in {sending.wall:.0f} s"
    )
    database.dispose()
    engine.drop(name)


def _fill(database: Database, count: int) -> set[int]:
    people: set[int] = set()
    for number in range(count // _MEMBERS):
        with writing_session(database) as session:
            organization = create_organization(session, f"firm-{number}", f"Firm {number}", "Europe/London", "GB")
            session.commit()
        people |= set(add_people(database, organization, _MEMBERS, f"person-{number}-"))
    return people


def _announce(place: Place, database: Database) -> None:
    """The first version, and a significant change of it."""
    settings = replace(place.settings, policy_file=ROOT / "demo" / "policy.toml")
    values = load_values(settings)
    with writing_session(database) as session:
        for law, significant in (("Germany", False), ("France", True)):
            draft = draft_of(session, settings, replace(values, law=law), Policy.PRIVACY)
            change = Change("Another law applies from then on.", significant)
            publish(session, draft, change, _OPERATOR, values.notice_days)
        session.commit()


def _run(workers: Workers, what: str, kills: int, furthest: int) -> int:
    """To the end, with so many workers killed on the way, each within its first `furthest` batches or mails."""
    chosen, killed = random.Random(1), 0
    for turn in range(kills):
        killed += workers.run(what, die_at=chosen.randint(1, max(1, furthest)), half=bool(turn % 2)) == KILLED
    if workers.run(what) != 0:
        raise RuntimeError(f"the last worker failed to {what}")
    return killed


def _judge(
    engine: Engine, database: Database, relay: Relay, people: set[int], killed: int, note: str
) -> Iterator[Result]:
    with reading_session(database) as session:
        told = session.scalars(select(AnnouncementPerson.user_account_id)).all()
        queued = set(session.scalars(select(OutboxMessage.message_id)))
    arrived = Counter(str(mail["Message-ID"]) for mail in relay.mails)
    once = len(set(told) & people) if len(told) == len(set(told)) else 0
    what = f"{engine.name}: a notice to {len(people):,} people, {killed} workers killed"
    count = f"{len(people):,}"
    yield Result(f"{what}: told, each once", f"{once:,}", count, once / len(people), 1.0, at_least=True, note=note)
    came = len(queued & set(arrived))
    yield Result(f"{what}: Message-IDs that arrived", f"{came:,}", count, came / len(people), 1.0, at_least=True)
    repeats = sum(arrived.values()) - len(arrived)
    yield Result(f"{what}: mails that came twice", f"{repeats}", f"{killed}", repeats / max(killed, 1), 1.0)
