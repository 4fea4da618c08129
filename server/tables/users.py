"""People who use the server, and their sessions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.permissions import Role
from server.tables.base import Base, Id, enum_of


class User(Base):
    """Somebody who may log in. ``district_code`` is the district they see, with all below it; null sees all."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    login: Mapped[str] = mapped_column(String(64), unique=True)
    display_name: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[Role] = mapped_column(enum_of(Role))
    district_code: Mapped[str | None] = mapped_column(ForeignKey("districts.code"))
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    password_changed_at: Mapped[datetime]
    password_expired: Mapped[bool] = mapped_column(
        default=False, comment="somebody else knows it: nothing is done before it was changed"
    )


class LoginSession(Base):
    """A login; the cookie holds a random token of which only the digest is here."""

    __tablename__ = "login_sessions"

    token_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    csrf_digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user: Mapped[User] = relationship(lazy="joined")

    __table_args__ = (Index(None, "user_id"), Index(None, "expires_at"))


class LoginThrottle(Base):
    """Logins that were tried under one name, or from one address, and had not been successful by then.

    The key is a blind index, and is there for names that no user has: what it says must not tell them apart.
    """

    __tablename__ = "login_throttles"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    tried: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime]
    closed_until: Mapped[datetime | None]

    __table_args__ = (Index(None, "last_at"),)
