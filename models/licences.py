"""What a pack's licence permits. A non-commercial pack is used only where the operator has said so by name."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from models.manifest import manifest
from renzheng.errors import BadInput
from renzheng.settings import settings

INSIGHTFACE_PREFIX = "insightface:"
INSIGHTFACE_TERMS_URL = "https://github.com/deepinsight/insightface#license"


@dataclass(frozen=True)
class PackLicence:
    """The licence of a pack, in words, with where to read it and whether it permits commercial use."""

    pack: str
    summary: str
    urls: tuple[str, ...]
    commercial: bool


class LicenceNotAcknowledged(BadInput):
    """The pack may not be used commercially, and the operator has not acknowledged that."""


def pack_licence(name: str) -> PackLicence:
    """The licence of a pack. Raises :class:`BadInput` for an unknown pack."""
    if name.startswith(INSIGHTFACE_PREFIX):
        return _insightface_licence(name)
    files = manifest().pack(name).files
    return PackLicence(
        pack=name,
        summary="; ".join(f"{file.file}: {file.licence.name}" for file in files),
        urls=tuple(file.licence.url for file in files),
        commercial=all(file.licence.commercial for file in files),
    )


def refuse_unlicensed(name: str) -> None:
    """Raise :class:`LicenceNotAcknowledged`, saying what to set, for a non-commercial pack not acknowledged by name."""
    licence = pack_licence(name)
    if licence.commercial or name in settings().acknowledged_packs:
        return
    raise LicenceNotAcknowledged(
        f"model pack {name!r} may not be used commercially ({licence.summary}; {', '.join(licence.urls)}). "
        f"If your use is permitted, set RENZHENG_ACKNOWLEDGED_PACKS='{json.dumps([name])}'"
    )


def insightface_folder(name: str) -> Path | None:
    """Folder of the pack under the operator's ``insightface_dir``; ``None`` where that setting is absent."""
    root = settings().insightface_dir
    return root / name.removeprefix(INSIGHTFACE_PREFIX) if root else None


def _insightface_licence(name: str) -> PackLicence:
    """What the pack's signed licence says, read by insightface where it is installed; else non-commercial."""
    summary, commercial = "non-commercial research only, as insightface publishes its packs", False
    folder = insightface_folder(name)
    if folder is not None and folder.is_dir() and importlib.util.find_spec("insightface") is not None:
        from insightface.model_zoo.model_license import inspect_model_package_license

        inspection = inspect_model_package_license(folder)
        commercial = bool(inspection.commercial_use_permitted)
        summary = f"{inspection.status}: {inspection.message}"
    return PackLicence(name, summary, (INSIGHTFACE_TERMS_URL,), commercial)
