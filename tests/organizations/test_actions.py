"""Making organizations and letting people in."""

import pytest

from tests.cast import Cast
from webapp.accounts.models import UserAccount
from webapp.database.engine import Database
from webapp.errors import NotFound, Refused
from webapp.organizations.actions import add_member, create_organization
from webapp.organizations.queries import get_organization
from webapp.tenancy.models import Membership, Role
from webapp.tenancy.row_security import TenancyError
from webapp.tenancy.sessions import reading_session, writing_session

GOOD = {"slug": "two-words-2", "name": "Two Words", "time_zone": "Europe/London", "region": "GB"}


def test_an_organization_is_made(database: Database) -> None:
    with writing_session(database) as session:
        made = create_organization(session, **GOOD)
        session.commit()
    with reading_session(database) as session:
        found = get_organization(session, "two-words-2")
    assert (found.id, found.name, found.time_zone, found.region) == (made.id, "Two Words", "Europe/London", "GB")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("slug", ""),
        ("slug", "Harbour"),
        ("slug", "two words"),
        ("slug", "two--words"),
        ("slug", "-x"),
        ("slug", "x/y"),
        ("slug", "x\n"),
        ("slug", "x" * 41),
        ("slug", "harbour"),
        ("name", ""),
        ("name", "  "),
        ("name", "x" * 101),
        ("time_zone", "GMT+1"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "europe/london"),
        ("time_zone", ""),
        ("region", "UK"),
        ("region", "gb"),
        ("region", ""),
        ("region", "GBR"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(database: Database, cast: Cast, field: str, value: str) -> None:
    with writing_session(database) as session, pytest.raises(Refused) as refusal:
        create_organization(session, **{**GOOD, field: value})
    assert refusal.value.field == field
    assert refusal.value.sentence.endswith(".")


def test_a_member_is_let_in_once(database: Database, cast: Cast) -> None:
    with writing_session(database, cast.harbour.id) as session:
        nora = session.get_one(UserAccount, cast.nora.id)
        made = add_member(session, nora, Role.MANAGER)
        assert made.organization_id == cast.harbour.id
        with pytest.raises(Refused, match="is a member already"):
            add_member(session, nora, Role.OWNER)
        session.commit()
    with reading_session(database, cast.harbour.id) as session:
        assert session.get_one(Membership, (cast.harbour.id, cast.nora.id)).role == Role.MANAGER


def test_nobody_is_let_in_without_an_organization(database: Database, cast: Cast) -> None:
    with writing_session(database) as session:
        nora = session.get_one(UserAccount, cast.nora.id)
        with pytest.raises(TenancyError):
            add_member(session, nora, Role.OWNER)


def test_an_unknown_organization_is_not_found(database: Database) -> None:
    with reading_session(database) as session, pytest.raises(NotFound, match="'nowhere'"):
        get_organization(session, "nowhere")
