"""Settings of the server: environment variables ``RENZHENG_SERVER_*``; of a secret also ``…_FILE`` with its path.

There is no default for what is secret. Durations carry their unit in the name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from renzheng.errors import BadInput

PREFIX = "RENZHENG_SERVER_"
FILE_SUFFIX = "_FILE"


class ServerSettings(BaseSettings):
    """What an operator sets; see ``docs/server.md``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid")

    data_dir: Path = Field(description="folder of the SQLite database, of uploads that run and of the local store")
    database_url: SecretStr | None = Field(
        None, description="postgresql+psycopg://user:password@host/name; without it SQLite in data_dir"
    )
    key_ring: SecretStr = Field(description="the key ring, as `renzheng server make-keys` writes it")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8600, ge=1, le=65535, description="port to listen on")
    store_url: str = Field("", description="s3://bucket/prefix; without it a folder in data_dir")
    s3_endpoint_url: str | None = Field(None, description="of an S3-compatible store that is not Amazon's")
    s3_access_key: SecretStr | None = Field(None, description="access key of the store")
    s3_secret_key: SecretStr | None = Field(None, description="secret key of the store")
    cookie_secure: bool = Field(True, description="session cookies over HTTPS alone; off only for a trial on loopback")
    session_idle_minutes: int = Field(30, ge=1, le=24 * 60, description="a session ends so long after its last use")
    session_hours: int = Field(10, ge=1, le=24, description="a session ends at the latest")
    pack: str = Field("opencv-zoo", description="model pack that new photos are enrolled with")
    template_minutes: int = Field(8 * 60, ge=1, le=7 * 24 * 60, description="how long a box may keep templates")
    clip_mb: int = Field(512, ge=1, le=100_000, description="largest clip that is taken")
    photo_mb: int = Field(20, ge=1, le=500, description="largest photo that is taken")
    upload_mb: int = Field(2048, ge=1, le=100_000, description="largest table, folder or zip that is taken")
    join_tolerance_s: float = Field(120.0, gt=0, le=3600, description="settlement and swipe this far apart may be one")
    ward_med_types: list[str] = Field(
        ["21", "24", "28"], description="med_type of what is settled without a counter: such settlements need no check"
    )
    keep_unflagged_days: int = Field(30, ge=1, description="checks and clips with nothing to look at are kept so long")
    keep_flagged_days: int = Field(730, ge=1, description="checks and clips that a verdict flagged are kept so long")
    keep_reports_days: int = Field(180, ge=1, description="reports of boxes are kept so long")
    box_quiet_minutes: int = Field(30, ge=1, description="a box that was not heard of for so long has gone quiet")

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'renzheng.sqlite'}"


def server_settings(**given: Any) -> ServerSettings:
    """The settings from ``given`` and the environment. Raises :class:`BadInput` that names each wrong setting."""
    told: dict[str, Any] = {**_from_files(), **given}
    try:
        return ServerSettings(**told)
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg'].lower()}" for e in error.errors())
        raise BadInput(f"settings of the server: {wrong}") from error


def _from_files() -> dict[str, str]:
    """Settings given as ``RENZHENG_SERVER_<NAME>_FILE``: the text of those files."""
    texts = {}
    for name in ServerSettings.model_fields:
        variable = f"{PREFIX}{name.upper()}{FILE_SUFFIX}"
        path = os.environ.get(variable)
        if path is None:
            continue
        try:
            texts[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{variable}: {path} cannot be read: {error}") from error
    return texts
