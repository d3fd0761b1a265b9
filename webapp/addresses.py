"""Addresses: ids and slugs in them, static files with a version, and which `next` may be followed.

Registered by create_app(); `own_path` is asked by whoever sends a browser to an address that came from outside.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from flask import Flask, current_app
from werkzeug.routing import BaseConverter, ValidationError

from webapp.database.ids import read_id, spell_id

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_AT_MOST = 40
_PATH_AT_MOST = 2000
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\]")


class IdConverter(BaseConverter):
    """`<id:name>`: an id, spelt in base 32. Another spelling of the same id is no address of ours."""

    regex = "[0-9a-z]{1,13}"

    def to_python(self, value: str) -> int:
        try:
            return read_id(value)
        except ValueError as error:
            raise ValidationError from error

    def to_url(self, value: int) -> str:
        return spell_id(value)


class SlugConverter(BaseConverter):
    """`<slug:slug>`: the organization's name in addresses."""

    regex = SLUG.pattern

    def to_python(self, value: str) -> str:
        if len(value) > SLUG_AT_MOST:
            raise ValidationError
        return value


def register(app: Flask) -> None:
    app.url_map.converters["id"] = IdConverter
    app.url_map.converters["slug"] = SlugConverter
    app.jinja_env.globals["static_url"] = static_url
    app.jinja_env.filters["spell_id"] = spell_id


def organization_home(slug: str) -> str:
    """The first page of an organization."""
    return f"/o/{slug}/"


def own_path(text: str | None) -> str | None:
    """The text if it is a path of this service that a browser cannot take for anything else; None otherwise."""
    if not text or len(text) > _PATH_AT_MOST or _FORBIDDEN.search(text):
        return None
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    spellings = (path, unquote(path), unquote(unquote(path)))
    return text if all(_stays_here(spelling) for spelling in spellings) else None


def _stays_here(path: str) -> bool:
    if not path.startswith("/") or _FORBIDDEN.search(path):
        return False
    return "//" not in path and not any(part in (".", "..") for part in path.split("/"))


def static_url(filename: str) -> str:
    """The address of a static file; it changes with the file's content, so that browsers may keep it for ever."""
    return f"/static/{filename}?v={static_version(filename)}"


def static_version(filename: str) -> str:
    """What stands after `v=` for the file as it is now; "" if there is no such file."""
    assert current_app.static_folder is not None
    root = Path(current_app.static_folder)
    path = root / filename
    if ".." in Path(filename).parts or not path.is_file():
        return ""
    return _digest(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=200)
def _digest(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
