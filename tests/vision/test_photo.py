"""Picture files: which are taken and how, which are refused and why."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from renzheng.contracts import Reason
from vision.photo import PIXELS_MAX, TIGHT_BORDER_PX, PhotoRefused, decode_photo, enlarge_if_tight, load_photo
from vision.types import BgrImage

RED_BGR = (0, 0, 255)


def refused(path: Path) -> PhotoRefused:
    with pytest.raises(PhotoRefused) as told:
        load_photo(path)
    assert told.value.path == path
    assert str(told.value).startswith(str(path))
    return told.value


def halves(width: int = 40, height: int = 20) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width // 2, height))
    return image


def empty_png(width: int, height: int) -> bytes:
    """A PNG whose header states a size and whose picture data are a few zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "ppm", "tif", "gif"])
def test_every_accepted_format_gives_the_same_colours_in_bgr(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"photo.{suffix}"
    halves().save(path)

    image_bgr = load_photo(path)

    assert image_bgr.shape == (20, 40, 3)
    assert image_bgr.dtype == np.uint8
    assert image_bgr.flags.c_contiguous
    np.testing.assert_allclose(image_bgr[10, 5], RED_BGR, atol=4)
    np.testing.assert_allclose(image_bgr[10, 35], (255, 0, 0), atol=4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_every_colour_mode_becomes_bgr(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("photo.jpg" if mode in ("CMYK", "YCbCr") else "photo.png")
    Image.new("RGB", (8, 6), "white").convert(mode).save(path)

    np.testing.assert_allclose(load_photo(path), np.full((6, 8, 3), 255), atol=2)


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 6), (255, 0, 0, 0)).save(tmp_path / "photo.png")

    assert (load_photo(tmp_path / "photo.png") == 255).all()


@pytest.mark.parametrize("suffix", ["png", "pgm", "tif"])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / f"photo.{suffix}")

    assert load_photo(tmp_path / f"photo.{suffix}")[0].tolist() == [[0] * 3, [100] * 3, [255] * 3]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize(
    ("orientation", "shape", "red_at_yx"),
    [(1, (20, 40), (10, 5)), (2, (20, 40), (10, 35)), (3, (20, 40), (10, 35)), (4, (20, 40), (10, 5)),
     (5, (40, 20), (5, 10)), (6, (40, 20), (5, 10)), (7, (40, 20), (35, 10)), (8, (40, 20), (35, 10))],
)  # fmt: skip
def test_the_picture_is_turned_upright_once(
    tmp_path: Path, suffix: str, orientation: int, shape: tuple[int, int], red_at_yx: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    halves().save(tmp_path / f"photo.{suffix}", exif=exif)

    image_bgr = load_photo(tmp_path / f"photo.{suffix}")

    assert image_bgr.shape[:2] == shape
    np.testing.assert_allclose(image_bgr[red_at_yx], RED_BGR, atol=4)


def test_broken_exif_does_not_cost_the_picture(tmp_path: Path) -> None:
    halves().save(tmp_path / "photo.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x99")

    assert load_photo(tmp_path / "photo.jpg").shape == (20, 40, 3)


def test_a_renamed_text_file_is_not_a_picture(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("setl_id,psn_no\n", encoding="utf-8")

    assert refused(tmp_path / "photo.jpg").reason is Reason.NOT_A_PICTURE


def test_a_renamed_picture_is_still_a_picture(tmp_path: Path) -> None:
    halves().save(tmp_path / "photo.png")

    assert load_photo((tmp_path / "photo.png").rename(tmp_path / "photo.jpg")).shape == (20, 40, 3)


def test_a_postscript_file_is_never_handed_to_another_program(tmp_path: Path) -> None:
    halves().save(tmp_path / "photo.eps")

    assert refused(tmp_path / "photo.eps").reason is Reason.NOT_A_PICTURE


@pytest.mark.parametrize(
    ("width", "height"), [(10_000, 10_000), (8001, 8000), (12_000, 8_000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)]
)
def test_a_bomb_is_refused_undecoded_with_pixels_and_limit(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "photo.png").write_bytes(empty_png(width, height))
    tracemalloc.start()

    error = refused(tmp_path / "photo.png")

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.reason is Reason.PICTURE_TOO_LARGE
    assert f"{width * height:,} pixels; expected at most {PIXELS_MAX:,}" in str(error)
    assert peak < 5_000_000


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "ppm", "tif"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.95])
def test_a_cut_off_picture_is_unreadable(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"photo.{suffix}"
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: max(int(len(data) * share), 12 * (share > 0))])

    assert refused(path).reason in {Reason.UNREADABLE} | ({Reason.NOT_A_PICTURE} if suffix == "ppm" else set())


def test_bytes_are_read_and_refused_as_files_are(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    halves().save(path)
    np.testing.assert_array_equal(decode_photo(path.read_bytes()), load_photo(path))
    for data, reason in (
        (b"", Reason.UNREADABLE),
        (b"psn_no,certno", Reason.NOT_A_PICTURE),
        (path.read_bytes()[:40], Reason.UNREADABLE),
        (empty_png(20_000, 20_000), Reason.PICTURE_TOO_LARGE),
    ):
        with pytest.raises(PhotoRefused, match="upload") as told:
            decode_photo(data, "upload")
        assert told.value.reason is reason


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.jpg").reason is Reason.UNREADABLE
    assert refused(tmp_path).reason is Reason.UNREADABLE


def test_pillow_here_reads_webp() -> None:
    assert features.check("webp")


def grey(height: int, width: int) -> BgrImage:
    return np.full((height, width, 3), 90, dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(200, 200), (200, 1920), (1080, 1920)])
def test_a_picture_with_room_is_left_alone(height: int, width: int) -> None:
    image_bgr = grey(height, width)

    enlarged, factor = enlarge_if_tight(image_bgr)

    assert enlarged is image_bgr
    assert factor == 1.0


@pytest.mark.parametrize(("height", "width"), [(1, 1), (112, 92), (199, 1000)])
def test_a_tight_picture_is_doubled_and_bordered(height: int, width: int) -> None:
    image_bgr = grey(height, width)

    enlarged, factor = enlarge_if_tight(image_bgr)

    assert factor == 2.0
    assert enlarged.shape == (2 * height + 2 * TIGHT_BORDER_PX, 2 * width + 2 * TIGHT_BORDER_PX, 3)
    assert (enlarged == 90).all()
    assert image_bgr.shape == (height, width, 3)


def test_a_point_of_the_enlarged_picture_is_found_in_the_original() -> None:
    image_bgr = grey(100, 100)
    image_bgr[40:44, 60:64] = 255

    enlarged, factor = enlarge_if_tight(image_bgr)

    rows, columns = np.nonzero(enlarged[:, :, 0] > 250)
    assert (rows.mean() + 0.5 - TIGHT_BORDER_PX) / factor == pytest.approx(42.0)
    assert (columns.mean() + 0.5 - TIGHT_BORDER_PX) / factor == pytest.approx(62.0)


@pytest.mark.parametrize("shape", [(0, 10, 3), (10, 0, 3), (10, 10), (10, 10, 4)])
def test_what_is_no_colour_picture_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        enlarge_if_tight(np.zeros(shape, dtype=np.uint8))
