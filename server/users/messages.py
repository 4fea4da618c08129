"""What is said of users and logins, over the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from server.messages import Message
from server.permissions import Permission, Role

LOGIN_PATTERN = r"^[a-z0-9][a-z0-9._-]{1,63}$"

LoginName = Annotated[str, StringConstraints(pattern=LOGIN_PATTERN)]
DisplayName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
]
DistrictCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
Password = Annotated[SecretStr, Field(max_length=128)]


class Credentials(Message):
    """Who wants to log in."""

    login: str = Field(max_length=64)
    password: Password


class UserAnswer(Message):
    """A user, as those see them who keep the accounts."""

    id: str
    login: str
    display_name: str
    role: Role
    district_code: str | None = Field(description="the district they see, with all below it; null sees all")
    created_at: datetime
    disabled_at: datetime | None
    password_changed_at: datetime
    password_expired: bool = Field(description="somebody else knows the password: it must be changed first of all")


class Me(Message):
    """Who is logged in, and what they may."""

    id: str
    login: str
    display_name: str
    role: Role
    district_code: str | None
    permissions: list[Permission]
    password_expired: bool
    csrf_token: str = Field(description="to be sent as X-CSRF-Token with whatever changes something")


class UserPage(Message):
    """Users in the order of their ids."""

    users: list[UserAnswer]


class NewUser(Message):
    """An account to make. The password is for the first login alone: it has to be changed then."""

    login: LoginName
    display_name: DisplayName
    role: Role
    district_code: DistrictCode | None = Field(description="null sees all districts, and only those who do may say so")
    password: Password


class UserChange(Message):
    """What to change of an account; what is left out stays as it is."""

    display_name: DisplayName | None = None
    role: Role | None = None
    district_code: DistrictCode | None = None
    disabled: bool | None = None


class NewPassword(Message):
    """A password that somebody is given."""

    password: Password


class OwnPassword(Message):
    """A password that somebody takes for themselves."""

    old_password: Password
    new_password: Password
