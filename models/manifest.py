"""The manifest of model packs and assets: what they are, under which licence, and where their bytes come from."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from renzheng.errors import BadInput

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(_Entry):
    """A licence by name, where its text is, and whether it permits commercial use."""

    name: str
    url: str
    commercial: bool


class WheelSource(_Entry):
    """A member of a wheel that the configured Python package index serves."""

    kind: Literal["wheel"]
    requirement: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==[A-Za-z0-9._]+$")]
    member: str

    def __str__(self) -> str:
        return f"{self.member} in the wheel {self.requirement}"


class UrlSource(_Entry):
    """A file behind a web address; the digest is what is trusted, not the address."""

    kind: Literal["url"]
    url: Annotated[str, Field(pattern=r"^https?://")]

    def __str__(self) -> str:
        return self.url


class InstalledSource(_Entry):
    """A file inside a package of this environment; the package is located, never imported."""

    kind: Literal["installed"]
    package: PlainName
    member: str

    def __str__(self) -> str:
        return f"{self.member} in the installed package {self.package}"


Source = Annotated[WheelSource | UrlSource | InstalledSource, Field(discriminator="kind")]


class PinnedFile(_Entry):
    """One file, known by its digest. ``sources`` are tried in order."""

    file: PlainName
    sha256: Sha256
    size_bytes: int = Field(gt=0)
    licence: Licence
    sources: tuple[Source, ...]


class ManifestPack(_Entry):
    """A detector and an embedder that belong together; ``embedding_size`` is the length of one embedding."""

    title: str
    embedding_size: int = Field(gt=0)
    detector: PinnedFile
    embedder: PinnedFile

    @property
    def files(self) -> tuple[PinnedFile, PinnedFile]:
        """Every file of the pack."""
        return self.detector, self.embedder


class Manifest(_Entry):
    """Everything ``models/manifest.toml`` says."""

    packs: dict[str, ManifestPack]
    assets: dict[str, PinnedFile]

    def pack(self, name: str) -> ManifestPack:
        """The pack of that name. Raises :class:`BadInput` that lists the known ones."""
        if name not in self.packs:
            raise BadInput(
                f"model pack {name!r} is not known; known packs: {', '.join(self.packs)}, insightface:<name>"
            )
        return self.packs[name]

    def asset(self, name: str) -> PinnedFile:
        """The asset of that name. Raises :class:`BadInput` that lists the known ones."""
        if name not in self.assets:
            raise BadInput(f"asset {name!r} is not known; known assets: {', '.join(self.assets)}")
        return self.assets[name]


@lru_cache(maxsize=1)
def manifest() -> Manifest:
    """The manifest that is shipped with this package, read once."""
    text = resources.files("models").joinpath("manifest.toml").read_text(encoding="utf-8")
    return Manifest.model_validate(tomllib.loads(text))
