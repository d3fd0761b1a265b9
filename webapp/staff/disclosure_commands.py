"""`flask open-disclosure`: opens a sealed archive with its key, and checks it against its manifest. For webapp/cli.py.

It needs the file and the key alone: no database, so it works on any machine that has Callbook.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

import click
from flask import Flask

from webapp.sealed import NotOpened, open_sealed, read_key
from webapp.staff.disclosure_archive import MANIFEST

_AT_ONCE = 1024 * 1024


def register_commands(app: Flask) -> None:
    app.cli.add_command(open_disclosure)


@click.command("open-disclosure")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "target", type=click.Path(dir_okay=False, path_type=Path), help="FILE.zip unless told.")
@click.option("--key-stdin", is_flag=True, help="Read the key from standard input; else it is asked for.")
def open_disclosure(file: Path, target: Path | None, key_stdin: bool) -> None:
    """Open a sealed archive: writes a ZIP, and checks each file in it against the manifest."""
    target = target or file.with_suffix(".zip")
    if target.exists():
        raise click.ClickException(f"{target} is there already. Name another file with --to.")
    typed = sys.stdin.read() if key_stdin else click.prompt("Key", hide_input=True)
    part = target.with_name(f"{target.name}.part")
    try:
        key = read_key(typed)
        with file.open("rb") as source, part.open("wb") as opened:
            for piece in open_sealed(key, source):
                opened.write(piece)
        wrong = check_archive(part)
    except (NotOpened, BadZipFile) as error:
        part.unlink(missing_ok=True)
        raise click.ClickException(str(error)) from None
    part.rename(target)
    for name in wrong:
        click.echo(f"{name} is not as the manifest says.", err=True)
    if wrong:
        raise click.ClickException(f"{target} was written, but do not rely on it.")
    click.echo(f"{target} is written; every file in it is as its manifest says.")


def check_archive(path: Path) -> list[str]:
    """The names of files that are missing, one too many, or not as the manifest has them."""
    with ZipFile(path) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        told = {each["name"]: each["sha256"] for each in manifest["files"]}
        found = {}
        for name in set(archive.namelist()) - {MANIFEST}:
            with archive.open(name) as member:
                found[name] = _digest(member)
    return sorted(name for name in told.keys() | found.keys() if told.get(name) != found.get(name))


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(_AT_ONCE):
        digest.update(piece)
    return digest.hexdigest()
