"""Threshold sets as files: good ones read back as written, bad ones are refused by field."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from calibration.set_file import to_toml, write_set
from calibration.sets import Rate, ThresholdSet, load_set, shipped_names
from renzheng.errors import BadInput

GOOD = ThresholdSet(
    name="柜台 1",
    pack="opencv-zoo",
    accept=0.45,
    reject=0.3,
    few_samples_margin=0.1,
    target_fmr=1e-4,
    target_fnmr=0.01,
    fmr_at_accept=Rate(value=5.5e-5, low=0, high=2e-4),
    fnmr_at_accept=Rate(value=0.02, low=0.01, high=0.04),
    fnmr_at_reject=Rate(value=0.005, low=0, high=0.01),
    people=43,
    pictures=430,
    refused_pictures=2,
    mated_comparisons=1935,
    non_mated_comparisons=90300,
    source='a "quoted" \\ source\nof two lines\x7f',
)


def written(tmp_path: Path, *changes: tuple[str, str]) -> str:
    """A good file with some text replaced."""
    text = to_toml(GOOD)
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = tmp_path / "set.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_set_reads_back_as_it_was_written_with_the_digest_of_its_bytes(tmp_path: Path):
    path = tmp_path / "new" / "set.toml"
    write_set(path, GOOD)
    threshold_set, digest = load_set(str(path))
    assert threshold_set == GOOD
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_set_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "set.toml"
    write_set(path, GOOD)
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(Exception, match="no space left"):
        write_set(path, GOOD.model_copy(update={"name": "other"}))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_name_with_a_line_break_stays_within_the_comment(tmp_path: Path):
    odd = GOOD.model_copy(update={"name": "a\nb = 1"})
    write_set(tmp_path / "odd.toml", odd)
    assert load_set(str(tmp_path / "odd.toml"))[0] == odd


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("accept = 0.45", "accept = 1.5", "accept: "),
        ("accept = 0.45", 'accept = "high"', "accept: "),
        ("accept = 0.45", "", "accept: Field required"),
        ("reject = 0.3", "reject = 0.5", "set: Value error, expected reject below accept, got 0.5 and 0.45"),
        ("reject = 0.3", "reject = -2.0", "reject: "),
        ("few_samples_margin = 0.1", "few_samples_margin = -0.1", "few_samples_margin: "),
        ("target_fmr = 0.0001", "target_fmr = 0.0", "target_fmr: "),
        ("target_fnmr = 0.01", "target_fnmr = 1.0", "target_fnmr: "),
        ("people = 43", "people = 1", "people: "),
        ("pictures = 430", "pictures = 4.5", "pictures: "),
        ("refused_pictures = 2", "refused_pictures = -1", "refused_pictures: "),
        ("mated_comparisons = 1935", "mated_comparisons = 0", "mated_comparisons: "),
        ("non_mated_comparisons = 90300", "non_mated_comparisons = 0", "non_mated_comparisons: "),
        ("value = 5.5e-05", "value = 1.1", "fmr_at_accept.value: "),
        ("high = 0.04", "hi = 0.04", "fnmr_at_accept.hi"),
        ('name = "柜台 1"', 'name = ""', "name: "),
        ('pack = "opencv-zoo"', "", "pack: Field required"),
        ("people = 43", "people = 43\nthreshold = 0.4", "threshold: Extra inputs are not permitted"),
    ],
)
def test_each_wrong_field_is_named(tmp_path: Path, old: str, new: str, said: str):
    path = written(tmp_path, (old, new))
    with pytest.raises(BadInput) as refusal:
        load_set(path)
    assert str(refusal.value).startswith(path) and said in str(refusal.value)


def test_several_wrong_fields_are_all_named(tmp_path: Path):
    with pytest.raises(BadInput, match=r"accept: .*; people: "):
        load_set(written(tmp_path, ("accept = 0.45", "accept = 9"), ("people = 43", "people = 0")))


@pytest.mark.parametrize("data", [b"accept = ", b"\xff\xfe", b"= 1"])
def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path: Path, data: bytes):
    path = tmp_path / "set.toml"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=r"set\.toml: expected a threshold set in TOML"):
        load_set(str(path))


def test_an_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(BadInput, match=r"no-such-set: neither a shipped threshold set \(.*opencv-zoo.*\)"):
        load_set("no-such-set")


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_set_loads_and_is_named_as_its_file(name: str):
    threshold_set, _ = load_set(name)
    assert threshold_set.name == name


def test_the_default_packs_set_is_shipped_and_keeps_its_target():
    threshold_set, _ = load_set("opencv-zoo")
    assert threshold_set.pack == "opencv-zoo"
    assert threshold_set.fmr_at_accept.value <= threshold_set.target_fmr == 1e-4
    assert threshold_set.fnmr_at_accept.value <= 0.025
    assert threshold_set.values("d").accept == threshold_set.accept
