"""People and their signed-in browsers. Global tables: they can be asked before an organization is known."""

from datetime import datetime
from enum import IntEnum

from flask_login import UserMixin
from sqlalchemy import BigInteger, ForeignKey, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from webapp.database.base import Base
from webapp.database.types import Instant, SmallEnum


class AccountState(IntEnum):
    ACTIVE = 1
    DISABLED = 2


class UserAccount(UserMixin, Base):  # type: ignore[misc]
    """A person who can sign in. `email` is lower case; to flask-login an instance is always an authenticated user."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(Text)
    password_digest: Mapped[str] = mapped_column(Text)
    state: Mapped[AccountState] = mapped_column(SmallEnum(AccountState))
    created_at: Mapped[datetime] = mapped_column(Instant)
    password_set_at: Mapped[datetime] = mapped_column(Instant)

    @property
    def is_active(self) -> bool:
        return self.state == AccountState.ACTIVE


class WebSession(Base):
    """A signed-in browser; `id_digest` is the SHA-256 of the id in its cookie. Written by web_sessions.py alone."""

    __tablename__ = "web_session"

    id_digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    user_account_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    payload: Mapped[str] = mapped_column(Text)
