"""Extension 204 passes from Anna to Ben on 3 May 2026, 09:00 in London: the scene of the tests of destinations."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tests.client import PageCheckingClient
from tests.make import Make
from webapp.calls.models import Call
from webapp.calls.outcomes import Outcome
from webapp.database.ids import spell_id
from webapp.destinations.models import Destination, Party

LOG = "/o/harbour/calls"
ALL = f"{LOG}?period=all"
PASSED = datetime(2026, 5, 3, 8, 0, tzinfo=UTC)
CUSTOMER = "+442079460182"


@dataclass(frozen=True)
class HandedOver:
    anna: Destination
    ben: Destination
    party: Party
    before: Call  #: the last millisecond of Anna, two minutes of talk
    after: Call  #: the first instant of Ben, missed


def hand_over(make: Make) -> HandedOver:
    party = make.party("204")
    anna, ben = make.destination("Anna Quill", colour=3), make.destination("Ben Carter", colour=5)
    make.holder(party, anna)
    make.holder(party, ben, PASSED)
    return HandedOver(
        anna,
        ben,
        party,
        before=make.call(started_at=PASSED - timedelta(milliseconds=1), callee="204", caller=CUSTOMER, talk=120),
        after=make.call(started_at=PASSED, callee="204", caller=CUSTOMER, outcome=Outcome.NO_ANSWER),
    )


def of(destination: Destination) -> str:
    """The address of its calls."""
    return f"{ALL}&destination={spell_id(destination.id)}"


def rows(text: str) -> int:
    return text.count("data-row-link")


def keys(text: str) -> list[str]:
    """The calls of a page, in order."""
    return re.findall(r'data-row-link href="[^"]*/calls/([0-9a-z]+)"', text)


def row_of(text: str, call: Call) -> str:
    """What its row says, without what stands in the tags."""
    found = next(row for row in re.findall(r"<tr>.*?</tr>", text, re.S) if spell_id(call.call_key) in row)
    return " ".join(re.sub(r"<[^>]*>", " ", found).split())


def search(client: PageCheckingClient, **words: str) -> str:
    return client.get(client.send(f"{LOG}/search", {"period": "all", **words}).location).text
