"""`make run`: a demo of its own, filled through the real import path, with a password made for this run.

The firm and its calls come from demo/, which knows nothing of Callbook. Each start adds the calls since the last one.
Beside them stand the real sample files that may be shipped, each as a phone system of its own.
"""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from config import Settings, SettingsError, load_settings
from demo import firm
from demo.write_call_records import CLOUD_FILE, MASTER_FILE, first_instant, write_cloud_csv, write_master_csv
from webapp import clock, create_app
from webapp.accounts.password_strength import weakness
from webapp.accounts.people import create_user, set_password
from webapp.accounts.queries import find_person
from webapp.accounts.second_factor import remove_every_factor
from webapp.calls.models import ImportFile, ImportState, Pbx
from webapp.database.engine import Database
from webapp.database.installation import InstallationError, check_start, initialize, number_key, open_database
from webapp.database.upgrades import upgrade
from webapp.demo_destinations import name_places
from webapp.demo_numbers import list_own_numbers
from webapp.demo_people import STAFF, invite_others, let_staff_in
from webapp.errors import CallbookError
from webapp.ingest.importer import run_import
from webapp.jobs.stored_files import open_stored_file, store_stream
from webapp.organizations.actions import add_member, create_organization
from webapp.policies.models import Policy
from webapp.policies.publishing import Change, Publisher, publish
from webapp.policies.values import load_values
from webapp.policies.versions import draft_of
from webapp.serving import serve
from webapp.sources import imports
from webapp.sources.actions import Answers, add_pbx, answer_questions
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization, Role
from webapp.tenancy.sessions import reading_session, writing_session

SLUG = "harbour"
EMAIL = "olive@harbour.example"
#: What belongs to the real installation alone.
_NOT_OF_THE_DEMO = ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_STAFF_URL", "NUMBER_KEY", "SECRET_KEY", "SMTP_URL")


class _System(NamedTuple):
    """A phone system of the firm, and what writes its file: path, since, until -> number of rows.

    `outside_lines` None: its questions are not answered, so its calls have no direction yet.
    """

    name: str
    format: str
    file_name: str
    write: Callable[[Path, datetime, datetime], int]
    outside_lines: tuple[str, ...] | None
    region: str = firm.REGION
    time_zone: str = firm.TIME_ZONE


def _sample(source: str) -> Callable[[Path, datetime, datetime], int]:
    """What "writes" a sample file: at the first start, when the whole history is asked for, and never again."""

    def write(path: Path, since: datetime, until: datetime) -> int:
        if since != first_instant(until):
            return 0
        content = (_SAMPLES / source).read_bytes()
        path.write_bytes(content)
        return content.count(b"\n")

    return write


_POLICY_FILE = Path(__file__).resolve().parents[1] / "demo" / "policy.toml"
_SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "data" / "readers"
_SYSTEMS = (
    _System(firm.HEAD_OFFICE, "asterisk_cdr_csv", MASTER_FILE, write_master_csv, firm.OUTSIDE_LINES[firm.HEAD_OFFICE]),
    _System(firm.CLOUD_TRUNK, "freeswitch_cdr_csv", CLOUD_FILE, write_cloud_csv, firm.OUTSIDE_LINES[firm.CLOUD_TRUNK]),
    _System(
        "Sample: an Asterisk office",
        "asterisk_cdr_csv",
        "captured-Master.csv",
        _sample("asterisk_cdr_csv/captured_21col_office_a.csv"),
        ("IAX2/provider",),
    ),
    _System(
        "Sample: Asterisk of 2017",
        "asterisk_cdr_csv",
        "2017-Master.csv",
        _sample("asterisk_cdr_csv/master_18col_parallel.csv"),
        None,
        region="US",
        time_zone="America/New_York",
    ),
    _System(
        "Sample: a CSV table",
        "generic_csv",
        "CDRImport-2015-10-26.csv",
        _sample("generic_csv/cdr_stats_with_header.csv"),
        None,
        region="ES",
        time_zone="Europe/Madrid",
    ),
)


def demo_settings(environ: Mapping[str, str]) -> Settings:
    """Settings of the demo: HOST, PORT, BASE_URL and DATA_DIR as given, nothing of the real installation."""
    ours = {name: text for name, text in environ.items() if name.removesuffix("_FILE") not in _NOT_OF_THE_DEMO}
    policies = {"POLICY_FILE": str(_POLICY_FILE)} if "POLICY_FILE" not in ours else {}
    return load_settings({**ours, **policies, "SECRET_KEY": secrets.token_hex(32)}, demo=True)


def prepare(settings: Settings, database: Database, tell: Callable[[str], None]) -> str:
    """Make the demo's database and everything in it, up to now; gives the password of this run."""
    if not initialize(settings, holds_demo=True):
        upgrade(settings)
    check_start(database, settings)
    organization = _organization(database)
    password = _person(database, organization)
    for system in _SYSTEMS:
        _add_calls(database, settings, organization, system, tell)
    with writing_session(database, organization.id) as session:
        invite_others(session, organization, settings.secret_key)
        name_places(session)
        list_own_numbers(session)
        session.commit()
    with writing_session(database) as session:
        let_staff_in(session, password)
        _publish_policies(session, settings)
        session.commit()
    return password


def _publish_policies(session: LockedSession, settings: Settings) -> None:
    """At the first start, and again when a later version brings other words."""
    values, by = load_values(settings), Publisher(None, "The demo", "so that there is something to read")
    for policy in Policy:
        draft = draft_of(session, settings, values, policy)
        if draft.is_new:
            summary = "The text of this version of Callbook." if draft.newest else "The first version of the demo."
            publish(session, draft, Change(summary, significant=False), by, values.notice_days)


def _organization(database: Database) -> Organization:
    """The firm with its phone systems: made at the first start; one that a later version adds, at the next."""
    with writing_session(database) as session:
        organization = session.scalars(select(Organization).where(Organization.slug == SLUG)).one_or_none()
        if organization is None:
            organization = create_organization(session, SLUG, firm.ORGANIZATION_NAME, firm.TIME_ZONE, firm.REGION)
        session.bind_organization(organization.id)
        known = set(session.scalars(select(Pbx.name)))
        for system in _SYSTEMS:
            if system.name not in known:
                _add_system(session, system)
        session.commit()
    return organization


def _add_system(session: LockedSession, system: _System) -> None:
    pbx = add_pbx(session, system.name, system.time_zone, system.region, system.format, actor_id=None)
    if system.outside_lines is None:
        return
    answers = Answers(
        outside_lines=frozenset(system.outside_lines),
        extension_digits=str(firm.EXTENSION_DIGITS),
        outside_prefix="",
        region=system.region,
        area_code=firm.AREA_CODE,
        time_zone=system.time_zone,
    )
    answer_questions(session, pbx, answers, actor_id=None)


def _person(database: Database, organization: Organization) -> str:
    """The owner of the firm with a new password: nobody keeps one that was printed on a screen."""
    password = _new_password()
    with writing_session(database, organization.id) as session:
        person = find_person(session, EMAIL)
        if person is None:
            person = create_user(session, EMAIL, password)
            person.name = "Olive"
            add_member(session, person, Role.OWNER)
        else:
            set_password(session, person, password)
            remove_every_factor(session, person)  # sealed under the key of the last run
        session.commit()
    return password


def _new_password() -> str:
    """Four syllable pairs, some 49 bits: easily typed, and for this machine only."""
    while True:
        syllables = [
            "".join(secrets.choice("bdfghjklmnprstvz") + secrets.choice("aeiou") for _ in "12") for _ in range(4)
        ]
        password = "-".join(syllables)
        if weakness(password, (EMAIL, SLUG)) is None:
            return password


def _add_calls(
    database: Database, settings: Settings, organization: Organization, system: _System, tell: Callable[[str], None]
) -> None:
    """Import what the phone system wrote since the last start, as an upload would be."""
    until = clock.now()
    with reading_session(database, organization.id) as session:
        pbx = session.scalars(select(Pbx).where(Pbx.name == system.name)).one()
        done = ImportFile.pbx_id == pbx.id, ImportFile.state == ImportState.DONE
        since = session.scalar(select(func.max(ImportFile.created_at)).where(*done)) or first_instant(until)
    path = settings.data_dir / "tmp" / system.file_name
    try:
        if system.write(path, since, until):
            file = _import(database, settings, organization, pbx, path, until)
            tell(f"{system.name}: {file.stored_count:,} records stored, {file.call_count:,} calls.")
    finally:
        path.unlink(missing_ok=True)


def _import(
    database: Database, settings: Settings, organization: Organization, pbx: Pbx, path: Path, until: datetime
) -> ImportFile:
    with path.open("rb") as stream:
        stored_file_id = store_stream(database, organization.id, stream)
    with open_stored_file(database, organization.id, stored_file_id) as stored:
        recognised = imports.recognise_stream(stored)
    with writing_session(database, organization.id) as session:
        file = imports.receive_file(session, pbx, stored_file_id, path.name, recognised, None)
        file.format = pbx.format
        imports.begin_import(session, file, pbx, actor_id=None)
        file.created_at = until  # where the next start goes on
        session.commit()
    run_import(database, number_key(settings), organization.id, file.id)
    with reading_session(database, organization.id) as session:
        file = session.get_one(ImportFile, (organization.id, file.id))
    if file.state is not ImportState.DONE:
        raise InstallationError(f"The demo's calls could not be imported: {file.error or file.state.name.lower()}")
    return file


def _tell(line: str) -> None:
    sys.stdout.write(f"  {line}\n")
    sys.stdout.flush()


def main() -> None:
    """`make run`."""
    try:
        settings = demo_settings(os.environ)
        database = open_database(settings)
        _tell("Callbook demo: bringing the calls of Harbour Ltd up to now. The first start takes longest.")
        password = prepare(settings, database, _tell)
    except (SettingsError, InstallationError, CallbookError) as error:
        raise SystemExit(f"The demo does not start.\n{error}") from None
    serve(
        create_app(settings, database),
        database,
        settings,
        f"\n  Address:   {settings.base_url}/\n  E-mail:    {EMAIL}\n  Password:  {password}   (made for this run)\n"
        f"  Mail:      {settings.base_url}/demo/mail   (the demo sends none; read it there)\n"
        f"  Console:   {settings.base_url}/staff/sign-in   ({STAFF}, the same password)\n\n"
        "Stop it with Ctrl+C.\n",
    )


if __name__ == "__main__":
    main()
