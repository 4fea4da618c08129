"""One bed out of a camera's picture, turned so that a lying head is upright, and the way back.

Faces are looked for twice in each picture: in the bed's orientation for who lies, and upright for who sits or stands.
What was found is given in pixels of the whole picture; crops and portraits stay upright, for people and the embedder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from edge_agent.private_zones import PrivateZones
from edge_agent.ward.ward_file import Bed
from renzheng.contracts import Reason
from vision.closer import overlaps
from vision.pack import VisionPack
from vision.pipeline import WindowView, faces_in
from vision.presence import GreyImage, Mask, small_grey
from vision.types import BgrImage, Face, FloatArray, Frame
from vision.zones import in_polygon

MARGIN_SHARE = 0.2
"""Of the bed's longer side, added around it: a sitting patient's head rises above the bed."""

LOOK_SIDE_PX = 640
"""Longer side of the picture in which faces are looked for."""

LYING_WITHIN_DEG = 35.0
"""A head lies in the bed when its crown points within this of where lying heads point."""

UPRIGHT_WITHIN_DEG = 60.0
"""A bed whose lying heads point within this of straight up cannot tell who lies from who stands behind it."""

SAME_FACE_IOU = 0.3

Affine = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Turned:
    """A cut of the whole picture: ``to_cut`` takes its pixels to those of the cut, 2 × 3."""

    to_cut: Affine
    cut_wh: tuple[int, int]

    @classmethod
    def around(cls, corners_xy: npt.NDArray[np.float64], clockwise_deg: float) -> Turned:
        """The smallest cut with N × 2 points of the picture in it, turned so that ``clockwise_deg`` from up is up."""
        turn = np.deg2rad(clockwise_deg)
        cos, sin = np.round([np.cos(turn), np.sin(turn)], 12)
        matrix = np.array([[cos, sin], [-sin, cos]])
        moved = corners_xy @ matrix.T
        low = np.floor(moved.min(axis=0))
        width, height = (max(2, int(side)) for side in np.ceil(moved.max(axis=0) - low))
        shift = matrix @ [0.5, 0.5] - low - 0.5  # corners lie between pixels, a pixel's number is its middle
        return cls(np.column_stack([matrix, shift]), (width, height))

    def cut(self, image_bgr: BgrImage) -> BgrImage:
        """The cut; what lies outside the picture is black."""
        return np.asarray(cv2.warpAffine(image_bgr, self.to_cut, self.cut_wh, flags=cv2.INTER_LINEAR), np.uint8)

    def back(self, points_xy: npt.NDArray[np.floating]) -> FloatArray:
        """N × 2 points of the cut in pixels of the whole picture."""
        linear, shift = self.to_cut[:, :2], self.to_cut[:, 2]
        return np.asarray((points_xy - shift) @ linear, np.float32)  # the inverse of a turn is its transpose

    def as_frame(self, image_bgr: BgrImage, time_s: float) -> Frame:
        """The cut as a frame to look for faces in."""
        cut_bgr = self.cut(image_bgr)
        shrink = min(1.0, LOOK_SIDE_PX / max(self.cut_wh))
        size_wh = tuple(max(1, round(side * shrink)) for side in self.cut_wh)
        small = cut_bgr if shrink == 1 else cv2.resize(cut_bgr, size_wh, interpolation=cv2.INTER_AREA)
        return Frame(time_s, self.cut_wh, np.asarray(small, np.uint8), lambda: cut_bgr)


@dataclass(frozen=True)
class BedGeometry:
    """A bed in pictures of one size."""

    bed: Bed
    full_wh: tuple[int, int]

    @cached_property
    def outline_xy(self) -> npt.NDArray[np.float64]:
        """The bed's zone in pixels, N × 2."""
        return np.array(self.bed.polygon, np.float64) * np.array(self.full_wh, np.float64)

    @cached_property
    def _corners_xy(self) -> npt.NDArray[np.float64]:
        """The corners of the box around the bed with its margin, inside the picture."""
        low, high = self.outline_xy.min(axis=0), self.outline_xy.max(axis=0)
        margin = MARGIN_SHARE * float((high - low).max())
        (x_0, y_0), (x_1, y_1) = np.maximum(low - margin, 0), np.minimum(high + margin, self.full_wh)
        return np.array([[x_0, y_0], [x_1, y_0], [x_1, y_1], [x_0, y_1]])

    @cached_property
    def upright(self) -> Turned:
        """The bed as the camera sees it."""
        return Turned.around(self._corners_xy, 0.0)

    @cached_property
    def views(self) -> tuple[Turned, ...]:
        """The ways in which faces are looked for: lying, and upright where that is another."""
        if self.can_tell_lying:
            return Turned.around(self._corners_xy, self.bed.head), self.upright
        return (self.upright,)

    @property
    def can_tell_lying(self) -> bool:
        """Whether a lying face can be told from one that sits or stands behind the bed."""
        return min(self.bed.head, 360.0 - self.bed.head) > UPRIGHT_WITHIN_DEG

    @cached_property
    def mask(self) -> Mask:
        """Where the bed is in the small grey picture of the upright cut."""
        shape_hw = small_grey(np.zeros((*self.upright.cut_wh[::-1], 3), np.uint8)).shape
        height, width = shape_hw
        xs, ys = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        scale = np.array([self.upright.cut_wh[0] / width, self.upright.cut_wh[1] / height])
        points_xy = self.upright.back(np.column_stack([xs.ravel(), ys.ravel()]) * scale).astype(np.float64)
        return in_polygon(points_xy, self.outline_xy).reshape(shape_hw)

    def small_grey(self, image_bgr: BgrImage) -> GreyImage:
        """The bed and its margin, out of a whole picture, as grey levels."""
        return small_grey(self.upright.cut(image_bgr))

    def holds(self, face: Face) -> bool:
        """Whether the middle of a face in pixels of the whole picture is in the bed's zone."""
        middle_xy = face.landmarks.mean(axis=0, dtype=np.float64)[None]
        return bool(in_polygon(middle_xy, self.outline_xy)[0])

    def lies(self, face: Face) -> bool:
        """Whether a face in pixels of the whole picture lies in the bed."""
        if not self.can_tell_lying:
            return False
        eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3:].mean(axis=0)
        crown_x, crown_y = (float(step) for step in eyes - mouth)
        points_deg = float(np.rad2deg(np.arctan2(crown_x, -crown_y)))
        off_deg = abs((points_deg - self.bed.head + 180.0) % 360.0 - 180.0)
        return off_deg <= LYING_WITHIN_DEG and self.holds(face)


def bed_faces(geometry: BedGeometry, image_bgr: BgrImage, time_s: float, pack: VisionPack) -> list[Face]:
    """Faces in and around a bed, in pixels of the whole picture; of one that both views show the better is taken.

    A face outside the bed that the cut's edge goes through is at the next bed.
    """
    found: list[Face] = []
    for view in geometry.views:
        for face in faces_in(view.as_frame(image_bgr, time_s), pack):
            whole = _in_whole(face, view, geometry.full_wh)
            if geometry.holds(whole) or Reason.FACE_CUT_OFF not in face.quality.failed:
                found.append(whole)
    found.sort(key=lambda face: (face.assessable, face.quality.score, face.score), reverse=True)
    kept: list[Face] = []
    for face in found:
        if not kept or overlaps(face.box_xyxy[None], np.stack([k.box_xyxy for k in kept])).max() < SAME_FACE_IOU:
            kept.append(face)
    return kept


def _in_whole(face: Face, view: Turned, full_wh: tuple[int, int]) -> Face:
    left, top, right, bottom = face.box_xyxy
    corners = view.back(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))
    box_xyxy = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)
    return replace(face, frame_wh=full_wh, box_xyxy=box_xyxy, landmarks=view.back(face.landmarks))


class BedView(WindowView):
    """What was seen of one bed: its faces, and the bed as small grey pictures by time."""

    def __init__(self, pack: VisionPack, bed: Bed, private: PrivateZones) -> None:
        super().__init__(pack)
        self.bed = bed
        self.geometry: BedGeometry | None = None
        self.greys: dict[float, GreyImage] = {}
        self._private = private

    def look_at(self, frame: Frame) -> None:
        """Add one frame; private zones are black before anything is looked for in it."""
        if self.geometry is None:
            self.geometry = BedGeometry(self.bed, frame.full_wh)
        if frame.full_wh != self.geometry.full_wh:  # a camera that changed its size mid-way: zones are relative
            self.geometry, self.greys = BedGeometry(self.bed, frame.full_wh), {}
        image_bgr = self._private.blackened(frame.full_bgr)
        self.greys[frame.time_s] = self.geometry.small_grey(image_bgr)
        self.faces.extend(bed_faces(self.geometry, image_bgr, frame.time_s, self.pack))

    def lies(self, faces: Sequence[Face]) -> bool:
        """Whether the faces of one track lie in the bed: more than half of them."""
        if self.geometry is None:
            return False
        return sum(map(self.geometry.lies, faces)) * 2 > len(faces)
