"""Making people."""

import pytest

from tests.cast import PASSWORD, Cast
from webapp.accounts.models import UserAccount
from webapp.accounts.people import create_user, set_password
from webapp.accounts.queries import find_person
from webapp.database.engine import Database
from webapp.errors import Refused
from webapp.tenancy.sessions import reading_session, writing_session


def test_a_person_is_found_by_their_address_whatever_its_capitals(database: Database) -> None:
    with writing_session(database) as session:
        made = create_user(session, "  Ada.Lovelace@Example.COM ", PASSWORD)
        session.commit()
    assert made.email == "ada.lovelace@example.com"
    with reading_session(database) as session:
        found = find_person(session, "ADA.lovelace@example.com")
    assert found is not None
    assert found.id == made.id
    assert PASSWORD not in found.password_digest


@pytest.mark.parametrize(
    ("email", "password", "field"),
    [
        ("olive@example.com", PASSWORD, "email"),
        ("OLIVE@example.com", PASSWORD, "email"),
        ("no address", PASSWORD, "email"),
        ("a@b@c.example", PASSWORD, "email"),
        ("two@example.com\nBcc: all@example.com", PASSWORD, "email"),
        ("", PASSWORD, "email"),
        ("ada@example.com", "short", "password"),
        ("ada@example.com", "harbour2026boats", "password"),
        ("six.small.boats@anchor.example", "six small boats", "password"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    database: Database, cast: Cast, email: str, password: str, field: str
) -> None:
    with writing_session(database) as session, pytest.raises(Refused) as refusal:
        create_user(session, email, password, ("Harbour Boats",))
    assert refusal.value.field == field
    assert refusal.value.sentence


def test_a_weak_password_cannot_be_set(database: Database, cast: Cast) -> None:
    with writing_session(database) as session:
        olive = session.get_one(UserAccount, cast.olive.id)
        with pytest.raises(Refused):
            set_password(session, olive, "password2026")
        assert olive.password_digest == cast.olive.password_digest
