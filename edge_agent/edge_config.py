"""``edge.toml``: what one box is told. Environment ``RENZHENG_EDGE_*`` goes over the file.

Nested settings are reached with two underscores, such as ``RENZHENG_EDGE_HTTP__PORT``. A secret is given as a file:
``…_file`` names it and the file's text, without the line end, is the secret. Every mistake is named at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import time
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError
from pydantic import model_validator as checked
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from edge_agent.footage import AFTER_S, BEFORE_S, USUAL_MINUTES, USUAL_MINUTES_MAX
from renzheng.contracts import BedVerdict, Verdict
from renzheng.errors import BadInput
from renzheng.ids import file_stem

GIB = 2**30
CAMERA_SCHEMES = ("rtsp", "rtsps", "http", "https", "file")
LOOPBACK = ("127.0.0.1", "::1", "localhost")

_base_folder: ContextVar[Path] = ContextVar("_base_folder")


def _beside_the_file(path: Path) -> Path:
    """A path of the file is relative to the folder the file lies in."""
    return path if path.is_absolute() else _base_folder.get(Path()) / path


def _plain(identifier: str) -> str:
    if file_stem(identifier) != identifier:
        raise ValueError("expected up to 80 letters, digits, dots, dashes or underscores")
    return identifier


LocalPath = Annotated[Path, AfterValidator(_beside_the_file)]


def _camera_url(url: str) -> str:
    scheme = url.split(":", 1)[0].lower()
    if not (url.startswith("/dev/") or (":" in url and scheme in CAMERA_SCHEMES)):
        raise ValueError("expected rtsp://, http://, https://, a device such as /dev/video0, or file: and a path")
    return url


PlainId = Annotated[str, AfterValidator(_plain)]
Leaves = Literal["report", "samples", "clip"]
"""What may leave the box of one check: its numbers alone, with pictures of the faces, or with the video too."""


class Part(BaseModel):
    """Base of every table of the file: unknown names are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CameraConfig(Part):
    """One camera. ``url`` is rtsp://, http://, https://, a device such as /dev/video0, or file: and a path."""

    id: PlainId
    url: Annotated[str, AfterValidator(_camera_url)]
    username: str | None = None
    password_file: LocalPath | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    zones: LocalPath | None = None
    ring_gib: PositiveFloat = 20.0
    ring_hours: PositiveFloat = 72.0
    segment_s: PositiveFloat = 4.0
    stall_after_s: PositiveFloat = 10.0
    ambient_every_s: float = Field(10.0, ge=0, description="0 switches the ambient pass off")
    loop: bool = Field(False, description="of a file: start again at its end, as a camera that never ends")


class TerminalConfig(Part):
    """One terminal and the camera that sees who stands at it."""

    id: str = Field(min_length=1, max_length=64)
    camera: PlainId
    clock_offset_s: float = Field(0.0, description="added to the terminal's time to reach the box's")
    before_s: PositiveFloat = BEFORE_S
    after_s: PositiveFloat = AFTER_S


class HttpConfig(Part):
    """The box's own pages and the address terminals post to."""

    host: str = "127.0.0.1"
    port: int = Field(8070, ge=0, le=65535)
    token_file: LocalPath | None = Field(None, description="needed when the host is not loopback")


class CsvSourceConfig(Part):
    """A table of swipes that grows."""

    path: LocalPath
    every_s: PositiveFloat = 1.0


class FolderSourceConfig(Part):
    """A folder into which a terminal drops one file a swipe."""

    path: LocalPath
    every_s: PositiveFloat = 1.0


class MqttSourceConfig(Part):
    """A topic on which terminals publish swipes as JSON."""

    host: str
    port: int = Field(1883, ge=1, le=65535)
    topic: str = "renzheng/swipes"
    username: str | None = None
    password_file: LocalPath | None = None
    ca_file: LocalPath | None = None


class SwipesConfig(Part):
    """Where swipes come from beside HTTP, and which times are believed."""

    csv: CsvSourceConfig | None = None
    folder: FolderSourceConfig | None = None
    mqtt: MqttSourceConfig | None = None
    late_after_s: PositiveFloat = Field(
        30.0, description="a swipe that HTTP or MQTT brings later than this after its own time accuses nobody"
    )
    ahead_s: PositiveFloat = Field(60.0, description="a swipe further in the future than this is not assessable")


class ReferencesConfig(Part):
    """Where templates come from."""

    source: Literal["server", "folder"] = "folder"
    gallery: LocalPath | None = None
    staff: LocalPath | None = None
    agents: LocalPath | None = None
    timeout_s: PositiveFloat = 2.0
    cache_hours: PositiveFloat = 24.0
    cache_people: PositiveInt = 5000

    @checked(mode="after")
    def _has_gallery(self) -> Self:
        if self.source == "folder" and self.gallery is None:
            raise ValueError('gallery: expected a folder of photos, because source is "folder"')
        return self


class ScheduleWindow(Part):
    """A time of day, in Asia/Shanghai; it may run over midnight."""

    start: time
    end: time


class ServerConfig(Part):
    """The review server and how to use the line to it."""

    url: str = Field(pattern=r"^https?://")
    ca_file: LocalPath | None = None
    timeout_s: PositiveFloat = 15.0
    clip_kib_per_s: PositiveFloat | None = Field(None, description="most that clips may use of the line")
    clip_windows: tuple[ScheduleWindow, ...] = Field((), description="when clips may be sent; empty is always")
    report_every_s: PositiveFloat = 300.0

    @checked(mode="after")
    def _encrypted(self) -> Self:
        host = urlsplit(self.url).hostname
        if not host:
            raise ValueError("url: expected the server's name after https://")
        if self.url.startswith("http://") and host not in LOOPBACK:
            raise ValueError("url: expected https:// for a server that is not on this machine")
        return self


class VisionConfig(Part):
    """The processes that look at pictures."""

    workers: int = Field(2, ge=1, le=16, description="no more are started than there are cores, or cameras")


class KeepConfig(Part):
    """What is kept as evidence and what of it may leave the box."""

    evidence_gib: PositiveFloat = 20.0
    alarm_share: float = Field(0.8, gt=0, le=1)
    min_free_gib: PositiveFloat = Field(1.0, description="the ring gives way before less than this is free")
    acknowledged_hours: float = Field(24.0, ge=0, description="how long sent evidence stays on the box")
    leaves: dict[Verdict, Leaves] = Field(default_factory=dict)
    bed_leaves: dict[BedVerdict, Leaves] = Field(default_factory=dict)

    def leaves_for(self, verdict: Verdict) -> Leaves:
        """What may leave for a verdict: a flagged or unclear one takes its clip along unless told otherwise."""
        return self.leaves.get(verdict, _LEAVES.get(verdict, "clip"))

    def leaves_for_bed(self, verdict: BedVerdict) -> Leaves:
        """The same for a bed: of a patient found in bed only the numbers leave."""
        return self.bed_leaves.get(verdict, "report" if verdict is BedVerdict.PRESENT else "clip")


_LEAVES: dict[Verdict, Leaves] = {
    Verdict.MATCH: "report",
    Verdict.PROXY_MATCH: "samples",
    Verdict.NOT_ENROLLED: "report",
}


class _EdgeToml(TomlConfigSettingsSource):
    """The file; editors of one operating system begin UTF-8 with a mark that TOML does not know."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        return tomllib.loads(file_path.read_bytes().decode("utf-8-sig"))


class EdgeConfig(BaseSettings):
    """Everything one box is told; see docs/operations.md."""

    model_config = SettingsConfigDict(
        env_prefix="RENZHENG_EDGE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    fixmedins_code: str = Field(min_length=1, max_length=64)
    data_dir: LocalPath
    pack: str | None = None
    thresholds: str | None = None
    camera: tuple[CameraConfig, ...] = Field(min_length=1)
    terminal: tuple[TerminalConfig, ...] = ()
    http: HttpConfig = HttpConfig()
    swipes: SwipesConfig = SwipesConfig()
    references: ReferencesConfig
    server: ServerConfig | None = None
    keep: KeepConfig = KeepConfig()
    vision: VisionConfig = VisionConfig()
    ward: LocalPath | None = Field(None, description="ward.toml")
    usual_minutes: float = Field(
        USUAL_MINUTES, ge=0, le=USUAL_MINUTES_MAX, description="nobody is called absent before so much was recorded"
    )

    @checked(mode="after")
    def _consistent(self) -> Self:
        problems = list(_contradictions(self))
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: arguments, environment, file."""
        return init_settings, env_settings, _EdgeToml(settings_cls, _config_file.get(Path()))

    def camera_named(self, camera_id: str) -> CameraConfig:
        """The camera of that id."""
        return next(camera for camera in self.camera if camera.id == camera_id)

    def terminal_named(self, terminal_id: str) -> TerminalConfig | None:
        """The terminal of that id, or ``None``."""
        return next((terminal for terminal in self.terminal if terminal.id == terminal_id), None)


_config_file: ContextVar[Path] = ContextVar("_config_file")


def _contradictions(config: EdgeConfig) -> Iterator[str]:
    cameras = [camera.id for camera in config.camera]
    terminals = [terminal.id for terminal in config.terminal]
    for kind, names in (("camera", cameras), ("terminal", terminals)):
        yield from (f"{kind}: {name} is there more than once" for name in sorted(set(names)) if names.count(name) > 1)
    for terminal in config.terminal:
        if terminal.camera not in cameras:
            yield f"terminal.{terminal.id}.camera: expected one of {', '.join(cameras)}, found {terminal.camera}"
    if config.references.source == "server" and config.server is None:
        yield 'references.source: "server" needs a [server]'
    if config.http.host not in LOOPBACK and config.http.token_file is None:
        yield f"http.token_file: needed because http.host {config.http.host} can be reached from other machines"
    if not config.terminal and config.ward is None:
        yield "terminal: expected at least one, or a ward; there is nothing to check"


def read_config(path: Path) -> EdgeConfig:
    """Read and check ``edge.toml``. Raises :class:`BadInput` that names every mistake."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file; docs/operations.md shows one")
    try:
        with _reading(path):
            return EdgeConfig()
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: expected TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: expected text in UTF-8: {error.reason} at byte {error.start}") from error
    except SettingsError as error:
        raise BadInput(f"environment RENZHENG_EDGE_*: {error}") from error
    except ValidationError as error:
        wrong = "\n".join(f"  {_place(e['loc'])}{e['msg'].removeprefix('Value error, ')}" for e in error.errors())
        raise BadInput(f"{path} (or environment RENZHENG_EDGE_*):\n{wrong}") from error


def _place(parts: tuple[int | str, ...]) -> str:
    """Where in the file; nothing where the message itself says it."""
    return ".".join(map(str, parts)) + ": " if parts else ""


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    file_token, folder_token = _config_file.set(path), _base_folder.set(path.resolve().parent)
    try:
        yield
    finally:
        _config_file.reset(file_token)
        _base_folder.reset(folder_token)


def secret_of(path: Path | None) -> str | None:
    """The secret a file holds; ``None`` for no file. Raises :class:`BadInput` when it cannot be read or is empty."""
    if path is None:
        return None
    try:
        secret = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: the secret cannot be read: {error}") from error
    if not secret:
        raise BadInput(f"{path}: expected a secret, the file is empty")
    return secret


class BoxFolders:
    """Where things lie under ``data_dir``; all of it is for the agent's user alone."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.store = data_dir / "agent.sqlite"
        self.evidence = data_dir / "evidence"
        self.device = data_dir / "device"
        self.template_cache = data_dir / "templates.sqlite"
        self.lock = data_dir / "agent.lock"

    def ring(self, camera_id: str) -> Path:
        """The ring of one camera: its segments and ``index.sqlite``."""
        return self.data_dir / "ring" / camera_id

    def evidence_of(self, check_id: str) -> Path:
        """The files of one check: ``clip.mp4``, ``manifest.json``, ``still.jpg``, ``samples/``, ``samples.sealed``."""
        return self.evidence / file_stem(check_id)
