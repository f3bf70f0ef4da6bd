"""The quick way to decode a JPEG gives Pillow's pixels, value for value."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from hilum.imaging import decode
from hilum.imaging.raster import _quickly
from hilum.settings import REPOSITORY

SAMPLES = sorted([*REPOSITORY.glob("samples/*.jpg"), *REPOSITORY.glob("samples/*.jpeg")])


def blotches(height: int, width: int, seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(20, 235, (9, 9), dtype=np.uint8)).resize((width, height))
    grain = rng.normal(0, 8, (height, width))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def saved(image: Image.Image, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("L")) / np.float32(255)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_real_film_has_pillows_pixels(path: Path) -> None:
    data = path.read_bytes()
    np.testing.assert_array_equal(decode(data).pixels, by_pillow(data))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"quality": 10}])
def test_every_kind_of_grey_jpeg_has_pillows_pixels(options: dict[str, object]) -> None:
    data = saved(blotches(301, 257), **options)
    with Image.open(BytesIO(data)) as image:
        assert _quickly(data, image) is not None
    np.testing.assert_array_equal(decode(data).pixels, by_pillow(data))


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 1}, {"subsampling": 2}, {"keep_rgb": True}])
def test_a_grey_film_saved_in_colour_has_pillows_pixels(options: dict[str, object]) -> None:
    data = saved(blotches(133, 200).convert("RGB"), **options)
    with Image.open(BytesIO(data)) as image:
        quick = _quickly(data, image)
        image.load()
        plain = np.asarray(image)
    assert quick is not None
    if np.array_equal(plain[..., 0], plain[..., 1]) and np.array_equal(plain[..., 1], plain[..., 2]):
        np.testing.assert_array_equal(quick[0], plain[..., 0])
    else:
        luma = plain.astype(np.uint32) @ np.array([299, 587, 114], dtype=np.uint32)
        np.testing.assert_array_equal(quick[0], (luma + 500) // 1000)


def test_a_turned_film_is_turned_as_before() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = saved(blotches(100, 160), exif=exif)
    assert decode(data).pixels.shape == (160, 100)
    np.testing.assert_array_equal(decode(data).pixels, by_pillow(data))


def test_a_fault_that_pillow_forgives_is_still_forgiven() -> None:
    data = saved(blotches(120, 120))
    at = data.index(b"\xff\xda")
    faulty = data[:at] + bytes(64) + data[at:]
    with Image.open(BytesIO(faulty)) as image:
        assert _quickly(faulty, image) is None
        image.load()
        expected = np.asarray(image) / np.float32(255)
    np.testing.assert_array_equal(decode(faulty).pixels, expected)
