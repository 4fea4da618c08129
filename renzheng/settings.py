"""Settings of this installation: environment variables ``RENZHENG_*`` over ``renzheng.toml`` over the defaults.

``renzheng.toml`` is looked for in the per-user configuration folder, or where ``RENZHENG_SETTINGS`` points.
A malformed setting stops the command with a message that names it.
"""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from renzheng.errors import BadInput

Provider = Literal["cpu", "cuda", "openvino", "tensorrt"]


def settings_file() -> Path:
    """Where ``renzheng.toml`` is read from; the file need not exist."""
    named = os.environ.get("RENZHENG_SETTINGS")
    return Path(named) if named else Path(platformdirs.user_config_dir("renzheng")) / "renzheng.toml"


class Settings(BaseSettings):
    """What an operator may set for every command; see ``docs/settings.md``."""

    model_config = SettingsConfigDict(env_prefix="RENZHENG_", extra="forbid")

    cache_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("renzheng")),
        description="downloaded weights, prepared models and the demo's footage",
    )
    provider: Provider = Field("cpu", description="ONNX Runtime execution provider")
    threads: int = Field(1, ge=1, le=256, description="threads of one model session")
    insightface_dir: Path | None = Field(None, description="folder with one folder per insightface pack")
    weights_dir: Path | None = Field(None, description="local folder or mirror that is asked first for weights")
    acknowledged_packs: frozenset[str] = Field(
        frozenset(), description="packs under a non-commercial licence that the operator has acknowledged"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: arguments, environment, ``renzheng.toml``."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, settings_file())


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once. Raises :class:`BadInput` that names each wrong setting."""
    named = os.environ.get("RENZHENG_SETTINGS")
    if named and not Path(named).is_file():
        raise BadInput(f"RENZHENG_SETTINGS: {named}: no such file")
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{settings_file()}: expected TOML: {error}") from error
    except SettingsError as error:
        raise BadInput(f'environment RENZHENG_*: {error}; lists are written as JSON, such as \'["a", "b"]\'') from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(f"settings (environment RENZHENG_* or {settings_file()}): {wrong}") from error
