"""`flask verify-audit`: proves the chains of the audit, and prints their heads to be kept outside. For webapp/cli.py.

Its output is what `--head` reads: a line "head ORGANIZATION POSITION HASH" for each chain, "-" for the service's own.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from config import SettingsError, load_settings
from webapp.audit.checkpoints import Head
from webapp.audit.verify import Wrong, check_kept, verify_chain
from webapp.database.engine import Database
from webapp.database.installation import InstallationError, check_start
from webapp.services import Services
from webapp.tenancy.models import Organization
from webapp.tenancy.sessions import reading_session

SERVICE = "-"  #: in the place of an organization: the chain of the service itself
_HASH_DIGITS = 64


def register_commands(app: Flask) -> None:
    app.cli.add_command(verify_audit)


@dataclass(frozen=True)
class _Chain:
    organization_id: int
    slug: str


@click.command("verify-audit")
@click.option(
    "--organization", "slug", help="Slug of one organization; all of them, and the service's own, if not given."
)
@click.option(
    "--head",
    "kept_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What this command printed earlier: finds what was cut off since, with the head itself.",
)
@with_appcontext
def verify_audit(slug: str | None, kept_file: Path | None) -> None:
    """Recompute the chains of the audit. Prints each head; exit status 1 if anything is wrong."""
    kept = _read_kept(kept_file) if kept_file else {}
    database = _open()
    chains = _list_chains(database, slug)
    wrong = 0
    for chain in chains:
        heads = kept.get(chain.slug, [])
        for problem in _verify(database, chain, heads):
            wrong += 1
            click.echo(f"wrong {chain.slug} {problem.position}: {problem.what}", err=True)
    for gone in sorted(kept.keys() - {chain.slug for chain in chains}) if slug is None else ():
        wrong += 1
        click.echo(f"wrong {gone}: its whole chain is gone, or the organization has another slug now", err=True)
    if wrong:
        sys.exit(1)
    click.echo(f"Every chain is whole ({len(chains)})." if len(chains) > 1 else "The chain is whole.", err=True)


def _verify(database: Database, chain: _Chain, heads: list[Head]) -> Iterable[Wrong]:
    """Prints the head of a chain; gives what is wrong with it."""
    found = verify_chain(database, chain.organization_id, {head.position for head in heads})
    click.echo(f"head {chain.slug} {found.head.position} {found.head.row_hash.hex()}")
    if found.wrong is not None:
        yield found.wrong
        return
    for head in heads:
        if 0 < head.position < found.begins:
            click.echo(f"not compared {chain.slug} {head.position}: removed, with all up to {found.begins}", err=True)
        problem = check_kept(found, head)
        if problem is not None:
            yield problem


def _open() -> Database:
    """A database that is fit to be read. What a person can put right ends the command with its words."""
    known: Services | None = current_app.extensions.get("callbook")
    try:
        settings = known.settings if known else load_settings()
        database = known.database if known else Database(settings.database_url)
        check_start(database, settings)
    except (SettingsError, InstallationError) as error:
        raise click.ClickException(str(error)) from None
    return database


def _list_chains(database: Database, slug: str | None) -> list[_Chain]:
    with reading_session(database) as session:
        rows = session.execute(select(Organization.id, Organization.slug).order_by(Organization.slug)).all()
    chains = [_Chain(0, SERVICE), *(_Chain(*row) for row in rows)]
    if slug is None:
        return chains
    chosen = [chain for chain in chains if chain.slug == slug]
    if not chosen:
        raise click.ClickException(f"There is no organization {slug!r}.")
    return chosen


def _read_kept(path: Path) -> dict[str, list[Head]]:
    """The heads in a file, by slug; other lines are passed over. A file without any was not what was meant."""
    kept: dict[str, list[Head]] = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        word, *rest = line.split()[:4] or [""]
        if word == "head" and len(rest) == 3 and rest[1].isdecimal() and len(rest[2]) == _HASH_DIGITS:
            try:
                row_hash = bytes.fromhex(rest[2])
            except ValueError:
                continue
            kept.setdefault(rest[0], []).append(Head(int(rest[1]), row_hash))
    if not kept:
        raise click.ClickException(f"{path} holds no head: keep what `flask verify-audit` prints.")
    return kept
