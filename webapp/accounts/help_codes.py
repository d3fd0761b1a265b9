"""Codes by which an owner tells support on the telephone who they are: eight digits, fifteen minutes, one use.

Made by organizations/help_code_views.py, taken by staff/lost_factor_views.py, which counts tries first. The table has
keyed digests only. It opens nothing: staff see name, address and organization.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, select, update

from webapp.accounts.models import HelpCode, UserAccount
from webapp.accounts.queries import list_owners
from webapp.accounts.second_factor import Keys
from webapp.audit.actions import record
from webapp.audit.service_chain import note_for_service
from webapp.clock import now
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Organization

LIVES = timedelta(minutes=15)
DIGITS = 8


@dataclass(frozen=True)
class Caller:
    """Who is on the telephone."""

    name: str
    email: str
    organization: str


def make_code(session: LockedSession, keys: Keys, person_id: int) -> tuple[str, datetime]:
    """A new code of an owner of the bound organization, and until when it counts; an earlier one is dead."""
    session.execute(delete(HelpCode).where(HelpCode.user_account_id == person_id))
    code = _new_code(session, keys)
    expires_at = now() + LIVES
    session.add(
        HelpCode(
            user_account_id=person_id,
            organization_id=session.organization_id,
            code_digest=_digest(keys.current, code),
            expires_at=expires_at,
            used_at=None,
            used_by=None,
        )
    )
    session.flush()
    record(session, "help_code.made", actor_id=person_id)
    return f"{code[:4]} {code[4:]}", expires_at


def _new_code(session: LockedSession, keys: Keys) -> str:
    """One that no other person has just now."""
    while True:
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        known = select(HelpCode.user_account_id).where(HelpCode.code_digest == _digest(keys.current, code))
        if session.scalars(known).first() is None:
            return code


def take_code(session: LockedSession, keys: Keys, code: str, staff: UserAccount) -> Caller | None:
    """Whose code it is, once. None: it is nobody's, used, too old, or theirs who owns the organization no more."""
    digests = [_digest(key, re.sub(r"[\s-]", "", code)) for key in (keys.current, *keys.earlier)]
    found = session.scalars(select(HelpCode).where(HelpCode.code_digest.in_(digests))).first()
    if found is None or not _use(session, digests, staff):
        return None
    organization = session.get_one(Organization, found.organization_id)
    name = staff.name or staff.email
    with session.beside(organization.id) as own:
        person = next((each for each in list_owners(own) if each.id == found.user_account_id), None)
        if person is None:
            return None
        record(own, "help_code.used", actor_id=staff.id, object_id=person.id, staff=name, email=person.email)
    note_for_service(session, "help_code.used", staff.id, person.id, staff=name, email=person.email)
    return Caller(person.name, person.email, organization.name)


def _use(session: LockedSession, digests: Iterable[bytes], staff: UserAccount) -> bool:
    """One conditional UPDATE decides: of two at a time exactly one is answered."""
    result = session.execute(
        update(HelpCode)
        .where(HelpCode.code_digest.in_(digests), HelpCode.used_at.is_(None), HelpCode.expires_at > now())
        .values(used_at=now(), used_by=staff.id)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == 1)


def _digest(key: str, code: str) -> bytes:
    return hmac.new(key.encode(), f"help code\x00{code}".encode(), hashlib.sha256).digest()
