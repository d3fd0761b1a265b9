"""The databases that pages are measured on: one large organization beside many small ones, filled by real imports.

Kept under build/bench between runs (SQLite), until the code that makes them changes or they are a week old.
"""

import hashlib
import time
from pathlib import Path

from sqlalchemy import func, select

from bench.call_files import Callers, Files, today, write_calls
from bench.engines import FOLDER, ROOT, Engine, Place, tell
from bench.scale import Scale
from demo import firm
from webapp.accounts.people import create_user
from webapp.calls.models import CallDay, ImportFile, ImportState, Pbx
from webapp.database.engine import Database
from webapp.database.installation import number_key
from webapp.ingest.importer import run_import
from webapp.jobs.stored_files import open_stored_file, store_stream
from webapp.organizations.actions import add_member, create_organization
from webapp.sources import imports
from webapp.sources.actions import Answers, add_pbx, answer_questions
from webapp.tenancy.models import Organization, Role
from webapp.tenancy.sessions import reading_session, writing_session

SLUG = "bench"
EMAIL, PASSWORD = "bea@example.com", "nine slow tides under the pier"
FORMAT = "asterisk_cdr_csv"
MAIN, BRANCH, OLD = "Head office", "Branch", "Old exchange"
_SHARES = (0.8, 0.19, 0.01)
_LANES = 16
_KEPT_SECONDS = 7 * 86_400
_MADE = "made"  #: a file whose age is that of the calls: pages show the last 30 days
_MADE_BY = ("schema.sql", "bench/data.py", "bench/call_files.py", "demo/day_plan.py")


def stocked(engine: Engine, scale: Scale, calls: int) -> Place:
    """A database with so many calls in the organization SLUG; of two sizes the smaller is a part of the larger."""
    name = f"{engine.name.lower()}-{calls}-{fingerprint(scale)}"
    known = engine.find(name)
    if known is not None and _is_fresh(known):
        return known
    tell(f"{engine.name}: making {calls:,} calls beside {scale.other_organizations} organizations")
    others = _others(engine, scale)
    draft = f"{name}-draft" if engine.keeps else name
    place = engine.create(draft, others)
    _fill(place, scale, calls)
    engine.settle(draft)
    if engine.keeps:
        for old in FOLDER.glob(f"{engine.name.lower()}-{calls}-*"):
            if old.name != draft:
                engine.drop(old.name)
        (place.data_dir / _MADE).touch()
        place.data_dir.rename(FOLDER / name)
    found = engine.find(name)
    assert found is not None
    return found


def organization(database: Database, slug: str = SLUG) -> Organization:
    with reading_session(database) as session:
        return session.scalars(select(Organization).where(Organization.slug == slug)).one()


def count_calls(database: Database, organization_id: int) -> int:
    with reading_session(database, organization_id) as session:
        return int(session.scalar(select(func.sum(CallDay.calls))) or 0)


def fingerprint(scale: Scale) -> str:
    digest = hashlib.sha256(repr(scale).encode())
    for path in _MADE_BY:
        digest.update((ROOT / path).read_bytes())
    return digest.hexdigest()[:10]


def _is_fresh(place: Place) -> bool:
    made = place.data_dir / _MADE
    return not made.exists() or time.time() - made.stat().st_mtime < _KEPT_SECONDS


# ------------------------------------------------------------------------------------------- what a database is made of


def _others(engine: Engine, scale: Scale) -> str:
    """The small organizations, made once; half of them have smaller ids than the large one, which is still empty."""
    name = f"{engine.name.lower()}-others-{fingerprint(scale)}"
    if engine.find(name) is None:
        place = engine.create(f"{name}-draft" if engine.keeps else name)
        _make_others(place, scale)
        if engine.keeps:
            place.data_dir.rename(FOLDER / name)
        tell(f"{engine.name}: {scale.other_organizations} small organizations made")
    return name


def _make_others(place: Place, scale: Scale) -> None:
    database = place.open()
    path = FOLDER / "other-calls.csv"
    files = Files([path], Callers(scale.parties), lanes=1)
    write_calls(files, today(), calls=scale.calls_of_others)
    for turn in range(scale.other_organizations):
        if turn == scale.other_organizations // 2:
            new_organization(database, SLUG, "Bench Ltd", EMAIL)
        organization_id = new_organization(database, f"other-{turn}", f"Other {turn} Ltd")
        import_path(place, database, organization_id, new_pbx(database, organization_id, MAIN), path)
    path.unlink()
    database.dispose()


def _fill(place: Place, scale: Scale, calls: int) -> None:
    database = place.open()
    organization_id = organization(database).id
    paths = [FOLDER / f"{name.lower().replace(' ', '-')}-{calls}.csv" for name in (MAIN, BRANCH, OLD)]
    every = max(1, scale.calls // calls)
    files = Files(paths, Callers(scale.parties), _LANES, every, _SHARES)
    write_calls(files, today(), calls=calls)
    for name, path in zip((MAIN, BRANCH, OLD), paths, strict=True):
        pbx_id = new_pbx(database, organization_id, name, answered=name != OLD)
        import_path(place, database, organization_id, pbx_id, path)
        path.unlink()
    tell(f"{count_calls(database, organization_id):,} calls made")
    database.dispose()


def new_organization(database: Database, slug: str, name: str, email: str = "") -> int:
    """Its id. With an address, a person of it who can sign in."""
    with writing_session(database) as session:
        made = create_organization(session, slug, name, firm.TIME_ZONE, firm.REGION)
        session.bind_organization(made.id)
        if email:
            add_member(session, create_user(session, email, PASSWORD), Role.OWNER)
        session.commit()
        return made.id


def new_pbx(database: Database, organization_id: int, name: str, *, answered: bool = True) -> int:
    """Its id. Unless `answered`, nobody has told which lines lead outside."""
    with writing_session(database, organization_id) as session:
        pbx = add_pbx(session, name, firm.TIME_ZONE, firm.REGION, FORMAT, actor_id=None)
        if answered:
            outside = frozenset(firm.OUTSIDE_LINES[firm.HEAD_OFFICE])
            digits = str(firm.EXTENSION_DIGITS)
            answers = Answers(outside, digits, "", firm.REGION, firm.AREA_CODE, firm.TIME_ZONE)
            answer_questions(session, pbx, answers, actor_id=None)
        session.commit()
        return pbx.id


def receive(database: Database, organization_id: int, pbx_id: int, path: Path) -> int:
    """Hand in a file as an upload does, ready to be imported: the id of its import."""
    with path.open("rb") as stream:
        stored_file_id = store_stream(database, organization_id, stream)
    with open_stored_file(database, organization_id, stored_file_id) as stored:
        recognised = imports.recognise_stream(stored)
    with writing_session(database, organization_id) as session:
        pbx = session.get_one(Pbx, (organization_id, pbx_id))
        file = imports.receive_file(session, pbx, stored_file_id, path.name, recognised, None)
        file.format, file.state = FORMAT, ImportState.QUEUED
        session.commit()
        return file.id


def import_path(place: Place, database: Database, organization_id: int, pbx_id: int, path: Path) -> None:
    """Import a file to its end."""
    file_id = receive(database, organization_id, pbx_id, path)
    run_import(database, number_key(place.settings), organization_id, file_id)
    check_done(database, organization_id, file_id)


def check_done(database: Database, organization_id: int, file_id: int) -> ImportFile:
    with reading_session(database, organization_id) as session:
        file = session.get_one(ImportFile, (organization_id, file_id))
    if file.state is not ImportState.DONE or file.refused_count or not file.stored_count:
        raise RuntimeError(f"the import ended as {file.state.name}, {file.stored_count} stored: {file.error}")
    return file
