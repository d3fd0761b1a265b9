"""Harbour with something to show on every page: calls of a small firm, phone systems with and without answers, imports
in each state. `hang(...)` stores it all and gives the addresses by what they show."""

import io
from datetime import date, timedelta
from pathlib import Path

from demo.write_call_records import master_lines_between
from tests.ingest.importing import Importing
from tests.make import Make
from webapp import clock
from webapp.calls.models import Call, ImportState, Pbx
from webapp.database.ids import spell_id
from webapp.destinations.route_models import RouteCondition
from webapp.destinations.routing import Holidays, Hours, RouteLine, Span
from webapp.invitations.extensions import read_extensions
from webapp.jobs.stored_files import open_stored_file, store_stream
from webapp.organizations.offers import Offer
from webapp.sources import imports
from webapp.tenancy.models import Numbers, Role

READERS = Path(__file__).resolve().parents[1] / "data" / "readers"
CAPTURED = READERS / "asterisk_cdr_csv" / "captured_21col_office_a.csv"
TABLE = READERS / "generic_csv" / "written_us_12_hour.csv"
HARBOUR = "/o/harbour"
_DAYS = timedelta(days=9)  # some 500 calls: several pages of the log
_BROKEN = b'"","020","201","a line that breaks off\n"","x"\n'


_STATES = (ImportState.QUEUED, ImportState.UNDOING, ImportState.FAILED, ImportState.CANCELLED, ImportState.UNDONE)


def firm_calls() -> bytes:
    """Rows of the demo firm's head office, the last of them of today."""
    until = clock.now()
    return "".join(f"{line}\n" for line in master_lines_between(until - _DAYS, until)).encode()


def answered_pbx(make: Make, name: str = "Head office") -> Pbx:
    return make.pbx(name, outside_lines='["PJSIP/provider", "from-trunk"]', area_code="020")


def hang(make: Make, importing: Importing) -> dict[str, str]:
    office = answered_pbx(make)
    done = importing.load(office.id, firm_calls() + _BROKEN)
    branch = make.pbx("Workshop", answered_at=None, extension_digits="", outside_lines="[]")
    of_branch = importing.load(branch.id, CAPTURED.read_bytes())
    closed = make.pbx("The old one", closed_at=clock.now())
    states = {
        state.name.lower(): spell_id(
            make.import_file(
                office, state=state, error=_error(state), read_count=120, stored_count=120, call_count=60
            ).id
        )
        for state in (
            ImportState.QUEUED,
            ImportState.UNDOING,
            ImportState.FAILED,
            ImportState.CANCELLED,
            ImportState.UNDONE,
        )
    }
    uploaded = hand_in(importing, branch, CAPTURED.read_bytes() + _BROKEN, CAPTURED.name)
    table = hand_in(importing, make.pbx("Till", format=None, answered_at=None), TABLE.read_bytes(), TABLE.name)
    letter = hand_in(importing, branch, b"Dear Sirs,\nplease find enclosed\nour list\n", "letter.txt")
    systems, files = f"{HARBOUR}/phone-systems", f"{HARBOUR}/imports"
    return {
        "overview": f"{HARBOUR}/",
        "calls": f"{HARBOUR}/calls",
        "calls, everything": f"{HARBOUR}/calls?period=all&order=oldest",
        "calls, filtered": f"{HARBOUR}/calls?direction=inbound&outcome=answered&talk_min=30&period=90d",
        "calls, none": f"{HARBOUR}/calls?from=2015-01-01&to=2015-01-02",
        "calls, wrong filter": f"{HARBOUR}/calls?from=2026-13-45&talk_min=soon",
        **{f"call {number}": f"{HARBOUR}/calls/{spell_id(key)}" for number, key in enumerate(_telling(importing), 1)},
        "calls to return": f"{HARBOUR}/calls-to-return",
        "privacy policy": f"{HARBOUR}/privacy",
        "what is kept": "/privacy/kept",
        "phone systems": systems,
        "new phone system": f"{systems}/new",
        "rename": f"{systems}/{spell_id(office.id)}/name",
        "set up": f"{systems}/{spell_id(office.id)}/set-up",
        "three questions": f"{systems}/{spell_id(branch.id)}/set-up",
        "upload": f"{systems}/{spell_id(office.id)}/imports",
        "upload, closed": f"{systems}/{spell_id(closed.id)}/imports",
        "imports": files,
        "import, done": f"{files}/{spell_id(done.id)}",
        "import, unanswered": f"{files}/{spell_id(of_branch.id)}",
        "refused lines": f"{files}/{spell_id(done.id)}/refused",
        "undo": f"{files}/{spell_id(done.id)}/undo",
        "import, before": f"{files}/{spell_id(uploaded)}",
        "import, a table": f"{files}/{spell_id(table)}",
        "columns": f"{files}/{spell_id(table)}/columns",
        "import, unknown": f"{files}/{spell_id(letter)}",
        **{f"import, {name}": f"{files}/{state}" for name, state in states.items()},
        **_people(make),
        **route_pages(make),
        "no such page": f"{HARBOUR}/nothing-here",
    }


def _people(make: Make) -> dict[str, str]:
    """The People page with somebody narrowed and invitations, and the settings."""
    with make.session() as session:
        spans = read_extensions(session, "202\n203 from 2026-05-03", make.organization.time_zone).spans
    narrow = Offer(Role.VIEWER, Numbers.SHOWN_ONE_BY_ONE, False, True, spans, clock.now() + timedelta(days=40))
    people, member = f"{HARBOUR}/people", spell_id(make.member(offer=narrow).id)
    make.invitation("somebody-with-a-very-long-name@a-long-domain.example.com", narrow)
    expired = make.invitation(expires_at=clock.now())
    return {
        "people": people,
        "invite": f"{people}/invite",
        "change somebody": f"{people}/members/{member}",
        "remove somebody": f"{people}/members/{member}/remove",
        "change an invitation": f"{people}/invitations/{spell_id(expired.id)}",
        "leave": f"{people}/leave",
        "settings": f"{HARBOUR}/settings",
        "settings, signing in": f"{HARBOUR}/settings/signing-in",
        "what our staff see": f"{HARBOUR}/what-staff-see",
    }


def route_pages(make: Make) -> dict[str, str]:
    """Own numbers, opening hours, holidays, and routes of which one leads to something archived."""
    number, silent = make.number("+442079460199", label="A line with a rather long name for a phone"), "+442079460198"
    make.number(silent, until_at=clock.now())
    hours = make.schedule("Office hours", Hours("Europe/London", (Span(1, 540, 750), Span(1, 810, 1020))))
    days = make.schedule("Bank holidays", Holidays("Europe/London", ((date(2026, 12, 25), "Christmas Day"),)))
    reception, gone = make.destination("Reception"), make.destination("Old workshop", archived_at=clock.now())
    lines = (
        RouteLine(RouteCondition.HOLIDAY, gone.id, days.id),
        RouteLine(RouteCondition.OPEN, reception.id, hours.id, until_at=clock.now()),
        RouteLine(RouteCondition.NO_ANSWER, gone.id, None, 20, enabled=False),
    )
    make.route_plan(number, *lines, at=clock.now() - timedelta(days=2))
    make.route_plan(number, RouteLine(RouteCondition.ALWAYS, reception.id), *lines)
    base = f"{HARBOUR}/destinations"
    numbers, schedules = f"{base}/numbers", f"{base}/schedules"
    return {
        "our numbers": numbers,
        "new number": f"{numbers}/new",
        "change a number": f"{numbers}/{spell_id(number.id)}",
        "opening hours and routes": f"{base}/routes",
        "opening hours": f"{schedules}/{spell_id(hours.id)}",
        "holidays": f"{schedules}/{spell_id(days.id)}",
        "routes of a number": f"{numbers}/{spell_id(number.id)}/routes",
        "history of a number": f"{numbers}/{spell_id(number.id)}/routes/history?at=2026-05-03T19:00",
    }


def hand_in(importing: Importing, pbx: Pbx, content: bytes, name: str) -> int:
    """A file that waits to be imported, as the upload page leaves it."""
    database, organization_id = importing.database, importing.organization.id
    stored_file_id = store_stream(database, organization_id, io.BytesIO(content))
    with open_stored_file(database, organization_id, stored_file_id) as stored:
        recognised = imports.recognise_stream(stored)
    with Make(database, importing.organization).session() as session:
        file = imports.receive_file(session, pbx, stored_file_id, name, recognised, None)
        session.commit()
    return file.id


def _telling(importing: Importing) -> list[int]:
    """The calls that have most to tell, and one that has least."""
    calls: list[Call] = sorted(importing.calls(), key=lambda call: (-call.record_count, call.call_key))
    return [calls[0].call_key, calls[1].call_key, calls[-1].call_key]


def _error(state: ImportState) -> str | None:
    return "The disk of the server is full. What was read by then is stored." if state == ImportState.FAILED else None
