"""After the campaign: did everything that was acknowledged arrive, once and whole?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.error import FFmpegError

from renzheng.contracts import SignedManifest
from renzheng.crypto import Tampered
from renzheng.manifests import verify_manifest
from tests.edge_agent.stand_in import StandInServer


@dataclass
class Findings:
    """What the server has beside what was acknowledged; every list but ``verdicts`` should be empty."""

    verdicts: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    contradicting: list[str] = field(default_factory=list)
    clips_missing: list[str] = field(default_factory=list)
    clips_bad: list[str] = field(default_factory=list)
    clips: int = 0
    repeated: int = 0

    @property
    def wrong(self) -> list[str]:
        """Everything that was lost, doubled or damaged."""
        return [*self.missing, *self.unknown, *self.contradicting, *self.clips_missing, *self.clips_bad]


def find(server: StandInServer, acknowledged: Collection[str], public_key: bytes) -> Findings:
    """Compare what was acknowledged to terminals with what the server has."""
    findings = Findings()
    checks = [delivery for delivery in server.deliveries() if delivery.kind == "check"]
    clips = {clip.check_id: clip for clip in server.clips()}
    arrived = Counter(delivery.body["check"]["swipe_id"] for delivery in checks)
    findings.missing = sorted(set(acknowledged) - set(arrived))
    findings.unknown = sorted(set(arrived) - set(acknowledged))
    findings.contradicting = sorted(name for name, count in arrived.items() if count > 1)
    for delivery in checks:
        check = delivery.body["check"]
        findings.verdicts[check["verdict"]] += 1
        findings.repeated += delivery.arrivals - 1
        if delivery.conflicts:
            findings.contradicting.append(f"{delivery.delivery_id}: came again with something else")
        if not delivery.body["clip_due"]:
            continue
        clip = clips.get(delivery.delivery_id)
        if clip is None:
            findings.clips_missing.append(delivery.delivery_id)
        elif problem := _problem(clip.path, clip.manifest, public_key, check):
            findings.clips_bad.append(f"{delivery.delivery_id}: {problem}")
    findings.clips = len(clips)
    return findings


def _problem(path: Path, manifest: str, public_key: bytes, check: dict[str, object]) -> str:
    """What is wrong with a clip; empty when it is signed, whole, of its check, and plays."""
    try:
        verify_manifest(SignedManifest.model_validate_json(manifest), public_key, path, str(check["swipe_id"]))
    except (Tampered, ValueError) as error:
        return str(error)
    named = check["clip"]
    if not isinstance(named, dict) or named["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest():
        return "the check names another digest"
    try:
        with av.open(str(path)) as container:
            pictures = sum(1 for _ in container.decode(video=0))
    except FFmpegError as error:
        return f"does not play: {error}"
    return "" if pictures else "holds no picture"
