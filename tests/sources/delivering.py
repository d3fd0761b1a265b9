"""What the tests of deliveries share: a phone system with a token, sending as it would, and the work in between."""

import base64
import gzip
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import NUMBER_KEY
from webapp.calls.models import Call, ImportFile, Pbx, RejectedLine
from webapp.database.engine import Database
from webapp.database.ids import spell_id
from webapp.ingest.deliveries import store_delivered
from webapp.ingest.models import SpooledDelivery
from webapp.sources.tokens import make_token
from webapp.tenancy.sessions import reading_session, writing_session


def own_call(number: int, **values: Any) -> dict[str, Any]:
    """A call in Callbook's own JSON: from outside, answered after 5 s, 30 s long; a minute after the one before."""
    begin = 1_795_509_600 + 60 * number
    return {
        "id": f"n-{number}",
        "started_at": begin,
        "answered_at": begin + 5,
        "ended_at": begin + 35,
        "from": f"0770090{number % 10000:04d}",
        "to": "201",
        "direction": "inbound",
    } | values


def freeswitch_call(number: int, **variables: str) -> dict[str, Any]:
    """An a leg as mod_json_cdr writes it, answered by 201 after 5 s, 30 s long."""
    begin = 1_795_509_600 + 60 * number
    channel, uuid = f"sofia/external/0770090{number:04d}@192.0.2.9", f"4c1f0a7e-5b1d-4e7a-9a51-{number:012d}"
    profile = {"caller_id_name": "", "caller_id_number": f"0770090{number:04d}", "destination_number": "201"}
    return {
        "core-uuid": "0b7b8c52-6d0f-4a0c-9a77-5c1f5e2f9d01",
        "variables": {
            "uuid": uuid,
            "channel_name": channel,
            "sofia_profile_name": "external",
            "bridge_uuid": f"{uuid[:-1]}f",
            "start_epoch": str(begin),
            "answer_epoch": str(begin + 5),
            "bridge_epoch": str(begin + 5),
            "end_epoch": str(begin + 35),
            "duration": "35",
            "billsec": "30",
            "hangup_cause": "NORMAL_CLEARING",
            "sip_full_from": "%22Quay%20%26%20Co%22%20%3Csip%3A201%40198.51.100.20%3E",
        }
        | variables,
        "callflow": [{"caller_profile": profile, "times": {"created_time": f"{begin}000000"}}],
    }


@dataclass
class Delivering:
    """A phone system of one organization that sends its records to the app."""

    app: Flask
    database: Database
    pbx: Pbx
    token: str

    @property
    def organization_id(self) -> int:
        return self.pbx.organization_id

    @property
    def address(self) -> str:
        return f"/collect/{spell_id(self.pbx.id)}"

    def send(
        self, body: bytes, *, token: str | None = None, content_type: str = "application/json", **headers: str
    ) -> TestResponse:
        """Post it with the bearer token."""
        sent = {"Authorization": f"Bearer {self.token if token is None else token}"}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        return self.app.test_client().post(self.address, data=body, content_type=content_type, headers=sent)

    def send_json(self, what: Any, **more: str) -> TestResponse:
        return self.send(json.dumps(what).encode(), **more)

    def send_basic(self, body: bytes, user: str = "callbook") -> TestResponse:
        pair = base64.b64encode(f"{user}:{self.token}".encode()).decode()
        return self.send(body, Authorization=f"Basic {pair}")

    def send_form(self, what: Any) -> TestResponse:
        """As mod_json_cdr does with encode=true."""
        body = f"cdr={quote(json.dumps(what, separators=(',', ':')), safe='')}".encode()
        return self.send(body, content_type="application/x-www-form-urlencoded")

    def send_base64(self, what: Any) -> TestResponse:
        """And with encode=base64."""
        body = b"cdr=" + base64.b64encode(json.dumps(what).encode())
        return self.send(body, content_type="application/x-www-form-base64-encoded")

    def send_packed(self, what: Any) -> TestResponse:
        return self.send(gzip.compress(json.dumps(what).encode()), Content_Encoding="gzip")

    def store(self) -> None:
        """What the worker does twice a second."""
        store_delivered(self.database, NUMBER_KEY, self.organization_id)

    def all(self, entity: type[Any]) -> list[Any]:
        with reading_session(self.database, self.organization_id) as session:
            return list(session.query(entity))

    def calls(self) -> list[Call]:
        return sorted(self.all(Call), key=lambda call: call.started_at)

    def spooled(self) -> list[SpooledDelivery]:
        return sorted(self.all(SpooledDelivery), key=lambda row: row.id)

    def refused(self) -> list[RejectedLine]:
        return sorted(self.all(RejectedLine), key=lambda line: line.line_number)

    def the_import(self) -> ImportFile:
        [file] = self.all(ImportFile)
        assert isinstance(file, ImportFile)
        return file


def token_of(database: Database, pbx: Pbx) -> str:
    with writing_session(database, pbx.organization_id) as session:
        token = make_token(session, pbx, actor_id=None)
        session.commit()
    return token
