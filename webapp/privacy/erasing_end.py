"""The last step of erasing an organization: who was in it, the row itself, the receipt, and its name in our own audit.

All in one transaction, and only once nothing else names the organization. Called by erasing_jobs.py and erasures.py.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, select, update

from webapp.accounts.models import UserAccount
from webapp.accounts.people import end_sessions_of_members
from webapp.audit.checkpoints import cover_chain
from webapp.audit.service_chain import SERVICE_ID, note_for_service
from webapp.clock import now, to_ms
from webapp.database.engine import Database
from webapp.formatting import format_count
from webapp.organizations.support_mails import list_owners
from webapp.outbox.actions import queue_mail
from webapp.privacy.catalogue import list_erasable, mapped_class
from webapp.privacy.entries import How, Table
from webapp.privacy.erasing import UNTOLD, Receipt, find_erasure
from webapp.privacy.forgetting import forget_organization
from webapp.privacy.models import ErasureKind
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Organization
from webapp.tenancy.sessions import writing_session

RECEIPT = "erasure_receipt"


def end_erasure(database: Database, organization_id: int, *, tell: bool) -> Receipt | None:
    """None where somebody else has ended it. `tell`: its owners get the receipt."""
    forget_organization(database, organization_id)
    with writing_session(database, organization_id) as session:
        organization = session.get(Organization, organization_id, with_for_update=True)
        if organization is None:
            return None
        owners = [owner.email for owner in list_owners(session)] if tell else []
        closing_ms = organization.closing_ms
        receipt = _delete_the_rest(session, organization_id)
        if tell:
            _mail_receipt(session, receipt, owners, closing_ms)
        total, digest = receipt.total, receipt.digest
        note_for_service(session, "service.erased", None, organization_id, rows=total, digest=digest)
        session.commit()
    database.empty_log()
    return receipt


def _delete_the_rest(session: LockedSession, organization_id: int) -> Receipt:
    """AT_THE_END, and with it whatever was written meanwhile into any other table."""
    end_sessions_of_members(session)  # what they were doing there stands in them
    members = select(Membership.user_account_id).where(Membership.organization_id == organization_id)
    member_ids = list(session.scalars(members))
    erasure = find_erasure(session, ErasureKind.ORGANIZATION, organization_id)
    assert erasure is not None
    rows: dict[str, int] = json.loads(erasure.receipt)
    cover_chain(session)
    for table in list_erasable():
        count = _delete_left(session, table, organization_id)
        if count and table.name not in UNTOLD:
            rows[table.name] = rows.get(table.name, 0) + count
    _leave_alone(session, member_ids)
    erasure.erased_at, erasure.row_count = now(), sum(rows.values())
    erasure.receipt = json.dumps(rows, sort_keys=True)
    session.flush()
    return Receipt(organization_id, to_ms(erasure.erased_at), rows)


def _delete_left(session: LockedSession, table: Table, organization_id: int) -> int:
    mapped = mapped_class(table)
    if table.erased.how is How.BY_ORGANIZATION:
        condition = mapped.organization_id == organization_id
    elif table.erased.how is How.ITSELF:
        condition = mapped.id == organization_id
    else:
        return 0
    result: Any = session.execute(delete(mapped).where(condition).execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _leave_alone(session: LockedSession, member_ids: Sequence[int]) -> None:
    """From now on the days count after which an account without any organization is deleted; the hourly chore asks
    again who has another one.
    """
    session.execute(
        update(UserAccount)
        .where(UserAccount.id.in_(member_ids))
        .values(alone_since=now())
        .execution_options(synchronize_session=False)
    )


def _mail_receipt(session: LockedSession, receipt: Receipt, owners: Sequence[str], closing_ms: int | None) -> None:
    """To each who was an owner. It names no organization: that name is erased."""
    with session.beside(SERVICE_ID) as service:
        for address in owners:
            message = queue_mail(
                service,
                RECEIPT,
                address,
                cause=f"{RECEIPT}:{receipt.organization_id}",
                words={
                    "closed_on": _tell_day(closing_ms),
                    "erased_at": f"{now():%-d %B %Y, %H:%M}",
                    "total": format_count(receipt.total),
                    "tables": "\n".join(
                        f"{name}: {format_count(count)}" for name, count in sorted(receipt.rows.items())
                    ),
                    "digest": receipt.digest,
                },
            )
            message.organization_id = None


def _tell_day(ms: int | None) -> str:
    return "a day that is not known" if ms is None else f"{datetime.fromtimestamp(ms / 1000, now().tzinfo):%-d %B %Y}"
