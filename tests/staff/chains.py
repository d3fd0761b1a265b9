"""What the tests of the console read of chains, jobs and archives."""

import io
import json
import re
from typing import Any
from zipfile import ZipFile

from sqlalchemy import select

from tests.client import PageCheckingClient
from webapp.audit.kinds import tell
from webapp.audit.models import AuditDetail, AuditEvent, AuditHead
from webapp.database.engine import Database
from webapp.database.ids import read_id, spell_id
from webapp.sealed import open_sealed, read_key
from webapp.tenancy.consent_models import Disclosure, DisclosureChunk
from webapp.tenancy.sessions import reading_session

SERVICE = 0


def sentences(database: Database, organization_id: int, prefix: str = "") -> list[str]:
    """What a chain tells, the oldest first; of kinds that begin so."""
    query = select(AuditEvent.kind, AuditDetail.words).join(
        AuditDetail,
        (AuditDetail.organization_id == AuditEvent.organization_id) & (AuditDetail.position == AuditEvent.position),
    )
    with reading_session(database, organization_id) as session:
        rows = session.execute(query.order_by(AuditEvent.position)).all()
    return [tell(kind, words) for kind, words in rows if kind.startswith(prefix)]


def kinds(database: Database, organization_id: int, prefix: str = "") -> list[str]:
    with reading_session(database, organization_id) as session:
        every = session.scalars(select(AuditEvent.kind).order_by(AuditEvent.position)).all()
    return [kind for kind in every if kind.startswith(prefix)]


def head(database: Database, organization_id: int) -> int:
    with reading_session(database, organization_id) as session:
        return session.scalars(select(AuditHead)).one().position


def stored(database: Database, disclosure: Disclosure) -> Disclosure:
    with reading_session(database, disclosure.organization_id) as session:
        return session.get_one(Disclosure, (disclosure.organization_id, disclosure.id))


def positions(database: Database, disclosure: Disclosure) -> list[int]:
    with reading_session(database, disclosure.organization_id) as session:
        return list(
            session.scalars(
                select(DisclosureChunk.position)
                .where(DisclosureChunk.disclosure_id == disclosure.id)
                .order_by(DisclosureChunk.position)
            )
        )


def address_of(disclosure: Disclosure, action: str = "") -> str:
    return f"/staff/disclosures/{spell_id(disclosure.id)}{action}"


def id_in(location: str) -> int:
    return read_id(location.rsplit("/", 1)[1])


def show_key(client: PageCheckingClient, disclosure: Disclosure) -> str:
    """Through the page."""
    answer = client.send(address_of(disclosure, "/key"))
    assert answer.status_code == 200, answer.text
    return re.findall(r'<code class="key">([^<]+)</code>', answer.text)[0]


def open_archive(client: PageCheckingClient, disclosure: Disclosure, key: str) -> ZipFile:
    fetched = client.get(address_of(disclosure, "/archive"))
    assert fetched.status_code == 200
    return ZipFile(io.BytesIO(b"".join(open_sealed(read_key(key), io.BytesIO(fetched.data)))))


def manifest_of(archive: ZipFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return found


def rows_of(archive: ZipFile, name: str) -> list[str]:
    """The lines of a file, without its header."""
    return archive.read(name).decode("utf-8-sig").splitlines()[1:]
