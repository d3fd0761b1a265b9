"""The fixed people of every test, always under the same names, and their two organizations.

Harbour: Olive is its owner, Max a manager, Vera a viewer; Nina is a viewer who is narrowed to some extensions (to none
until make.narrow() gives her one) and sees masked numbers. Quayside: Quentin is its owner, and an outsider to Harbour.
Nobody has let Nora in anywhere. Stella and Steven are the operator's staff, and of no organization.
"""

from dataclasses import dataclass

from webapp.accounts.models import UserAccount
from webapp.accounts.people import create_user
from webapp.database.engine import Database
from webapp.organizations.actions import add_member, create_organization
from webapp.tenancy.models import Numbers, Organization, Role
from webapp.tenancy.sessions import writing_session

#: Of everybody in the cast.
PASSWORD = "six small boats at anchor"

_STAFF = ("stella", "steven")


@dataclass(frozen=True)
class Cast:
    harbour: Organization
    quayside: Organization
    olive: UserAccount
    max: UserAccount
    vera: UserAccount
    quentin: UserAccount
    nora: UserAccount
    nina: UserAccount
    stella: UserAccount
    steven: UserAccount


def assemble_cast(database: Database) -> Cast:
    """Store them all, the way the commands do."""
    with writing_session(database) as session:
        harbour = create_organization(session, "harbour", "Harbour Boats", "Europe/London", "GB")
        session.commit()
    with writing_session(database) as session:
        quayside = create_organization(session, "quayside", "Quayside Ltd", "Europe/Paris", "FR")
        session.commit()
    with writing_session(database) as session:
        people = {
            name: create_user(session, f"{name}@example.com", PASSWORD)
            for name in ("olive", "max", "vera", "quentin", "nora", "nina", *_STAFF)
        }
        for name in _STAFF:
            people[name].is_staff = True
        session.commit()
    members = {
        harbour: {"olive": Role.OWNER, "max": Role.MANAGER, "vera": Role.VIEWER},
        quayside: {"quentin": Role.OWNER},
    }
    for organization, roles in members.items():
        with writing_session(database, organization.id) as session:
            for name, role in roles.items():
                add_member(session, people[name], role)
            session.commit()
    with writing_session(database, harbour.id) as session:
        membership = add_member(session, people["nina"], Role.VIEWER)
        membership.narrowed, membership.numbers = True, Numbers.MASKED
        session.commit()
    return Cast(harbour=harbour, quayside=quayside, **people)
