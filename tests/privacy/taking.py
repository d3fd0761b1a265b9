"""A takeout made and opened, for tests."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from config import Settings
from webapp.database.engine import Database
from webapp.jobs.worker import Worker
from webapp.privacy.models import Takeout, TakeoutChunk
from webapp.privacy.takeout_jobs import register_jobs
from webapp.privacy.takeouts import ask_for_takeout
from webapp.tenancy.sessions import reading_session, writing_session


def ask(database: Database, organization_id: int, owner_id: int) -> int:
    with writing_session(database, organization_id) as session:
        takeout = ask_for_takeout(session, owner_id)
        session.commit()
    return takeout.id


def work(database: Database, settings: Settings) -> None:
    register_jobs()
    Worker(database, settings).run_due()


def row_of(database: Database, organization_id: int, takeout_id: int) -> Takeout:
    with reading_session(database, organization_id) as session:
        return session.get_one(Takeout, (organization_id, takeout_id))


def chunks_of(database: Database, organization_id: int, takeout_id: int) -> list[bytes]:
    with reading_session(database, organization_id) as session:
        query = select(TakeoutChunk.content).where(TakeoutChunk.takeout_id == takeout_id)
        return [bytes(each) for each in session.scalars(query.order_by(TakeoutChunk.position))]


def take_out(database: Database, settings: Settings, organization_id: int, owner_id: int) -> "Taken":
    """Ask for one, have it made, open it."""
    takeout_id = ask(database, organization_id, owner_id)
    work(database, settings)
    return Taken(b"".join(chunks_of(database, organization_id, takeout_id)))


class Taken:
    """The archive. `files`: what is in it, by name."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            self.files = {name: archive.read(name) for name in archive.namelist()}

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files["manifest.json"])
        return found

    def csv(self, name: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.files[f"{name}.csv"].decode("utf-8-sig"), newline="")))

    def json(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[f"{name}.jsonl"].decode().splitlines()]

    def names_with(self, text: str, which: Callable[[str], bool] = bool) -> list[str]:
        return [name for name, content in self.files.items() if which(name) and text.encode() in content]
