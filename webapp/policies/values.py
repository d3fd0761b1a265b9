"""What the operator fills the policies in with: names, law, partners, regions, contact; from policy.toml.

The file lies in DATA_DIR, or where POLICY_FILE says; docs/policy.toml.example names them all. A missing file is one
without values: pages show gaps, `flask check-policies` names them, and nothing can be published. Read at each look, so
that a change counts at once (in a draft: what is published stays as it was).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import Settings
from webapp.errors import Refused
from webapp.formatting import format_list

NAME = "policy.toml"
_TEXTS = ("operator", "address", "law", "contact", "security_contact", "recovery_point", "recovery_time")
_NUMBERS = ("backup_hours", "drill_days", "notice_days", "breach_hours")
_LONGEST = 500
#: A longer notice would hold up every change of a policy for as long.
_MOST = dict.fromkeys(_NUMBERS, 10_000) | {"notice_days": 366}
#: RFC 9116 wants an address that machines read.
_REACHED = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+|https://\S+")


class ValuesError(Refused):
    """policy.toml cannot be read, or something in it is no value for what it is given for."""


@dataclass(frozen=True)
class Partner:
    """A company that provides something, and where."""

    name: str
    purpose: str
    region: str


@dataclass(frozen=True)
class Values:
    """ "", () and None stand for what is missing."""

    operator: str = ""
    address: str = ""
    law: str = ""
    contact: str = ""
    security_contact: str = ""
    recovery_point: str = ""
    recovery_time: str = ""
    partners: tuple[Partner, ...] = ()
    regions: tuple[str, ...] = ()
    backup_hours: int | None = None
    drill_days: int | None = None
    notice_days: int = 14
    breach_hours: int = 72

    @property
    def missing(self) -> list[str]:
        """The names of what is not filled in."""
        return [name for name in (*_TEXTS, "partners", "regions", *_NUMBERS) if not getattr(self, name)]

    def filling(self) -> dict[str, str | list[list[str]]]:
        """As a text takes them; without what is missing."""
        texts = {name: getattr(self, name) for name in _TEXTS} | {
            name: str(getattr(self, name) or "") for name in _NUMBERS
        }
        rows = [[partner.name, partner.purpose, partner.region] for partner in self.partners]
        filled: dict[str, str | list[list[str]]] = {**texts, "regions": format_list(self.regions), "partners": rows}
        return {name: value for name, value in filled.items() if value}

    @classmethod
    def of(cls, filling: Mapping[str, Any]) -> "Values":
        """What filling() gave, as a version has frozen it. All regions together are one text there."""
        read: dict[str, Any] = {name: filling[name] for name in _TEXTS if name in filling}
        read |= {name: int(filling[name]) for name in _NUMBERS if name in filling}
        regions = (filling["regions"],) if "regions" in filling else ()
        return cls(**read, partners=tuple(Partner(*row) for row in filling.get("partners", ())), regions=regions)


def values_file(settings: Settings) -> Path:
    return settings.policy_file or settings.data_dir / NAME


def load_values(settings: Settings) -> Values:
    """Raises ValuesError, whose sentence says what is wrong in which file. A file that is not there: no values."""
    path = values_file(settings)
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Values()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValuesError(f"{path.name} cannot be read: {error}.") from None
    unknown = sorted(found.keys() - {*_TEXTS, *_NUMBERS, "partners", "regions"})
    if unknown:
        raise ValuesError(f"{path.name} has {unknown[0]!r}, which is no value of the policies.")
    read: dict[str, Any] = {name: _text(found, name) for name in _TEXTS if name in found}
    reached = read.get("security_contact")
    if reached and not _REACHED.fullmatch(reached):
        raise ValuesError(f"security_contact in {NAME} must be an e-mail address, or a page (https://…).")
    read |= {name: _number(found, name) for name in _NUMBERS if name in found}
    return Values(**read, partners=_partners(found), regions=_regions(found))


def _text(found: Mapping[str, Any], name: str) -> str:
    text = found[name]
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise ValuesError(f"{name} in {NAME} must be a text in quotes, of at most {_LONGEST} characters.")
    line = " ".join(text.split())
    if line and not line.isprintable():
        raise ValuesError(f"{name} in {NAME} has characters that cannot be shown.")
    return line


def _number(found: Mapping[str, Any], name: str) -> int:
    number = found[name]
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MOST[name]:
        raise ValuesError(f"{name} in {NAME} must be a whole number from 1 to {_MOST[name]}.")
    return number


def _partners(found: Mapping[str, Any]) -> tuple[Partner, ...]:
    rows = found.get("partners", [])
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and set(row) == {"name", "purpose", "region"} for row in rows
    ):
        raise ValuesError(f"Each [[partners]] in {NAME} has name, purpose and region, and nothing else.")
    partners = tuple(Partner(**{name: _text(row, name) for name in ("name", "purpose", "region")}) for row in rows)
    if not all(partner.name and partner.purpose and partner.region for partner in partners):
        raise ValuesError(f"A [[partners]] in {NAME} has an empty name, purpose or region. Fill it, or leave it out.")
    return partners


def _regions(found: Mapping[str, Any]) -> tuple[str, ...]:
    regions = found.get("regions", [])
    if not isinstance(regions, list):
        raise ValuesError(f'regions in {NAME} is a list of texts, such as ["Germany"].')
    texts = tuple(_text({"regions": region}, "regions") for region in regions)
    if not all(texts):
        raise ValuesError(f"regions in {NAME} has an empty text: fill it in, or leave it out.")
    return texts
