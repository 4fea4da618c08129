from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import pytest

from models.fetch import fetch_asset
from models.pack import load_pack
from models.runtime import Array, open_session
from vision.embed import MAX_BATCH, SFaceEmbedder, rgb_planes, unit_length
from vision.pack import VisionPack
from vision.types import BgrImage

# where ArcFace's aligned crop holds the five landmarks, in pixels of 112 × 112 (insightface's published template)
TEMPLATE_PX = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


class CountingSession:
    """Answers with one constant row per crop and keeps the batch sizes."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        self.batches.append(len(inputs["data"]))
        return [np.full((len(inputs["data"]), 128), 3, np.float32)]


@pytest.fixture(scope="module")
def crops_bgr(pack: VisionPack) -> BgrImage:
    """The six people of the test picture, aligned."""
    image_bgr = np.asarray(cv2.imread(str(fetch_asset("demo-people"))), np.uint8)
    crops = []
    for points in pack.detector.detect(image_bgr).landmarks:
        matrix, _ = cv2.estimateAffinePartial2D(points, TEMPLATE_PX, method=cv2.LMEDS)
        crops.append(cv2.warpAffine(image_bgr, matrix, (112, 112)))
    return np.asarray(crops, np.uint8)


def test_no_crops_give_no_embeddings_without_running_the_network() -> None:
    session = CountingSession()
    embeddings = SFaceEmbedder(session).embed(np.empty((0, 112, 112, 3), np.uint8))
    assert embeddings.shape == (0, 128)
    assert embeddings.dtype == np.float32
    assert session.batches == []


def test_many_crops_are_run_in_batches_of_bounded_size() -> None:
    session = CountingSession()
    embeddings = SFaceEmbedder(session).embed(np.zeros((2 * MAX_BATCH + 1, 112, 112, 3), np.uint8))
    assert session.batches == [MAX_BATCH, MAX_BATCH, 1]
    assert embeddings.shape == (2 * MAX_BATCH + 1, 128)


@pytest.mark.parametrize(
    "crops", [np.zeros((112, 112, 3), np.uint8), np.zeros((1, 96, 112, 3), np.uint8), np.zeros((1, 112, 112, 3))]
)
def test_crops_of_another_shape_or_type_are_refused(crops: Any) -> None:
    with pytest.raises(ValueError, match="crops_bgr: expected"):
        SFaceEmbedder(CountingSession()).embed(crops)


def test_colours_are_turned_round_and_laid_in_planes() -> None:
    crop_bgr = np.full((1, 112, 112, 3), (1, 2, 3), np.uint8)
    planes = rgb_planes(crop_bgr)
    assert planes.shape == (1, 3, 112, 112)
    assert planes[0, :, 5, 7].tolist() == [3, 2, 1]


def test_a_row_of_zeros_has_no_direction_and_stays() -> None:
    rows = np.array([[3, 4], [0, 0]], np.float32)
    assert unit_length(rows).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_embeddings_have_unit_length_and_do_not_depend_on_the_batch(pack: VisionPack, crops_bgr: BgrImage) -> None:
    together = pack.embedder.embed(crops_bgr)
    alone = np.concatenate([pack.embedder.embed(crop[None]) for crop in crops_bgr])
    assert together.shape == (6, pack.embedding_size)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_six_different_people_do_not_resemble_each_other(pack: VisionPack, crops_bgr: BgrImage) -> None:
    embeddings = pack.embedder.embed(crops_bgr)
    cosines = (embeddings @ embeddings.T)[~np.eye(6, dtype=bool)]
    assert cosines.max() < 0.4


def test_the_embedding_is_that_of_insightfaces_own_code_on_the_same_file(pack: VisionPack, crops_bgr: BgrImage) -> None:
    pytest.importorskip("insightface")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of insightface's own imports
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

    path = load_pack().embedder_path
    model = ArcFaceONNX(str(path), open_session(path, threads=1, provider="cpu").raw)
    assert (model.input_mean, model.input_std, model.input_size) == (0.0, 1.0, (112, 112))
    theirs = unit_length(model.get_feat(list(crops_bgr)))
    cosines = (pack.embedder.embed(crops_bgr) * theirs).sum(axis=1)
    assert cosines.min() >= 0.9999
