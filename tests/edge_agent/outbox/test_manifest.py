"""A clip's manifest: it says where the clip comes from, and no byte of either can change unnoticed."""

from __future__ import annotations

import json
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from edge_agent.outbox.manifest import (
    make_manifest,
    manifest_beside,
    read_manifest,
    sign_manifest,
    write_manifest,
)
from renzheng.contracts import BedCheck, ClipManifest, IdentityCheck, ManifestSegment, SignedManifest, Verdict
from renzheng.crypto import SigningKey, Tampered
from renzheng.errors import BadInput
from renzheng.manifests import verify_manifest
from tests.edge_agent.builders import NOON, a_check
from tests.edge_agent.outbox.builders import clip_reference, done_bed

KEY = SigningKey(bytes(range(32)))
SEGMENT = ManifestSegment(name="a.mp4", sha256="a" * 64, start=NOON, end=NOON + timedelta(seconds=4))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "S1" / "clip.mp4"
    path.parent.mkdir()
    path.write_bytes(b"clip" * 1000)
    return path


def manifest_of(check: IdentityCheck | BedCheck, clip: Path) -> ClipManifest:
    return make_manifest(
        check,
        clip,
        device_id="box-7",
        camera_id="counter",
        codec="hevc",
        time_base=Fraction(1, 90_000),
        segments=[SEGMENT],
        made_at=NOON,
    )


def a_checked_swipe(clip: Path, **given: Any) -> IdentityCheck:
    reference = clip_reference(clip.parent.parent, "S1/clip.mp4")
    return a_check(Verdict.MISMATCH, swipe_id="S1", clip=reference, offset_s=2.5, **given)


def signed_beside(clip: Path) -> SignedManifest:
    signed = sign_manifest(manifest_of(a_checked_swipe(clip), clip), KEY)
    assert write_manifest(signed, clip) == manifest_beside(clip) == clip.with_name("manifest.json")
    return read_manifest(manifest_beside(clip))


def test_a_manifest_tells_check_camera_box_and_what_the_clip_was_cut_from(clip: Path) -> None:
    check = a_checked_swipe(clip)
    manifest = verify_manifest(signed_beside(clip), KEY.public, clip, "S1")

    assert check.clip is not None
    assert (manifest.clip_id, manifest.camera_id, manifest.device_id) == ("S1", "counter", "box-7")
    assert (manifest.sha256, manifest.size_bytes) == (check.clip.sha256, 4000)
    assert (manifest.start, manifest.end, manifest.segments) == (check.clip.start, check.clip.end, (SEGMENT,))
    assert (manifest.codec, manifest.time_base, manifest.clock_offset_s) == ("hevc", "1/90000", 2.5)
    assert (manifest.pack, manifest.thresholds_digest) == (check.pack, check.thresholds.digest)


def test_a_bed_checks_clip_has_one_too(clip: Path) -> None:
    reference = clip_reference(clip.parent.parent, "S1/clip.mp4").model_copy(update={"masked": True})
    check = done_bed().check.model_copy(update={"clip": reference})
    manifest = manifest_of(check, clip)
    assert (manifest.clip_id, manifest.clock_offset_s, manifest.masked) == ("B1", 0.0, True)


def test_no_manifest_for_a_check_without_a_clip_or_with_another(clip: Path) -> None:
    check = a_checked_swipe(clip)
    with pytest.raises(BadInput, match="S1: expected a check with a clip"):
        manifest_of(check.model_copy(update={"clip": None}), clip)
    clip.write_bytes(b"other" * 800)
    with pytest.raises(Tampered, match="is not the clip that check S1 names"):
        manifest_of(check, clip)


def test_a_changed_byte_of_the_clip_is_noticed(clip: Path) -> None:
    signed = signed_beside(clip)
    data = bytearray(clip.read_bytes())
    data[1234] ^= 1
    clip.write_bytes(data)
    with pytest.raises(Tampered, match="the clip's bytes are not those that were signed"):
        verify_manifest(signed, KEY.public, clip, "S1")
    clip.write_bytes(data[:-1])
    with pytest.raises(Tampered, match="expected 4000 bytes, found 3999"):
        verify_manifest(signed, KEY.public, clip, "S1")
    clip.unlink()
    with pytest.raises(Tampered, match="the clip is not there"):
        verify_manifest(signed, KEY.public, clip, "S1")


def test_a_changed_word_of_the_manifest_is_noticed(clip: Path) -> None:
    signed = signed_beside(clip)
    facts = json.loads(signed.manifest) | {"camera_id": "other"}
    for text in (json.dumps(facts), signed.manifest + " "):
        with pytest.raises(Tampered, match="the signature does not belong"):
            verify_manifest(signed.model_copy(update={"manifest": text}), KEY.public, clip, "S1")


def test_another_devices_manifest_is_noticed_whatever_it_says_of_its_key(clip: Path) -> None:
    stranger = SigningKey(bytes(32))
    forged = sign_manifest(manifest_of(a_checked_swipe(clip), clip), stranger)
    with pytest.raises(Tampered, match="signed with another key"):
        verify_manifest(forged, KEY.public, clip, "S1")
    with pytest.raises(Tampered, match="the signature does not belong"):
        verify_manifest(forged.model_copy(update={"key_id": KEY.key_id}), KEY.public, clip, "S1")


def test_a_clip_of_another_check_is_noticed_though_device_and_bytes_are_right(clip: Path) -> None:
    with pytest.raises(Tampered, match="the manifest is of the check S1, not of S2"):
        verify_manifest(signed_beside(clip), KEY.public, clip, "S2")


def test_something_else_that_the_device_signed_is_no_manifest(clip: Path) -> None:
    text = '{"hello": 1}'
    signed = SignedManifest(manifest=text, key_id=KEY.key_id, signature=KEY.sign(text.encode()))
    with pytest.raises(Tampered, match="what was signed is not a manifest"):
        verify_manifest(signed, KEY.public, clip, "S1")


def test_a_manifest_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"manifest\.json: the manifest cannot be read: No such file"):
        read_manifest(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text('{"manifest": 1')
    with pytest.raises(BadInput, match=r"manifest\.json: expected a signed manifest"):
        read_manifest(tmp_path / "manifest.json")
