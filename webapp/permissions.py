"""The permission matrix: who may call which address, as the markers and the guard say. Printed by `flask permissions`.

Generated from the routes, so that a new one is in it by itself; tests/house/test_permissions.py walks every cell.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask
from werkzeug.routing import Rule

from webapp import access
from webapp.tenancy.models import Role
from webapp.tenancy.staff_entry import tell_areas

OPEN, SIGN_IN, NOT_THERE, REFUSED = "yes", "sign in", "404", "403"
CONSOLE, TO_TAKE_AWAY = "console", ", with downloads"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Who:
    """Somebody who asks, as the matrix has them. `role` is None for those outside the organization.

    `staff`: somebody of the operator's, who has given a second factor, and whom no organization has let in.
    """

    name: str
    signed_in: bool = True
    role: Role | None = None
    narrowed: bool = False
    staff: bool = False


COLUMNS = (
    Who("anonymous", signed_in=False),
    Who("outsider"),
    Who("viewer", role=Role.VIEWER),
    Who("narrowed viewer", role=Role.VIEWER, narrowed=True),
    Who("manager", role=Role.MANAGER),
    Who("owner", role=Role.OWNER),
    Who("staff", staff=True),
)


@dataclass(frozen=True)
class Line:
    """One address with one method, and what each of COLUMNS gets there.

    `opened_by`: by what staff get in: CONSOLE where it is theirs, the areas of which an organization must have let them
    see all, or "" where nothing lets them in.
    """

    endpoint: str
    method: str
    rule: str
    cells: tuple[str, ...]
    opened_by: str


def permission_lines(app: Flask) -> Iterator[Line]:
    """Every address and method of the app, by address."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        mark = access.of(app.view_functions[rule.endpoint])
        cells = tuple(what_they_get(mark, who) for who in COLUMNS)
        for method in methods_of(rule):
            yield Line(rule.endpoint, method, rule.rule, cells, what_opens_it(mark, method))


def methods_of(rule: Rule) -> list[str]:
    """Without those that Flask adds by itself."""
    return [method for method in _METHODS if method in (rule.methods or ())]


def what_they_get(mark: access.Access, who: Who) -> str:
    """By the rules of the guard: signing in, then the organization, then the role.

    A person of an organization is no phone system, and none of the operator's staff.
    """
    if mark.pbx:
        return SIGN_IN
    if not mark.signed_in:
        return OPEN
    if not who.signed_in:
        return SIGN_IN
    if mark.staff and not who.staff:
        return NOT_THERE
    if mark.role is None:
        return OPEN
    if who.role is None:
        return NOT_THERE
    return REFUSED if who.role < mark.role or (who.narrowed and mark.sees_every_call) else OPEN


def what_opens_it(mark: access.Access, method: str) -> str:
    """To staff, by the rules of the guard."""
    if mark.staff:
        return CONSOLE
    sees = mark.staff_sees
    if sees is None or not (method == "GET" or sees.posting):
        return ""
    return f"{tell_areas(sees.area)}{TO_TAKE_AWAY if sees.download else ''}"


def print_matrix(app: Flask) -> str:
    """The matrix as text, a line for each address and method."""
    rows = [("", "", *(who.name for who in COLUMNS), "staff by")]
    rows += [(line.method, line.rule, *line.cells, line.opened_by) for line in permission_lines(app)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
