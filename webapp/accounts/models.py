"""People and their signed-in browsers. Global tables: they can be asked before an organization is known."""

from datetime import datetime
from enum import IntEnum

from flask_login import UserMixin
from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

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
