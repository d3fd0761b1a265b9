"""SECURITY 23: whatever a narrowed, masked person asks of the call log, no call outside their days and no hidden digit
ever stands in an answer.
"""

import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cast import Cast
from tests.client import PART, PageCheckingClient
from tests.make import NOON, Make
from webapp.calls import browse
from webapp.calls.models import Call
from webapp.calls.outcomes import Direction, Outcome
from webapp.clock import to_ms
from webapp.database.ids import spell_id
from webapp.pagination import Cursor, spell_cursor

HIDDEN = ("0182", "0377", "0594")
COLLEAGUES = ("Gracewell", "Adalbert")
LOG = "/o/harbour/calls"
WORDS = st.sampled_from(
    [
        "",
        "Grace",
        "Adal",
        "well",
        "205",
        "204",
        "201",
        "018",
        "182",
        "594",
        "+44207946",
        "020 7946",
        "••••",
        "%",
        "_",
        "Bright",
    ]
)
PERIODS = st.sampled_from(["all", "today", "2026-07", "30d"])


def house(make: Make, cast: Cast) -> dict[str, Call]:
    """Some calls that Nina sees, and some that she does not, by what they are."""
    passed = NOON + timedelta(days=1)
    make.narrow(cast.nina, "201")
    make.narrow(cast.nina, "204", from_at=passed)
    names = {"205": COLLEAGUES[0], "206": COLLEAGUES[1], f"+44207946{HIDDEN[2]}": "Bright & Sons"}
    made = {
        "seen": make.call(
            callee="201", caller=f"+44207946{HIDDEN[0]}", names={f"+44207946{HIDDEN[0]}": f"0{HIDDEN[0]}"}
        ),
        "seen since": make.call(callee="204", caller=f"+44207946{HIDDEN[2]}", started_at=passed, names=names),
        "seen with a colleague": make.call(caller="205", callee="201", direction=Direction.INTERNAL, names=names),
        "seen, went on": make.call(caller=f"+44207946{HIDDEN[2]}", dialed="201", callee="206", names=names),
        "closed before": make.call(
            callee="204", caller=f"+44207946{HIDDEN[1]}", started_at=passed - timedelta(seconds=1)
        ),
        "closed": make.call(callee="205", caller=f"+44207946{HIDDEN[0]}", outcome=Outcome.NO_ANSWER, names=names),
        "closed between colleagues": make.call(caller="205", callee="206", direction=Direction.INTERNAL),
    }
    for call in made.values():
        make.record(
            call, caller=f"0207946{HIDDEN[0]}", dialed="205", reached="206", raw=b"0207946" + HIDDEN[1].encode()
        )
    return made


def bare(page: str) -> str:
    """A page without what the bar, the addresses and the instants hold."""
    text = page[page.find("<main") :] if "<main" in page else page
    text = re.sub(r'<input type="hidden" name="(?:csrf_token|party|search)"[^>]*>', "", text)  # random letters
    return re.sub(r'(?:href|action|datetime|data-hx-[a-z]+)="[^"]*"', "", text)


def leaks(page: str, closed: list[Call]) -> list[str]:
    text = bare(page)
    found = [each for each in (*HIDDEN, *COLLEAGUES) if re.search(r"[\s().\-/]?".join(each), text)]
    return found + [spell_id(call.call_key) for call in closed if spell_id(call.call_key) in page]


def test_security_23_whatever_a_narrowed_person_asks(
    client: PageCheckingClient, cast: Cast, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "SEARCH_MS", 60_000.0)
    made = house(make, cast)
    closed = [call for name, call in made.items() if name.startswith("closed")]
    parties = [
        make.party(digits).id for digits in ("201", "204", "205", "206", *(f"+44207946{each}" for each in HIDDEN))
    ]
    client.sign_in(cast.nina)
    cursors = [
        spell_cursor(Cursor(to_ms(call.started_at) + step, call.call_key)) for call in closed for step in (-1, 0, 1)
    ]

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        words=st.tuples(WORDS, WORDS, WORDS),
        query=st.fixed_dictionaries(
            {"period": PERIODS, "order": st.sampled_from(["newest", "oldest"])},
            optional={
                "party": st.sampled_from([spell_id(each) for each in parties]),
                "direction": st.sampled_from(["inbound", "internal", "unknown"]),
                "outcome": st.sampled_from(["missed", "answered"]),
                "talk_min": st.just("1"),
                "after": st.sampled_from(cursors),
            },
        ),
        part=st.booleans(),
    )
    def ask(words: tuple[str, str, str], query: dict[str, str], part: bool) -> None:
        kept = client.send(f"{LOG}/search", dict(zip(("words", "caller", "callee"), words, strict=True))).location
        search = dict(pair.split("=") for pair in kept.partition("?")[2].split("&") if "search=" in pair)
        asked = urlencode({**query, **search})
        for path in (f"{LOG}?{asked}", f"{LOG}/export?{asked.replace('after=', 'gone=')}"):
            answer = client.get(path, headers=PART if part else {})
            assert answer.status_code in (200, 404, 422), path
            assert leaks(answer.get_data(as_text=True), closed) == [], (path, words)

    ask()
    for name, call in made.items():
        for path in (f"{LOG}/{spell_id(call.call_key)}", "/o/harbour/"):
            answer = client.get(path)
            assert leaks(answer.text, closed) == [], name
            assert (answer.status_code == 404) == (name.startswith("closed") and path != "/o/harbour/"), name


def test_the_walk_would_notice(client: PageCheckingClient, cast: Cast, make: Make) -> None:
    """What Olive sees is what Nina must not."""
    made = house(make, cast)
    closed = [call for name, call in made.items() if name.startswith("closed")]
    client.sign_in(cast.olive)
    assert set(leaks(client.get(f"{LOG}?period=all").text, closed)) == {
        *HIDDEN,
        *COLLEAGUES,
        *(spell_id(call.call_key) for call in closed),
    }
