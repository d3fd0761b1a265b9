"""The lines of a file that could not be read: as a list, and as a file of the same format to put right and upload.

Those that a phone system brought by itself can be thrown away: they take room that no undo frees.
"""

import re
from collections.abc import Iterator
from pathlib import PurePath
from urllib.parse import quote

from flask import Response, flash, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from webapp import access, htmx
from webapp.accounts.gates import ask_for_proof
from webapp.audit.viewing import note, note_view
from webapp.calls.export import find_standing
from webapp.csv_out import UNPROVED_AT_MOST
from webapp.database.engine import Database
from webapp.database.staff_rights import Area
from webapp.errors import BadRequest, Forbidden
from webapp.formatting import format_count
from webapp.services import services
from webapp.sources.actions import forget_refused
from webapp.sources.blueprint import bp
from webapp.sources.queries import REFUSED_ON_A_PAGE, get_import, get_pbx, list_refused
from webapp.tenancy.models import Role
from webapp.tenancy.request import current_let_in, current_membership, current_organization, current_reader, db
from webapp.tenancy.sessions import reading_session
from webapp.tenancy.staff_entry import LetIn

_LINES_AT_ONCE = 500
_SHOWN_CHARACTERS = 400


@bp.get("/imports/<id:import_file_id>/refused", defaults={"after": 0})
@bp.get("/imports/<id:import_file_id>/refused/after/<int:after>")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.SOURCES, "lines that could not be read", "import")
def refused(import_file_id: int, after: int) -> ResponseReturnValue:
    file = get_import(db(), import_file_id)
    _check_reader()
    if after >= 1 << 31:
        raise BadRequest
    me, organization_id = current_user.id, current_organization().id
    note_view(services().database, organization_id, me, "refused_lines.viewed", file.id, file=file.file_name)
    lines = list_refused(db(), file.id, after, REFUSED_ON_A_PAGE + 1)
    more = None
    if len(lines) > REFUSED_ON_A_PAGE:
        lines.pop()
        more = url_for("sources.refused", import_file_id=file.id, after=lines[-1].line_number)
    return htmx.render(
        "sources/refused.html",
        "sources/_refused_rows.html",
        file=file,
        pbx=get_pbx(db(), file.pbx_id),
        lines=[(line.line_number, line.reason, shorten_raw(line.raw)) for line in lines],
        after=after,
        more=more,
        may_throw_away=file.delivered_on is not None and current_membership().role >= Role.MANAGER,
    )


@bp.get("/imports/<id:import_file_id>/refused-lines")
@access.member(Role.VIEWER)
@access.sees_every_call
@access.open_to_staff(Area.SOURCES, "lines that could not be read", download=True)
def refused_lines(import_file_id: int) -> ResponseReturnValue:
    """The refused lines as they stood in the file, beneath its header line: put right, they can be uploaded again.

    Of many, by who has just proved.
    """
    file = get_import(db(), import_file_id)
    _check_reader()
    if not current_reader().may_export:
        raise Forbidden("You may look at these lines, but not take them away.")
    if file.refused_count > UNPROVED_AT_MOST and (instead := ask_for_proof()) is not None:
        return instead
    name = PurePath(file.file_name.removesuffix(".gz"))
    database, organization_id = services().database, current_organization().id
    note(database, organization_id, current_user.id, "refused_lines.downloaded", file.id, file=file.file_name)
    answer = Response(
        _raw_lines(database, organization_id, current_user.id, file.id, file.header, current_let_in()),
        mimetype="application/octet-stream",
    )
    answer.headers["Content-Disposition"] = _as_attachment(f"{name.stem}-refused{name.suffix or '.csv'}")
    return answer


@bp.post("/imports/<id:import_file_id>/refused/throw-away")
@access.member(Role.MANAGER)
@access.sees_every_call
def throw_away_refused(import_file_id: int) -> ResponseReturnValue:
    file = get_import(db(), import_file_id)
    _check_reader()
    if file.delivered_on is None:
        raise BadRequest("The lines of a file go with the undo of its import. Nothing was changed.")
    count = forget_refused(db(), file, actor_id=current_user.id)
    db().commit()
    lines = "line is" if count == 1 else "lines are"
    flash(f"{format_count(count)} refused {lines} thrown away." if count else "No line was kept any more.", "ok")
    return htmx.go_to(url_for("sources.show_import", import_file_id=import_file_id))


def _check_reader() -> None:
    """Lines of a file name numbers in full."""
    reader = current_reader()
    if not reader.sees_raw:
        raise Forbidden(f"The lines of a file are not shown to you: {reader.why_not_raw}.")


def _as_attachment(name: str) -> str:
    """RFC 6266: a plain name for all, the true one for those that understand it."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _raw_lines(
    database: Database,
    organization_id: int,
    reader_id: int,
    import_file_id: int,
    header: bytes | None,
    let_in: LetIn | None,
) -> Iterator[bytes]:
    """Read by key in short transactions, so that a slow reader holds nothing open; each asks whether they still may."""
    if header is not None:
        yield header + b"\n"
    after = 0
    while True:
        with reading_session(database, organization_id) if let_in is None else let_in.reading() as session:
            if let_in is None and not find_standing(session, reader_id)[1].sees_raw:
                raise Forbidden
            lines = list_refused(session, import_file_id, after, _LINES_AT_ONCE)
        if not lines:
            return
        yield b"".join(line.raw + b"\n" for line in lines)
        after = lines[-1].line_number


@bp.app_template_filter("raw_line")
def shorten_raw(raw: bytes) -> str:
    """A raw line for the eye: its beginning, with what cannot be shown marked."""
    text = raw[: _SHOWN_CHARACTERS * 4].decode("utf-8", "replace")
    shown = "".join(
        letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
    return (
        shown
        if len(shown) <= _SHOWN_CHARACTERS and len(raw) <= _SHOWN_CHARACTERS * 4
        else f"{shown[:_SHOWN_CHARACTERS]}…"
    )
