"""The pictures and the video that a check keeps, whether an audit or a live box made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
from av.error import FFmpegError

from edge_agent.clip import what_a_clip_lacks
from edge_agent.footage import Cut, Footage, TimeWindow
from edge_agent.private_zones import PrivateZones
from renzheng.clock import from_seconds, to_seconds
from renzheng.contracts import BedCheck, ClipReference, FaceSample, IdentityCheck
from renzheng.errors import BadInput
from renzheng.files import make_private, sha256_file, write_atomic
from vision.types import BgrImage, Face

JPEG_QUALITY = 88

ONE_CHECKS_ERRORS = (
    FFmpegError,  # a recording that the decoder or the clip's encoder chokes on
    cv2.error,  # a picture that OpenCV chokes on
    OSError,  # a file that vanished or cannot be read; that the disk is full is told apart
    BadInput,  # a recording or photo that was in order when it was first seen
    ValueError,  # footage or a photo with numbers that nobody foresaw
    LookupError,
    ArithmeticError,
)
"""What may go wrong with one check and says nothing about the next."""

CheckT = TypeVar("CheckT", IdentityCheck, BedCheck)


@dataclass(frozen=True)
class KeptFiles:
    """Where the files of one check go. The paths are relative to ``root``, and so the check names them.

    ``crop`` names the picture of a sample's face by the sample's number in the check.
    """

    root: Path
    crop: Callable[[int, FaceSample], Path]
    still: Path
    clip: Path

    def keep_crops(
        self, check: CheckT, sample_faces: Sequence[Face], shown: frozenset[int], private: PrivateZones
    ) -> CheckT:
        """Keep a picture of the face of every sample of the tracks that may be shown."""
        samples = []
        for number, (sample, face) in enumerate(zip(check.samples, sample_faces, strict=True)):
            if sample.track in shown:
                crop = self.crop(number, sample)
                write_jpeg(self.root / crop, private.portrait(face))
                sample = sample.model_copy(update={"crop": crop.as_posix()})
            samples.append(sample)
        return check.model_copy(update={"samples": tuple(samples)})

    def keep_still(self, check: CheckT, still_bgr: BgrImage) -> CheckT:
        """Keep the picture of the moment, in which private zones are black already."""
        write_jpeg(self.root / self.still, still_bgr)
        return check.model_copy(update={"still": self.still.as_posix()})

    def keep_clip(self, check: CheckT, footage: Footage, private: PrivateZones) -> tuple[CheckT, Cut | None, str]:
        """Cut the check's window from the footage, if any is there: by stream copy, or encoded again where the camera
        sees a private zone. Also says what of the footage the clip does not show; empty when it shows all."""
        window = TimeWindow(to_seconds(check.window_start), to_seconds(check.window_end))
        make_private((self.root / self.clip).parent)
        cut = footage.cut(window, self.root / self.clip, private)
        if cut is None:
            return check, None, ""
        clip = ClipReference(
            path=self.clip.as_posix(),
            sha256=sha256_file(cut.path),
            start=from_seconds(cut.start_s),
            end=from_seconds(cut.end_s),
            source=cut.sources,
            masked=bool(private),
        )
        return check.model_copy(update={"clip": clip}), cut, what_a_clip_lacks(footage, window, cut)


def write_jpeg(path: Path, image_bgr: BgrImage) -> None:
    """Write a picture whole or not at all; whoever needs it to outlive a power cut syncs it."""
    make_private(path.parent)
    write_atomic(path, jpeg_of(image_bgr), durable=False)


def jpeg_of(image_bgr: BgrImage) -> bytes:
    """A picture as JPEG."""
    done, data = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError("a picture could not be encoded")
    return data.tobytes()


def told(error: Exception) -> str:
    """An error in words for a remark."""
    return str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
