"""``renzheng calibrate thresholds`` on real faces, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.labelled_folder import LabelledFaces, list_pictures, read_faces
from calibration.sets import ThresholdSet, load_set
from calibration.thresholds import compare, fmr_at, fnmr_at
from renzheng.cli import run
from vision.pack import VisionPack


@pytest.fixture(scope="module")
def orl(shared_dir: Path) -> Path:
    folder = shared_dir / "faces" / "orl"
    if not folder.is_dir():
        pytest.skip(f"no faces in {folder}")
    return folder


@pytest.fixture(scope="module")
def orl_faces(orl: Path, pack: VisionPack) -> LabelledFaces:
    return read_faces(list_pictures(orl), pack)


@pytest.fixture(scope="module")
def made(orl: Path, tmp_path_factory: pytest.TempPathFactory) -> ThresholdSet:
    """The set of one run of the command over ORL, with its files beside it."""
    out = tmp_path_factory.mktemp("orl") / "set.toml"
    arguments = ["calibrate", "thresholds", "--faces", str(orl), "--name", "orl", "--out", str(out)]
    assert run(arguments) == 0
    assert {path.name for path in out.parent.iterdir()} == {"set.toml", "set.html", "set.png"}
    return load_set(str(out))[0]


def test_orl_has_a_false_non_match_rate_of_at_most_2_5_per_cent_at_a_false_match_rate_of_1e_4(made: ThresholdSet):
    assert made.fmr_at_accept.value <= 1e-4
    assert made.fnmr_at_accept.value <= 0.025
    assert made.fnmr_at_accept.low < made.fnmr_at_accept.value < made.fnmr_at_accept.high
    assert (made.people, made.pictures) == (43, 430) and made.refused_pictures <= 0.05 * made.pictures


def test_the_shipped_set_is_what_the_command_makes_of_orl(made: ThresholdSet):
    shipped, _ = load_set("opencv-zoo")
    named = made.model_copy(update={"name": shipped.name, "source": shipped.source})
    assert named.accept == pytest.approx(shipped.accept, abs=0.002)
    assert named.reject == pytest.approx(shipped.reject, abs=0.002)
    assert abs(named.refused_pictures - shipped.refused_pictures) <= 2


def test_the_shipped_accept_keeps_its_false_match_rate_on_orl(orl_faces: LabelledFaces):
    shipped, _ = load_set("opencv-zoo")
    comparisons = compare(orl_faces.embeddings, orl_faces.person)
    assert fmr_at(comparisons.non_mated, shipped.accept) <= 1e-4
    assert fnmr_at(comparisons.mated, shipped.accept) <= 0.025


def test_the_shipped_set_holds_on_another_set_of_people(shared_dir: Path, pack: VisionPack):
    folder = shared_dir / "faces" / "bbt"
    if not folder.is_dir():
        pytest.skip(f"no faces in {folder}")
    faces = read_faces(list_pictures(folder), pack)
    comparisons = compare(faces.embeddings, faces.person)
    shipped, _ = load_set("opencv-zoo")
    assert len(faces.refused) <= 0.1 * faces.pictures
    assert fmr_at(comparisons.non_mated, shipped.accept) == 0
    assert fnmr_at(comparisons.mated, shipped.reject) <= 0.01


def test_a_folder_too_small_for_the_default_target_is_refused_and_nothing_is_written(
    shared_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = shared_dir / "faces" / "bbt"
    if not folder.is_dir():
        pytest.skip(f"no faces in {folder}")
    out = tmp_path / "set.toml"
    assert run(["calibrate", "thresholds", "--faces", str(folder), "--name", "bbt", "--out", str(out)]) == 2
    assert "needs at least 30,000 non-mated comparisons" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["--faces", "no-such-folder", "--out", "a.toml"], "no-such-folder: expected a folder"),
        (["--faces", ".", "--out", "a.json"], "--out a.json: expected a file that ends in .toml"),
        (["--faces", ".", "--out", "a.toml", "--target-fmr", "2"], "--target-fmr: expected a rate between 0 and 1"),
    ],
)
def test_a_wrong_option_is_named(changes: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert run(["calibrate", "thresholds", "--name", "n", *changes]) == 2
    assert said in capsys.readouterr().err


def test_the_group_does_not_collapse_into_its_only_command(capsys: pytest.CaptureFixture[str]):
    assert run(["calibrate", "--help"]) == 0
    assert "thresholds" in capsys.readouterr().out
