"""What the tests of phone systems and imports share: files as Asterisk writes them, handing them in, doing the work."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from config import Settings
from tests.client import PageCheckingClient
from tests.make import Make
from tests.sources.delivering import Delivering, token_of
from webapp.calls.models import Call, ImportFile, Pbx
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.jobs.worker import Worker
from webapp.tenancy.sessions import reading_session

HARBOUR = "/o/harbour"
MISSING = spell_id(12345)
START = datetime(2026, 3, 2, 9, 0)  # noqa: DTZ001 - local time, as Asterisk writes it


def asterisk_row(number: int, *, start: datetime | None = None, unique: str = "") -> str:
    """One line of Master.csv: an outside call to extension 201, 30 s long; a minute after the one before."""
    begin = start or START + timedelta(minutes=number)
    unique = unique or f"{1772442000 + number}.{number}"
    answer, end = begin + timedelta(seconds=5), begin + timedelta(seconds=35)
    return (
        f'"","0207946{number % 1000:04d}","201","from-trunk","""Caller"" <0207946{number % 1000:04d}>",'
        f'"PJSIP/provider-{number:08x}","PJSIP/201-{number:08x}","Dial","PJSIP/201,30",'
        f'"{begin}","{answer}","{end}",35,30,"ANSWERED","DOCUMENTATION","{unique}",""\n'
    )


def asterisk_file(count: int, first: int = 0) -> bytes:
    return "".join(asterisk_row(number) for number in range(first, first + count)).encode()


@dataclass
class HandsIn:
    """A signed-in browser that hands in files and follows them."""

    client: PageCheckingClient
    database: Database
    settings: Settings
    organization_id: int

    def upload(self, pbx: Pbx, content: bytes, name: str = "Master.csv", *, part: bool = False) -> TestResponse:
        return self.client.send(
            f"{HARBOUR}/phone-systems/{spell_id(pbx.id)}/imports",
            {"file": (io.BytesIO(content), name)},
            content_type="multipart/form-data",
            part=part,
        )

    def receive(self, pbx: Pbx, content: bytes, name: str = "Master.csv") -> str:
        """Hand in; gives the address of the import page."""
        answer = self.upload(pbx, content, name)
        assert answer.status_code == 303, answer.text
        return str(answer.location)

    def take_in(self, pbx: Pbx, content: bytes, name: str = "Master.csv") -> str:
        """Hand in, import, and do the work."""
        address = self.receive(pbx, content, name)
        assert self.client.send(f"{address}/start").status_code == 303
        self.work()
        return address

    def work(self) -> int:
        return Worker(self.database, self.settings).run_due()

    def files(self) -> list[ImportFile]:
        with reading_session(self.database, self.organization_id) as session:
            return list(session.query(ImportFile).order_by(ImportFile.id))

    def calls(self) -> list[Call]:
        with reading_session(self.database, self.organization_id) as session:
            return list(session.query(Call).order_by(Call.started_at))


@pytest.fixture
def hands_in(
    client: PageCheckingClient, database: Database, settings: Settings, make: Make
) -> Callable[[object], HandsIn]:
    """`hands_in(cast.max)`: that person, signed in."""

    def sign_in(person: object) -> HandsIn:
        client.sign_in(person)  # type: ignore[arg-type]
        return HandsIn(client, database, settings, make.organization.id)

    return sign_in


@pytest.fixture
def delivering(app: Flask, database: Database, make: Make) -> Delivering:
    """A phone system with a token, that sends its records."""
    pbx = make.pbx()
    return Delivering(app, database, pbx, token_of(database, pbx))
