"""/privacy/data: what Callbook holds, table by table, read off the catalogue. Holds `bp`, named inventory."""

from dataclasses import dataclass
from functools import lru_cache

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from webapp import access
from webapp.privacy.catalogue import TABLES
from webapp.privacy.entries import Group, LeftOut, Purpose, Table

bp = Blueprint("inventory", __name__)


@dataclass(frozen=True)
class ShownGroup:
    """A heading with its tables: those that hold something about people first."""

    title: str
    anchor: str
    tables: tuple[Table, ...]

    @property
    def personal_count(self) -> int:
        return sum(len(table.personal) for table in self.tables)


@bp.get("/privacy/data")
@access.public
def show() -> ResponseReturnValue:
    return render_template(
        "privacy/data.html", groups=_groups(), purposes=list(Purpose), left_out=_left_out, personal=_personal()
    )


@lru_cache(maxsize=1)
def _groups() -> tuple[ShownGroup, ...]:
    return tuple(
        ShownGroup(
            str(group),
            f"about-{group.name.lower()}",
            tuple(
                sorted((each for each in TABLES.values() if each.group is group), key=lambda each: not each.personal)
            ),
        )
        for group in Group
    )


@lru_cache(maxsize=1)
def _personal() -> tuple[tuple[str, Table], ...]:
    """What is held about people, in words, by the alphabet: the index of the page."""
    found = {(words[0].upper() + words[1:], table) for table in TABLES.values() for words in table.personal.values()}
    return tuple(sorted(found, key=lambda each: (each[0].removeprefix("The "), each[1].name)))


def _left_out(table: Table) -> str:
    """Why a takeout does not have it, "" where it has."""
    return table.takeout.reason if isinstance(table.takeout, LeftOut) else ""
