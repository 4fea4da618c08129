"""Exact search, one to one and one to many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision import gallery
from vision.gallery import Gallery, best_template, unit_rows, weighted_mean
from vision.types import FloatArray, Template

SIZE = 8


def random_rows(count: int, seed: int, size: int = SIZE) -> FloatArray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, size)))


def of_rows(rows: FloatArray) -> Gallery:
    return Gallery(rows, [f"P{row}" for row in range(len(rows))])


def brute_force(rows: FloatArray, probe: FloatArray, count: int) -> list[tuple[float, int]]:
    """All cosines in double precision, best first."""
    cosines = rows.astype(np.float64) @ probe.astype(np.float64)
    return sorted(((float(c), row) for row, c in enumerate(cosines)), key=lambda hit: (-hit[0], hit[1]))[:count]


@settings(deadline=None)
@given(
    rows=st.integers(0, 40),
    probes=st.integers(0, 4),
    count=st.integers(1, 50),
    block=st.integers(1, 45),
    seed=st.integers(0, 10_000),
)
def test_a_search_finds_what_brute_force_finds(rows: int, probes: int, count: int, block: int, seed: int) -> None:
    templates, sought = random_rows(rows, seed), random_rows(probes, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "BLOCK_ROWS", block)
        hits = of_rows(templates).search(sought, count)
    assert hits.cosines.shape == hits.rows.shape == (probes, min(count, rows))
    for probe, cosines, found in zip(sought, hits.cosines, hits.rows, strict=True):
        expected = brute_force(templates, probe, count)
        np.testing.assert_allclose(cosines, [cosine for cosine, _ in expected], atol=1e-5)
        np.testing.assert_allclose(templates[found] @ probe, cosines, atol=1e-5)
        assert len(set(found.tolist())) == len(found)


@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 7, 100])
@pytest.mark.parametrize("probes", [1, 3])
def test_equal_cosines_are_ordered_by_row_whatever_the_block(
    monkeypatch: pytest.MonkeyPatch, block: int, probes: int
) -> None:
    monkeypatch.setattr(gallery, "BLOCK_ROWS", block)
    one = np.eye(1, SIZE, dtype=np.float32)
    other = np.eye(1, SIZE, k=1, dtype=np.float32)
    templates = np.concatenate([other, one, one, other, one, other, one])
    hits = of_rows(templates).search(np.repeat(one, probes, axis=0), 6)
    for found in hits.rows:
        assert found.tolist() == [1, 2, 4, 6, 0, 3]


def test_the_best_of_the_last_block_is_found() -> None:
    templates = random_rows(gallery.BLOCK_ROWS + 3, 1)
    probe = templates[-1:]
    assert of_rows(templates).search(probe).rows.tolist() == [[gallery.BLOCK_ROWS + 2]]


def test_one_probe_and_many_agree() -> None:
    templates, probes = random_rows(500, 3), random_rows(6, 4)
    together = of_rows(templates).search(probes, 5)
    for probe, found in zip(probes, together.rows, strict=True):
        assert of_rows(templates).search(probe[None], 5).rows[0].tolist() == found.tolist()


def test_an_empty_gallery_and_no_probes_give_nothing() -> None:
    assert of_rows(random_rows(0, 0)).search(random_rows(2, 1), 3).rows.shape == (2, 0)
    assert of_rows(random_rows(5, 0)).search(random_rows(0, 1), 3).rows.shape == (0, 3)
    assert len(Gallery.of([], SIZE)) == 0


def test_a_gallery_keeps_who_each_row_is() -> None:
    rows = random_rows(2, 5)
    people = Gallery.of([Template(name, "pack", row, "1.jpg") for name, row in zip("AB", rows, strict=True)], SIZE)
    assert len(people) == 2
    assert [people.person_ids[row] for row in people.search(rows).rows[:, 0]] == ["A", "B"]


def test_templates_of_two_packs_are_refused() -> None:
    rows = random_rows(2, 5)
    mixed = [Template("A", "one", rows[0], "1.jpg"), Template("B", "two", rows[1], "2.jpg")]
    with pytest.raises(ValueError, match="expected templates of one pack, got one, two"):
        Gallery.of(mixed, SIZE)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, SIZE), np.float32), "expected shape 2 × any, got 3 × 8"),
        (np.zeros(2, np.float32), "expected shape 2 × any, got 2"),
        (np.zeros((2, SIZE), np.float64), "expected float32, got float64"),
    ],
)
def test_a_gallery_of_another_shape_or_type_is_refused(rows: FloatArray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gallery(rows, ["A", "B"])


def test_probes_of_another_pack_size_are_refused() -> None:
    with pytest.raises(ValueError, match="probes: expected shape any × 8, got 1 × 9"):
        of_rows(random_rows(2, 1)).search(random_rows(1, 1, SIZE + 1))


# --- one to one ------------------------------------------------------------------------------------------------------


def test_the_nearest_template_is_told_with_its_row() -> None:
    templates = np.eye(3, SIZE, dtype=np.float32)
    best = best_template(unit_rows(np.array([[0.1, 0.2, 0.9, 0, 0, 0, 0, 0]]))[0], templates)
    assert best is not None
    assert best.row == 2
    assert best.cosine == pytest.approx(0.9 / np.sqrt(0.86), abs=1e-6)
    assert best_template(templates[0], templates[:0]) is None


def test_rows_become_unit_length_and_zeros_stay() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]], atol=1e-7)
    assert unit_rows(np.empty((0, 4))).shape == (0, 4)


def test_the_mean_of_equal_rows_is_that_row_in_full_agreement() -> None:
    row = random_rows(1, 9)
    mean = weighted_mean(np.repeat(row, 4, axis=0), np.array([1, 2, 3, 0.01], np.float32))
    np.testing.assert_allclose(mean.direction, row[0], atol=1e-6)
    assert mean.concentration == pytest.approx(1.0)


def test_a_mean_leans_to_the_heavier_row() -> None:
    mean = weighted_mean(np.eye(2, dtype=np.float32), np.array([3.0, 1.0], np.float32))
    np.testing.assert_allclose(mean.direction, np.array([3, 1]) / np.sqrt(10), atol=1e-6)
    assert mean.concentration == pytest.approx(np.sqrt(10) / 4)


def test_rows_that_cancel_out_have_no_concentration() -> None:
    rows = np.array([[1, 0], [-1, 0]], np.float32)
    assert weighted_mean(rows, np.ones(2, np.float32)).concentration == pytest.approx(0.0)


def test_the_mean_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        weighted_mean(np.empty((0, SIZE), np.float32), np.empty(0, np.float32))


@given(seed=st.integers(0, 1000), count=st.integers(1, 6))
def test_a_cosine_with_the_mean_follows_from_the_cosines_of_its_rows(seed: int, count: int) -> None:
    rows, template = random_rows(count, seed), random_rows(1, seed + 1)[0]
    weights = np.random.default_rng(seed).uniform(0.01, 1, count).astype(np.float32)
    mean = weighted_mean(rows, weights)
    from_rows = float((weights * (rows @ template)).sum() / weights.sum() / mean.concentration)
    assert from_rows == pytest.approx(float(mean.direction @ template), abs=1e-3)
