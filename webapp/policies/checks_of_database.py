"""Checks of the database: its locks, what the console may read, what is stored at all, the chains, what is sealed.

Bounded: the locks by the number of tables, the chains as chains.py says, the rest by the number of people.
Called by promises.py.
"""

import json
import stat
from typing import Any

from sqlalchemy import LargeBinary, and_, func, literal, or_, select

from webapp.accounts.models import UserAccount
from webapp.audit.models import AuditDetail, AuditEvent
from webapp.audit.service_chain import SERVICE_ID
from webapp.database.promised import (
    list_console_rights,
    list_open_locks,
    list_strange_columns,
    list_strange_features,
)
from webapp.outbox.models import OutboxMessage
from webapp.policies.chains import look
from webapp.policies.checks_of_pages import ask
from webapp.policies.models import PolicyVersion
from webapp.policies.promise import CheckContext, first_of
from webapp.policies.versions import is_as_told
from webapp.tallies import today
from webapp.tenancy.lock import LockedSession
from webapp.tenancy.models import Membership, Tenant

_SEALED = b"gAAAA"  #: how everything begins that sealing.py has sealed
_DIGEST = "$argon2id$"
_LOOKED_BACK_DAYS = 1


def tenants_apart(context: CheckContext) -> str:
    """The session lock, tried; and on PostgreSQL forced row-level security of every tenant table, as it stands."""
    why = _try_session_lock(context)
    if why or context.database.dialect == "sqlite":
        return why
    tables = [table.__tablename__ for table in (*Tenant.__subclasses__(), Membership)]  # type: ignore[attr-defined]
    with context.database.reading.connect() as connection:
        return first_of(list_open_locks(connection, tables))


def _try_session_lock(context: CheckContext) -> str:
    """Asks every table for rows with nothing bound, and for those of another organization. The chain of the service is
    always there, and each organization has one: so there is always something to be found.
    """
    with context.reading() as session:
        if _sees_anything(session):
            return "A question to the database that names no organization was answered."
    for mine in (SERVICE_ID, *context.list_organization_ids()[:2]):
        with context.reading(mine) as session:
            if _sees_anything(session, but=mine):
                return "A question of one organization was answered with rows of another."
    return ""


def _sees_anything(session: LockedSession, but: int | None = None) -> bool:
    """`but`: rows of this one are meant to be seen. Keys begin with whose a row is: the first and the last row tell."""
    whose: list[Any] = [table.organization_id for table in (*Tenant.__subclasses__(), Membership)]  # type: ignore[attr-defined]
    ends = (select(each).order_by(end).limit(1) for each in whose for end in (each, each.desc()))
    return any(session.scalars(end).first() not in (None, but) for end in ends)


def staff_locked_out(context: CheckContext) -> str | None:
    """What the console's connections can read and write without a grant, tried or asked for on the spot."""
    if context.staff_database is None:
        return None  # another process may have the console
    return first_of(list_console_rights(context.staff_database))


def counts_only(context: CheckContext) -> str:
    """The count of use knows a day, an organization, the name of a feature and a number, and nothing else."""
    with context.database.reading.connect() as connection:
        more = [name for name in list_strange_columns(connection) if name.startswith("feature_use.")]
        if more:
            return "The count of what is used holds more than day, organization, feature and number."
        known = list(context.app.blueprints)
        if list_strange_features(connection, known, today() - _LOOKED_BACK_DAYS):
            return "The count of what is used holds words that name no feature."
    return ""


def nothing_but_records(context: CheckContext) -> str:
    """The database has no table and no column that schema.sql, and with it the data inventory, does not have."""
    with context.database.reading.connect() as connection:
        if list_strange_columns(connection):
            return "The database holds a table or a column that our list of what we hold does not have."
    return ""


def audit_whole(context: CheckContext) -> str | None:
    """No row of any chain was changed, taken out or put in, as far as chains.py has come; and every version of a policy
    is as the chain says that it was published.

    What any process has seen counts until one has looked at everything again, from after it was seen last.
    """
    watch = look(context.database, context.list_organization_ids(), context.moment)
    if watch.broken:
        return "A record of who looked was changed or taken out after it was written."
    if _is_policy_altered(context):
        return "A version of a policy is not as it was published: our audit holds another digest of it."
    before = context.before.get("audit-whole")
    if before is not None and before.kept:
        return ""
    is_whole = watch.whole_since is not None and (before is None or watch.whole_since > before.checked_at)
    return "" if is_whole else None


def _is_policy_altered(context: CheckContext) -> bool:
    """Text, values, day or weight are others than the chain says; or one was taken out, or put in."""
    its_event = and_(
        AuditEvent.organization_id == AuditDetail.organization_id, AuditEvent.position == AuditDetail.position
    )
    published = (
        select(AuditDetail.words).join(AuditEvent, its_event).where(AuditEvent.kind == "service.policy_published")
    )
    with context.reading(SERVICE_ID) as session:
        there = {(each.policy.word, each.version): each for each in session.scalars(select(PolicyVersion))}
        told = [json.loads(words or "{}") for words in session.scalars(published)]
    as_told = {(words["policy"], words["version"]): words for words in told}
    return there.keys() != as_told.keys() or not all(is_as_told(there[key], as_told[key]) for key in there)


def encrypted_on_the_way(context: CheckContext) -> str:
    """By https where the policy says so; what must be readable again is sealed, and passwords are digests."""
    settings = context.settings
    if not settings.secure and "TLS" in str(context.said.filling["transport"]):
        return "The policy says that everything travels by TLS, and the service answers without it."
    if settings.secure and "Strict-Transport-Security" not in ask(context, "/").headers:
        return "Browsers are not told to come by TLS only."
    if settings.data_dir.is_dir() and settings.data_dir.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return "Other users of the server's machine may look into the folder with its data."
    sealed = literal(_SEALED, LargeBinary)
    secrets = (UserAccount.totp_secret, OutboxMessage.secret)
    with context.reading() as session:
        for column in secrets:
            begins = func.substr(column, 1, len(_SEALED), type_=LargeBinary)
            open_one = select(literal(1)).where(column.is_not(None), begins != sealed).limit(1)
            if session.scalars(open_one).first() is not None:
                return "A secret is stored that is not sealed."
        plain = or_(UserAccount.password_digest == "", UserAccount.password_digest.startswith(_DIGEST))
        if session.scalars(select(UserAccount.id).where(~plain).limit(1)).first() is not None:
            return "A password is stored by a digest that is too weak."
    return ""
