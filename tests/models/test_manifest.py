from __future__ import annotations

import pytest
from pydantic import ValidationError

from models.manifest import UrlSource, WheelSource, manifest
from models.prepare import RECIPES


def test_every_file_of_the_manifest_has_a_digest_a_licence_and_a_source() -> None:
    shipped = manifest()
    files = [file for pack in shipped.packs.values() for file in pack.files] + list(shipped.assets.values())
    assert files
    assert all(len(file.sha256) == 64 and file.sources and file.licence.url.startswith("https://") for file in files)


def test_every_network_of_the_manifest_has_a_recipe() -> None:
    names = {file.file for pack in manifest().packs.values() for file in pack.files}
    assert names == set(RECIPES)


def test_the_manifest_cannot_be_changed_in_passing() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        manifest().pack("opencv-zoo").embedding_size = 512  # type: ignore[misc]


def test_a_wheel_must_be_pinned_to_one_version() -> None:
    with pytest.raises(ValidationError, match="requirement"):
        WheelSource(kind="wheel", requirement="weights>=1", member="net.onnx")


def test_an_address_must_be_a_web_address() -> None:
    with pytest.raises(ValidationError, match="url"):
        UrlSource(kind="url", url="file:///etc/passwd")
