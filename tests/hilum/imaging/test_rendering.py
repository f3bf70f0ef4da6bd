"""Pictures of a film for the page."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from hilum.imaging import decode, decode_8bit, render, thumbnail
from tests.hilum.imaging.bodies import dicom, grey, picture, sample


def opened(body: bytes) -> Image.Image:
    image = Image.open(BytesIO(body))
    assert image.format == "PNG"
    return image


def test_an_8_bit_film_is_rendered_exactly() -> None:
    for body in (picture(grey()), dicom()):
        film = decode(body)
        assert np.array_equal(np.asarray(opened(render(film))), grey())
        assert np.array_equal(decode_8bit(film), grey())


@pytest.mark.parametrize(("side", "size"), [(None, (1841, 1955)), (4000, (1841, 1955)), (500, (471, 500))])
def test_a_large_film_is_reduced_with_its_aspect(side: int | None, size: tuple[int, int]) -> None:
    image = opened(render(decode(sample("nema_rg1.dcm")), side))
    assert image.size == size
    assert image.mode == "L"


def test_a_film_is_never_enlarged() -> None:
    assert opened(render(decode(picture(grey())), 1000)).size == (128, 128)


def test_a_thin_film_keeps_a_pixel() -> None:
    assert opened(render(decode(picture(np.tile(grey()[:32], (1, 40)))), 100)).size == (100, 1)


def test_a_thumbnail_is_small_and_shows_the_film() -> None:
    film = decode(sample("nih_test2.dcm"))
    body = thumbnail(film)
    small = np.asarray(opened(body), dtype=np.float64)
    assert max(small.shape) == 160
    assert len(body) < 40_000
    coarse = film.pixels[: 1024 // 160 * 160, : 1024 // 160 * 160]
    assert small.mean() / 255 == pytest.approx(float(coarse.mean()), abs=0.05)


def test_a_rendered_film_decodes_to_itself() -> None:
    film = decode(sample("nih_test2.dcm"))
    assert np.array_equal(decode(render(film)).pixels, film.pixels)
