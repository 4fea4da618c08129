"""The files of one check of a live box: crops, still, clip with its signed manifest, sealed samples.

All of them are complete and on the disk before the check is answered, because whoever takes the answer counts on it. A
check that is done again begins with an empty folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import av

from edge_agent.agent_clock import AgentClock
from edge_agent.edge_config import BoxFolders, Leaves
from edge_agent.footage import Cut, Footage, TimeWindow
from edge_agent.kept_files import ONE_CHECKS_ERRORS, CheckT, KeptFiles, told
from edge_agent.live.jobs import CheckDone, EvidenceFile
from edge_agent.outbox.finished import CLIP_DROPPED
from edge_agent.outbox.manifest import make_manifest, sign_manifest, write_manifest
from edge_agent.private_zones import PrivateZones
from renzheng.clock import from_seconds
from renzheng.contracts import (
    BedCheck,
    BedVerdict,
    FaceSample,
    IdentityCheck,
    ManifestSegment,
    PendingSamples,
    Verdict,
)
from renzheng.crypto import SigningKey
from renzheng.errors import StorageFull
from renzheng.files import make_private, storage_errors, sync_folder, sync_written, write_atomic
from vision.pending import seal_pending
from vision.types import BgrImage, Face

_ORDER = ("sample", "still", "sealed", "clip", "manifest")


class LiveFootage(Footage, Protocol):
    """A camera's ring: footage that grows at one end and is forgotten at the other."""

    def recorded_until(self) -> float | None:
        """How far the newest recording can be read, seconds since 1970 (UTC); ``None`` for an empty ring."""
        ...

    def clock_unclear(self, window: TimeWindow) -> bool:
        """Whether the box's clock was set so that the window may show another time."""
        ...

    def segments_of(self, cut: Cut) -> tuple[ManifestSegment, ...]:
        """The pieces of recording that a clip was cut from."""
        ...


@dataclass(frozen=True)
class BoxKeys:
    """Who signs clips, and for whom pending samples are sealed: nobody where no server is."""

    device_id: str
    signing: SigningKey = field(repr=False)
    server_public_key: bytes | None = None


@dataclass(frozen=True)
class Pictures:
    """What a check saw. ``shown`` are the tracks whose faces may be kept; ``still_bgr`` has private zones black and is
    ``None`` where it must not be kept."""

    sample_faces: Sequence[Face] = ()
    shown: frozenset[int] = frozenset()
    still_bgr: BgrImage | None = None


def _everything(_verdict: Verdict | BedVerdict) -> bool:
    return True


@dataclass(frozen=True)
class EvidenceKeeper:
    """Writes the files of finished checks. ``may_keep`` says whether the budget allows a clip for a verdict."""

    folders: BoxFolders
    keys: BoxKeys
    clock: AgentClock
    may_keep: Callable[[Verdict | BedVerdict], bool] = _everything

    def keep(
        self,
        job_id: str,
        check: CheckT,
        leaves: Leaves,
        pictures: Pictures,
        footage: LiveFootage,
        camera_id: str,
        private: PrivateZones,
        pending: PendingSamples | None = None,
    ) -> CheckDone:
        """The finished check with its files: none for ``report``, pictures for ``samples``, the clip too for ``clip``.

        Sealed samples are kept whatever may leave, because the check cannot be decided without them. Raises
        :class:`StorageFull`; nothing of the check stays behind then.
        """
        folder = self.folders.evidence_of(check_id_of(check))
        shutil.rmtree(folder, ignore_errors=True)
        remarks: list[str] = []
        try:
            with storage_errors(folder):
                if pending is not None:
                    check = self._sealed(check, pending, folder)
                if leaves != "report":
                    check = self._with_pictures(check, pictures, private)
                if leaves == "clip":
                    check = self._with_clip(check, footage, camera_id, private, remarks)
                return CheckDone(job_id, check, self._on_disk(folder), tuple(remarks))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _files(self, check: IdentityCheck | BedCheck) -> KeptFiles:
        """Names relative to the folder of all evidence."""
        stem = Path(self.folders.evidence_of(check_id_of(check)).name)

        def crop(number: int, sample: FaceSample) -> Path:
            return stem / "samples" / f"{sample.track:02d}-{number:02d}.jpg"

        return KeptFiles(self.folders.evidence, crop, stem / "still.jpg", stem / "clip.mp4")

    def _with_pictures(self, check: CheckT, pictures: Pictures, private: PrivateZones) -> CheckT:
        files = self._files(check)
        check = files.keep_crops(check, pictures.sample_faces, pictures.shown, private)
        return check if pictures.still_bgr is None else files.keep_still(check, pictures.still_bgr)

    def _with_clip(
        self, check: CheckT, footage: LiveFootage, camera_id: str, private: PrivateZones, remarks: list[str]
    ) -> CheckT:
        """The clip and its manifest; a clip that cannot be cut costs the clip and not the check."""
        if not self.may_keep(check.verdict):
            remarks.append(CLIP_DROPPED)
            return check
        files = self._files(check)
        path = files.root / files.clip
        try:
            with storage_errors(path):
                with_clip, cut, lack = files.keep_clip(check, footage, private)
                if cut is None:
                    return check
                self._write_manifest(with_clip, path, camera_id, footage.segments_of(cut))
        except StorageFull:
            raise
        except ONE_CHECKS_ERRORS as error:
            path.unlink(missing_ok=True)
            remarks.append(f"no clip: {told(error)}")
            return check
        if lack:
            remarks.append(lack)
        return with_clip

    def _write_manifest(
        self, check: IdentityCheck | BedCheck, clip: Path, camera_id: str, segments: Sequence[ManifestSegment]
    ) -> None:
        with av.open(str(clip)) as container:
            stream = container.streams.video[0]
            codec, time_base = stream.codec_context.name, stream.time_base
        if time_base is None:
            raise ValueError(f"{clip}: expected a time base in the clip")
        manifest = make_manifest(
            check,
            clip,
            device_id=self.keys.device_id,
            camera_id=camera_id,
            codec=codec,
            time_base=time_base,
            segments=segments,
            made_at=from_seconds(self.clock.now_s()),
        )
        write_manifest(sign_manifest(manifest, self.keys.signing), clip)

    def _sealed(self, check: CheckT, pending: PendingSamples, folder: Path) -> CheckT:
        if self.keys.server_public_key is None:
            raise ValueError("pending samples: expected a server to seal them for")
        make_private(folder)
        path = folder / "samples.sealed"
        write_atomic(path, seal_pending(pending, self.keys.server_public_key), durable=False)
        return check.model_copy(update={"sealed_samples": path.relative_to(self.folders.evidence).as_posix()})

    def _on_disk(self, folder: Path) -> tuple[EvidenceFile, ...]:
        """Every file of the folder, once it is sure to outlive a power cut."""
        if not folder.is_dir():
            return ()
        paths = [path for path in folder.rglob("*") if path.is_file()]
        sync_written(paths)
        for made in (folder, folder.parent, folder.parent.parent):
            sync_folder(made)
        found = [EvidenceFile(_kind_of(path), path, path.stat().st_size) for path in paths]
        return tuple(sorted(found, key=lambda file: (_ORDER.index(file.kind), file.path)))


def check_id_of(check: IdentityCheck | BedCheck) -> str:
    """What names a check: the swipe's id, or the bed check's own."""
    return check.swipe_id if isinstance(check, IdentityCheck) else check.check_id


def _kind_of(path: Path) -> str:
    named = {"still.jpg": "still", "clip.mp4": "clip", "manifest.json": "manifest", "samples.sealed": "sealed"}
    return named.get(path.name, "sample")
