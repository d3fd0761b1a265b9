"""flask init-db, upgrade-db, create-organization, create-user: they validate, explain, and are found by their names."""

from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from config import Settings
from tests.cast import PASSWORD, Cast
from tests.client import PageCheckingClient
from tests.make import SECRET_KEY
from webapp.accounts.queries import find_person
from webapp.cli import register_commands
from webapp.database import installation
from webapp.database.engine import Database
from webapp.organizations.models import Invitation, InvitationState
from webapp.outbox.models import OutboxMessage
from webapp.sealing import unseal
from webapp.tenancy.models import Membership, Organization, Role
from webapp.tenancy.sessions import reading_session


def run(app: Flask, *words: str, given: str = "") -> Result:
    return app.test_cli_runner().invoke(args=words, input=given)


def create_user(
    app: Flask, email: str, slug: str = "harbour", role: str = "viewer", password: str = PASSWORD
) -> Result:
    return run(
        app, "create-user", email, "--organization", slug, "--role", role, "--password-stdin", given=f"{password}\n"
    )


def test_every_command_of_the_house_is_there(app: Flask) -> None:
    expected = {"init-db", "upgrade-db", "create-organization", "create-user", "check", "create-pbx", "import-calls"}

    assert expected <= set(app.cli.commands)
    assert all(app.cli.commands[name].help for name in expected)


def test_init_db_says_that_the_database_is_there(app: Flask) -> None:
    done = run(app, "init-db")

    assert (done.exit_code, "was there already; its data is as it was" in done.output) == (0, True)


def test_upgrade_db_has_nothing_to_do(app: Flask) -> None:
    done = run(app, "upgrade-db")

    assert (done.exit_code, done.output) == (0, "The database is up to date.\n")


# ---------------------------------------------------------------------------------------------- create-organization


def create_organization(
    app: Flask, slug: str = "pier", name: str = "Pier & Co", zone: str = "Europe/London", region: str = "GB"
) -> Result:
    return run(app, "create-organization", slug, "--name", name, "--time-zone", zone, "--region", region)


def test_an_organization_is_made(app: Flask, database: Database) -> None:
    done = create_organization(app)

    assert done.exit_code == 0
    with reading_session(database) as session:
        made = session.scalars(select(Organization).where(Organization.slug == "pier")).one()
    assert (made.name, made.time_zone, made.region) == ("Pier & Co", "Europe/London", "GB")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"slug": "Pier"}, "cannot stand in an address"),
        ({"slug": "pier/../x"}, "cannot stand in an address"),
        ({"slug": "harbour"}, "already"),
        ({"name": " "}, "name"),
        ({"zone": "Europe/Atlantis"}, "no time zone"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"region": "Britain"}, "no country"),
    ],
)
def test_a_wrong_organization_is_explained_and_not_made(
    wrong: dict[str, str], words: str, app: Flask, database: Database, cast: Cast
) -> None:
    done = create_organization(app, **wrong)

    assert (done.exit_code, words in done.output) == (1, True)
    with reading_session(database) as session:
        assert len(session.scalars(select(Organization)).all()) == 2


def test_its_first_owner_is_invited_and_the_link_is_not_told(app: Flask, database: Database) -> None:
    words = ("--name", "Pier", "--time-zone", "Europe/London", "--region", "GB", "--owner", "Ada@Example.com")
    done = run(app, "create-organization", "pier", *words)

    assert done.exit_code == 0
    assert "ada@example.com is invited" in done.output
    assert "No mail is set up" in done.output
    with reading_session(database) as session:
        pier = session.scalars(select(Organization).where(Organization.slug == "pier")).one()
        [mail] = session.scalars(select(OutboxMessage))
    with reading_session(database, pier.id) as session:
        [invitation] = session.scalars(select(Invitation))
    assert (mail.template, mail.to_address, mail.organization_id) == ("invitation", "ada@example.com", pier.id)
    assert (invitation.role, invitation.invited_by, invitation.state) == (Role.OWNER, None, InvitationState.OPEN)
    assert mail.secret is not None
    assert unseal(SECRET_KEY, mail.secret).decode() not in done.output
    assert "/invitations/" not in done.output


def test_a_wrong_owner_is_explained_and_no_organization_made(app: Flask, database: Database) -> None:
    words = ("--name", "Pier", "--time-zone", "Europe/London", "--region", "GB", "--owner", "nobody")
    done = run(app, "create-organization", "pier", *words)

    assert (done.exit_code, "no e-mail address" in done.output) == (1, True)
    with reading_session(database) as session:
        assert session.scalars(select(Organization)).all() == []


# ------------------------------------------------------------------------------------------------------ create-user


def create_pier(app: Flask, database: Database) -> Organization:
    """An organization that nobody owns yet."""
    assert create_organization(app).exit_code == 0
    with reading_session(database) as session:
        return session.scalars(select(Organization).where(Organization.slug == "pier")).one()


@pytest.mark.parametrize("role", ["viewer", "manager", "owner"])
def test_a_person_is_made_who_can_sign_in(
    role: str, app: Flask, client: PageCheckingClient, database: Database, cast: Cast
) -> None:
    pier = create_pier(app, database)

    done = create_user(app, "New.Person@Example.com", "pier", role=role)

    assert done.exit_code == 0
    with reading_session(database, pier.id) as session:
        person = find_person(session, "new.person@example.com")
        assert person is not None
        assert session.get_one(Membership, (pier.id, person.id)).role is Role[role.upper()]
    client.sign_in(person)
    assert client.get("/").status_code in (200, 303)


def test_somebody_known_becomes_a_member_and_keeps_the_password(app: Flask, database: Database, cast: Cast) -> None:
    before = cast.nora.password_digest
    pier = create_pier(app, database)

    done = create_user(app, cast.nora.email, "pier", password="another password of twelve")

    assert (done.exit_code, "password is as it was" in done.output) == (0, True)
    with reading_session(database, pier.id) as session:
        person = find_person(session, cast.nora.email)
        assert person is not None
        assert person.password_digest == before
        assert session.get(Membership, (pier.id, person.id)) is not None


def test_where_there_is_an_owner_the_operator_asks(app: Flask, database: Database, cast: Cast) -> None:
    done = create_user(app, "New@Example.com", role="owner")

    assert (done.exit_code, "until an owner confirms it" in done.output) == (0, True)
    with reading_session(database, cast.harbour.id) as session:
        assert find_person(session, "new@example.com") is None
        filed = session.scalars(select(Invitation).where(Invitation.email == "new@example.com")).one()
        assert (filed.state, filed.role, filed.mail_count) == (InvitationState.UNCONFIRMED, Role.OWNER, 0)
        assert session.scalars(select(OutboxMessage)).all() == []
    assert "waits for an owner" in create_user(app, "new@example.com").output


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"email": "nobody"}, "no e-mail address"),
        ({"slug": "nowhere"}, "There is no organization 'nowhere'"),
        ({"slug": "pier", "password": "short"}, "12"),
        ({"slug": "pier", "password": "x" * 129}, "128"),
        ({"email": "olive@example.com"}, "member already"),
    ],
)
def test_a_wrong_person_is_explained_and_not_made(
    wrong: dict[str, str], words: str, app: Flask, database: Database, cast: Cast
) -> None:
    create_pier(app, database)

    done = create_user(app, **{"email": "new@example.com", **wrong})

    assert (done.exit_code, words in done.output) == (1, True)
    assert "Traceback" not in done.output
    with reading_session(database, cast.harbour.id) as session:
        assert find_person(session, "new@example.com") is None


def test_the_password_is_not_echoed(app: Flask, database: Database) -> None:
    create_pier(app, database)
    assert PASSWORD not in create_user(app, "new@example.com", "pier").output


def test_an_unknown_role_is_refused(app: Flask, cast: Cast) -> None:
    assert create_user(app, "new@example.com", role="admin").exit_code == 2


# ------------------------------------------------------------------------------------------- settings and the schema


def test_with_wrong_settings_each_command_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SECRET_KEY", "short")
    monkeypatch.setenv("PORT", "none")
    app = Flask("callbook")
    register_commands(app)

    for words in (
        ("init-db",),
        ("upgrade-db",),
        ("create-organization", "a", "--name", "A", "--time-zone", "UTC", "--region", "GB"),
    ):
        done = run(app, *words)
        assert done.exit_code == 1
        assert "SECRET_KEY: is too short" in done.output
        assert "PORT: 'none' is no port" in done.output
    assert list(tmp_path.iterdir()) == []


def test_commands_that_write_refuse_an_older_schema(
    app: Flask, settings: Settings, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "newest_version", lambda _dialect: 99)

    done = create_user(app, "new@example.com")

    assert (done.exit_code, "flask upgrade-db" in done.output) == (1, True)
