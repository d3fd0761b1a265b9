"""Every filter and search of the call log, and the rows that follow: the first answer against 100 ms."""

import itertools
from collections.abc import Iterable, Iterator

from sqlalchemy import func, select

from bench.browse import LOG
from bench.browser import Browser, follow
from bench.data import EMAIL, MAIN, OLD, PASSWORD, organization, stocked
from bench.engines import Engine
from bench.report import Result, in_time, milliseconds
from bench.scale import Scale
from bench.timing import interleave
from webapp import create_app
from webapp.accounts.people import create_user
from webapp.accounts.queries import find_person
from webapp.calls.models import PartyTotal, Pbx
from webapp.calls.searches import SearchWords, keep_words
from webapp.clock import from_ms
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.destinations.models import Party, PartyKind
from webapp.organizations.actions import add_member
from webapp.tenancy.models import MembershipParty, Numbers, Role
from webapp.tenancy.sessions import reading_session, writing_session

MOST_SECONDS = 0.1
NARROWED_EMAIL = "nell@example.com"
_FOLLOWED = 4
_RUNS_AT_MOST = 7


def measure(engine: Engine, scale: Scale) -> Iterator[Result]:
    """One line a filter: the slowest of the whole page and of the parts that follow it, each by its median."""
    place = stocked(engine, scale, scale.calls)
    database = place.open()
    app = create_app(place.settings, database)
    yield from _measure(engine, scale, Browser(app, database), _filters(database))
    yield from _measure(engine, scale, Browser(app, database, narrow_somebody(database)), _of_narrowed(database))
    database.dispose()


def _measure(engine: Engine, scale: Scale, browser: Browser, filters: Iterable[tuple[str, str]]) -> Iterator[Result]:
    for name, query in filters:
        path = f"{LOG}?{query}"
        parts = list(follow(browser, path, _FOLLOWED))
        runs = interleave(
            min(scale.rounds, _RUNS_AT_MOST), browser.run(path), *(browser.run(part, part=True) for part in parts)
        )
        slowest = max(runs, key=lambda run: run.wall)
        rows = browser.get(path).rows
        note = (
            f"CPU {milliseconds(slowest.cpu)}, first {milliseconds(runs[0].wall)}, "
            f"worst {milliseconds(slowest.worst)}, {rows} rows, {len(parts)} on"
        )
        yield in_time(f"{engine.name}: {name}", slowest.wall, MOST_SECONDS, note)


def _of_narrowed(database: Database) -> Iterator[tuple[str, str]]:
    """What a reader of two extensions asks for, the busiest of all among them."""
    organization_id = organization(database).id
    with reading_session(database, organization_id) as session:
        outside = select(Party).where(Party.kind == PartyKind.OUTSIDE, Party.name != "").order_by(Party.id).limit(1)
        someone = session.scalars(outside).one()
    [key] = _keep(database, organization_id, [SearchWords(search=someone.name)], NARROWED_EMAIL)
    yield "narrowed, 30 days", ""
    yield "narrowed, all", "period=all"
    yield "narrowed, all, oldest first", "period=all&order=oldest"
    yield "narrowed, missed", "period=all&outcome=missed"
    yield "narrowed, talked at least 44 minutes", "period=all&talk_min=2650"
    yield "narrowed, one outside party", f"period=all&party={spell_id(someone.id)}"
    yield "narrowed, search a whole name", f"period=all&search={key}"


def narrow_somebody(database: Database) -> str:
    """The address of a reader who sees the two busiest extensions, with masked numbers; made in the first run."""
    calls = func.sum(PartyTotal.calls)
    extensions = select(Party.id).join(PartyTotal, PartyTotal.party_id == Party.id).group_by(Party.id)
    with writing_session(database, organization(database).id) as session:
        if find_person(session, NARROWED_EMAIL) is None:
            person = create_user(session, NARROWED_EMAIL, PASSWORD)
            membership = add_member(session, person, Role.VIEWER)
            membership.narrowed, membership.numbers = True, Numbers.MASKED
            session.flush()
            busiest = extensions.where(Party.kind == PartyKind.EXTENSION).order_by(calls.desc()).limit(2)
            for party_id in session.scalars(busiest):
                key = {"user_account_id": person.id, "party_id": party_id}
                session.add(MembershipParty(**key, from_at=from_ms(0), until_at=None))
            session.commit()
    return NARROWED_EMAIL


def _filters(database: Database) -> Iterator[tuple[str, str]]:
    """What to ask for: a name and the query of the address."""
    organization_id = organization(database).id
    yield from _plain(database, organization_id)
    yield from _of_parties(database, organization_id)
    yield from _of_words(database, organization_id)


def _plain(database: Database, organization_id: int) -> Iterator[tuple[str, str]]:
    with reading_session(database, organization_id) as session:
        pbxes = {pbx.name: spell_id(pbx.id) for pbx in session.scalars(select(Pbx))}
    for direction in ("inbound", "outbound", "internal", "unknown"):
        yield f"direction {direction}", f"period=all&direction={direction}"
    for outcome in ("missed", "answered", "voicemail", "no_answer", "busy", "cancelled", "failed", "unknown"):
        yield f"outcome {outcome}", f"period=all&outcome={outcome}"
    yield "outbound and failed, oldest first", "period=all&direction=outbound&outcome=failed&order=oldest"
    yield "rare phone system", f"period=all&pbx={pbxes[OLD]}"
    yield "busy phone system, missed", f"period=all&pbx={pbxes[MAIN]}&outcome=missed"
    yield "talked at least a minute", "period=all&talk_min=60"
    yield "talked at least 44 minutes (rare)", "period=all&talk_min=2650"
    yield "talked at least 2 hours (none)", "period=all&talk_min=7200"
    yield "inbound, talked at least 44 minutes, 90 days", "period=90d&direction=inbound&talk_min=2650"


def _of_parties(database: Database, organization_id: int) -> Iterator[tuple[str, str]]:
    """The busiest party, an outside number with the fewest calls, and one in the middle."""
    calls = func.sum(PartyTotal.calls)
    by_calls = select(PartyTotal.party_id).group_by(PartyTotal.party_id)
    outside = by_calls.join(Party, Party.id == PartyTotal.party_id).where(Party.kind == PartyKind.OUTSIDE)
    with reading_session(database, organization_id) as session:
        busy = session.scalars(by_calls.order_by(calls.desc()).limit(1)).one()
        busy_outside = session.scalars(outside.order_by(calls.desc()).limit(1)).one()
        rare = session.scalars(outside.order_by(calls).limit(1)).one()
    yield "busiest party", f"period=all&party={spell_id(busy)}"
    yield "busiest outside party", f"period=all&party={spell_id(busy_outside)}"
    yield "rarest party", f"period=all&party={spell_id(rare)}"
    yield "busiest party, failed", f"period=all&party={spell_id(busy)}&outcome=failed"
    yield "busiest party, talked at least 44 minutes", f"period=all&party={spell_id(busy)}&talk_min=2650"
    yield "rarest party, 30 days", f"party={spell_id(rare)}"


def _of_words(database: Database, organization_id: int) -> Iterator[tuple[str, str]]:
    with reading_session(database, organization_id) as session:
        named = select(Party).where(Party.name != "", Party.kind == PartyKind.OUTSIDE).order_by(Party.id).limit(1)
        someone = session.scalars(named).one()
    digits = someone.digits
    typed = (
        ("a whole name", SearchWords(search=someone.name)),
        ("a piece of many names", SearchWords(search="granite")),
        ("a letter that nearly all names have", SearchWords(search="a")),
        ("a whole number", SearchWords(search=f"+{digits}")),
        ("a piece of many numbers", SearchWords(search="794 60")),
        ("the beginning of a number", SearchWords(search="+44 20")),
        ("the last digits of some numbers", SearchWords(search=digits[-4:])),
        ("an extension", SearchWords(search="201")),
        ("a caller and who was reached", SearchWords(caller=someone.name, callee="201")),
        ("digits of most numbers, as caller", SearchWords(caller="0163")),
        ("many callers who reached one extension", SearchWords(caller="794 60", callee="212")),
        ("words that nobody has", SearchWords(search="zebra crossing")),
        ("digits that no number has", SearchWords(search="99999 99999")),
    )
    keys = _keep(database, organization_id, [words for _, words in typed])
    for (name, _), key in zip(typed, keys, strict=True):
        yield f"search {name}", f"period=all&search={key}"
    combinations = itertools.cycle(("direction=inbound&outcome=missed", "talk_min=2650", "outcome=failed"))
    for (name, _), key, more in zip(typed[1:8], keys[1:8], combinations, strict=False):
        yield f"search {name}, {more}", f"period=all&search={key}&{more}"


def _keep(database: Database, organization_id: int, typed: list[SearchWords], email: str = EMAIL) -> list[str]:
    """Put the words where the form puts them; the keys as they stand in addresses."""
    with writing_session(database, organization_id) as session:
        person = find_person(session, email)
        assert person is not None
        keys = [spell_id(keep_words(session, person.id, words)) for words in typed]
        session.commit()
    return keys
