"""People and their signed-in browsers. Global tables: they can be asked before an organization is known."""

from datetime import datetime
from enum import IntEnum

from flask_login import UserMixin
from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, LargeBinary, Text, exists
from sqlalchemy.orm import Mapped, column_property, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum


class AccountState(IntEnum):
    ACTIVE = 1
    DISABLED = 2


class LinkKind(IntEnum):
    NEW_PASSWORD = 1
    CONFIRM_ADDRESS = 2


class SessionState(IntEnum):
    ON_ITS_WAY = 1  #: a step of the sign-in or an invitation is under way; nobody is signed in
    SIGNED_IN = 2


class PasskeyPurpose(IntEnum):
    REGISTER = 1
    SIGN_IN = 2
    PROVE = 3


class RemovalState(IntEnum):
    WAITS = 1
    DONE = 2
    STOPPED = 3


class Passkey(Base):
    """Signs a person in without a password. `public_key` is in COSE; `transports` a JSON list."""

    __tablename__ = "passkey"

    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    synced: Mapped[bool] = mapped_column(Boolean)
    transports: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class UserAccount(UserMixin, Base):  # type: ignore[misc]
    """A person who can sign in. `email` is lower case and the primary address; `name` is "" until the person tells it.

    To flask-login an instance is always an authenticated user.
    """

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    password_digest: Mapped[str] = mapped_column(Text)
    totp_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    totp_last_step: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[AccountState] = mapped_column(SmallEnum(AccountState))
    created_at: Mapped[datetime] = mapped_column(Instant)
    password_set_at: Mapped[datetime] = mapped_column(Instant)
    alone_since: Mapped[datetime | None] = mapped_column(Instant)
    is_staff: Mapped[bool] = mapped_column(Boolean, default=False)
    has_passkey: Mapped[bool] = column_property(
        exists().where(Passkey.user_account_id == id).correlate_except(Passkey),  # noqa: A003 - the column
        expire_on_flush=False,
    )

    @property
    def has_factor(self) -> bool:
        """Whether the password alone is not enough: there is an authenticator app, or a passkey."""
        return self.totp_secret is not None or self.has_passkey

    @property
    def is_active(self) -> bool:
        return self.state == AccountState.ACTIVE


class UserEmail(Base):
    """A confirmed address of a person."""

    __tablename__ = "user_email"

    email: Mapped[str] = mapped_column(Text, primary_key=True)
    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"))
    confirmed_at: Mapped[datetime] = mapped_column(Instant)


class RecoveryCode(Base):
    """Signs in once in place of the authenticator app."""

    __tablename__ = "recovery_code"

    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"), primary_key=True)
    code_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class AccountLink(Base):
    """A link that was mailed to a person; `token_digest` is the SHA-256 of its token."""

    __tablename__ = "account_link"

    token_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"))
    kind: Mapped[LinkKind] = mapped_column(SmallEnum(LinkKind))
    email: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class AccountEvent(Base):
    """What happened to a person's own account."""

    __tablename__ = "account_event"

    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant)
    network: Mapped[str] = mapped_column(Text)
    browser: Mapped[str] = mapped_column(Text)


class WebSession(Base):
    """A browser that is signed in or on its way; `id_digest` is the SHA-256 of the id in its cookie.

    Written by web_sessions.py alone.
    """

    __tablename__ = "web_session"

    id_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger)
    user_account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id"))
    state: Mapped[SessionState] = mapped_column(SmallEnum(SessionState))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    proved_at: Mapped[datetime | None] = mapped_column(Instant)
    idle_minutes: Mapped[int] = mapped_column(Integer)
    network: Mapped[str] = mapped_column(Text)
    browser: Mapped[str] = mapped_column(Text)
    payload: Mapped[str] = mapped_column(Text)
    renewal_due: Mapped[bool] = mapped_column(Boolean)
    factor_ms: Mapped[int | None] = mapped_column(BigInteger)
    is_staff: Mapped[bool] = mapped_column(Boolean, default=False)


class PasskeyChallenge(Base):
    """A question that a passkey is to answer, once, in the browser that asked."""

    __tablename__ = "passkey_challenge"

    challenge_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[PasskeyPurpose] = mapped_column(SmallEnum(PasskeyPurpose))
    browser_digest: Mapped[bytes] = mapped_column(LargeBinary)
    user_account_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("user_account.id"))
    expires_at: Mapped[datetime] = mapped_column(Instant)


class HelpCode(Base):
    """Eight digits by which a person tells staff on the telephone who they are."""

    __tablename__ = "help_code"

    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(BigInteger)
    code_digest: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    used_by: Mapped[int | None] = mapped_column(BigInteger)


class FactorRemoval(Base):
    """A person lost every second factor and is let in again by the password, step by step."""

    __tablename__ = "factor_removal"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"))
    state: Mapped[RemovalState] = mapped_column(SmallEnum(RemovalState))
    started_by: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    stop_digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)
    ready_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
