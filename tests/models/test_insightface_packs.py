"""Packs of insightface's zoo, without downloading one: SFace stands in for the recogniser, a small graph for SCRFD."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from models.insightface_packs import require_insightface
from models.pack import load_pack
from models.runtime import Array
from renzheng.errors import MissingPart
from renzheng.files import sha256_file
from tests.models.conftest import SetSettings
from vision.pack import VisionPack, open_pack

PACK = "insightface:stand_in"
ANCHORS = 2  # SCRFD's boxes a cell
STRIDES = (8, 16, 32)
SIDE_PX = 640


@pytest.fixture(autouse=True, scope="module")
def _insightface() -> None:
    pytest.importorskip("insightface")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of insightface's own imports
        import insightface.model_zoo  # noqa: F401


def write_scrfd(path: Path, face_row: int | None) -> None:
    """A network shaped like SCRFD at 640 × 640 that sees one face, at a row of the stride-32 anchors, or nobody."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, tensors, outputs = [], [], []
    for width, name in ((1, "score"), (4, "box"), (10, "points")):
        for stride in STRIDES:
            values = np.zeros((ANCHORS * (SIDE_PX // stride) ** 2, width), np.float32)
            if stride == STRIDES[-1] and face_row is not None:
                values[face_row] = 0.8 if name == "score" else 1.0
            output = f"{name}_{stride}"
            tensors.append(numpy_helper.from_array(values, f"{output}_values"))
            nodes.append(helper.make_node("Add", [f"{output}_values", "nothing"], [output]))
            outputs.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, values.shape))
    tensors.append(numpy_helper.from_array(np.zeros(1, np.float32), "none"))
    nodes = [
        helper.make_node("ReduceMax", ["input"], ["largest"], keepdims=0),
        helper.make_node("Mul", ["largest", "none"], ["nothing"]),
        *nodes,
    ]
    pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "?", "?"])
    network = helper.make_graph(nodes, "scrfd", [pixels], outputs, tensors)
    onnx.save(helper.make_model(network, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), str(path))


@pytest.fixture
def folder(tmp_path: Path, set_settings: SetSettings) -> Path:
    set_settings(insightface_dir=tmp_path, acknowledged_packs=f'["{PACK}"]')
    folder = tmp_path / "stand_in"
    folder.mkdir()
    return folder


def test_detector_and_recogniser_are_told_apart_by_their_shapes(pack: VisionPack, folder: Path) -> None:
    write_scrfd(folder / "z_det.onnx", None)
    shutil.copyfile(load_pack().embedder_path, folder / "a_rec.onnx")
    found = load_pack(PACK)
    assert (found.detector_path.name, found.embedder_path.name) == ("z_det.onnx", "a_rec.onnx")
    assert found.detector_sha256 == sha256_file(folder / "z_det.onnx")


def test_a_folder_without_a_detector_says_what_is_lacking(pack: VisionPack, folder: Path) -> None:
    shutil.copyfile(load_pack().embedder_path, folder / "rec.onnx")
    with pytest.raises(MissingPart, match="holds no detector"):
        load_pack(PACK)


def test_a_folder_without_a_recogniser_says_what_is_lacking(folder: Path) -> None:
    write_scrfd(folder / "det.onnx", None)
    with pytest.raises(MissingPart, match="recogniser"):
        load_pack(PACK)


def test_an_opened_pack_embeds_as_the_default_one_does_with_the_same_recogniser(pack: VisionPack, folder: Path) -> None:
    write_scrfd(folder / "det.onnx", None)
    shutil.copyfile(load_pack().embedder_path, folder / "rec.onnx")
    opened = open_pack(PACK)
    crops: Array = np.random.default_rng(5).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    np.testing.assert_allclose(opened.embedder.embed(crops), pack.embedder.embed(crops), atol=1e-5)
    assert opened.embedder.embed(crops[:0]).shape == (0, opened.embedding_size)
    assert opened.embedding_size == 128


def test_a_picture_without_faces_gives_none(pack: VisionPack, folder: Path) -> None:
    write_scrfd(folder / "det.onnx", None)
    shutil.copyfile(load_pack().embedder_path, folder / "rec.onnx")
    assert len(open_pack(PACK).detector.detect(np.zeros((320, 640, 3), np.uint8))) == 0


def test_a_face_is_given_in_pixels_of_the_given_picture(pack: VisionPack, folder: Path) -> None:
    write_scrfd(folder / "det.onnx", face_row=2 * (3 * 20 + 5))  # row 3, column 5 of cells of 32 px
    shutil.copyfile(load_pack().embedder_path, folder / "rec.onnx")
    faces = open_pack(PACK).detector.detect(np.zeros((640, 1280, 3), np.uint8))  # seen at half size
    assert faces.scores == pytest.approx([0.8])
    assert faces.boxes_xyxy[0] == pytest.approx([256, 128, 384, 256])
    assert faces.landmarks[0] == pytest.approx(np.tile([384, 256], (5, 1)))


def test_without_insightface_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPart, match=r"pip install --no-deps insightface==2\.1"):
        require_insightface(PACK)
