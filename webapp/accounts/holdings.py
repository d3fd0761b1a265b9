"""What is held about a person, for themselves: every row of theirs, without what only guards them (digests, secrets).

Called by account_views.py. A new table with a user_account_id must be listed here: tests/accounts/test_download.py.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import inspect, select

from webapp.accounts.models import AccountLink, FactorRemoval, HelpCode, PasskeyChallenge, RecoveryCode, UserAccount
from webapp.accounts.passkeys import list_passkeys
from webapp.accounts.queries import list_addresses, list_events, list_memberships, list_sessions
from webapp.tenancy.lock import LockedSession

_GUARDS = frozenset(
    {
        *("password_digest", "totp_secret", "totp_last_step", "code_digest", "token_digest", "id_digest"),
        *("credential_id", "public_key", "sign_count", "challenge_digest", "browser_digest", "stop_digest"),
    }
)
_OURS = frozenset({"payload", "user_account_id"})
_EVENTS_AT_MOST = 10_000
#: Tables whose rows are told as they are.
_others: list[type[Any]] = [PasskeyChallenge, HelpCode, FactorRemoval]


def tell_of(table: type[Any]) -> None:
    """Let what is held about a person tell of their rows of this table too: one of a later package."""
    if table not in _others:
        _others.append(table)


def list_holdings(session: LockedSession, person: UserAccount) -> dict[str, Any]:
    """By table; instants as datetime. `session` is bound to the person."""
    mine = RecoveryCode.user_account_id == person.id
    return {
        "user_account": _spell_row(person),
        "second_factor": person.has_factor,
        "passkey": _spell_rows(list_passkeys(session, person.id)),
        **{
            table.__tablename__: _spell_rows(session.scalars(select(table).where(table.user_account_id == person.id)))
            for table in _others
        },
        "user_email": _spell_rows(list_addresses(session, person.id)),
        "recovery_code": _spell_rows(session.scalars(select(RecoveryCode).where(mine))),
        "account_link": _spell_rows(
            session.scalars(select(AccountLink).where(AccountLink.user_account_id == person.id))
        ),
        "membership": [
            {**_spell_row(membership), "organization": organization.name}
            for membership, organization in list_memberships(session)
        ],
        "web_session": _spell_rows(list_sessions(session, person.id)),
        "account_event": _spell_rows(list_events(session, person.id, _EVENTS_AT_MOST)),
    }


def _spell_rows(rows: Iterable[Any]) -> list[dict[str, Any]]:
    return [_spell_row(row) for row in rows]


def _spell_row(row: Any) -> dict[str, Any]:
    names = [attribute.key for attribute in inspect(row).mapper.column_attrs]
    return {name: getattr(row, name) for name in names if name not in _GUARDS | _OURS}
