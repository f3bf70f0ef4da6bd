"""The one preprocessing: pinned by golden vectors, and stable over depth, compression, window and resampler."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pydicom
import pytest
from PIL import Image

from hilum.imaging import Pixels, decode, normalise, preprocess, squash
from hilum.release.manifest import InputSpec
from tests.hilum.imaging.bodies import SAMPLES, dicom, picture
from tests.hilum.imaging.golden import FILE, FILMS, SPECS, vector

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))
SPEC = InputSpec(height=128, width=128)
STUDIES = ("nih_test1", "nih_test2", "nih_test3")


@cache
def stored(name: str) -> np.ndarray:
    """A real film of 1024 x 1024 pixels of 8 bits."""
    return np.asarray(pydicom.dcmread(SAMPLES / f"{name}.dcm").pixel_array, dtype=np.uint8)


def difference(name: str, body: bytes) -> Pixels:
    """By how much the input made of `body` differs from that of the 8-bit film, in standard deviations of the film."""
    reference = preprocess(decode(picture(stored(name))).pixels, SPEC)
    return np.abs(preprocess(decode(body).pixels, SPEC) - reference)


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("spec", SPECS)
def test_preprocessing_gives_the_golden_vector(name: str, spec: str) -> None:
    expected, made = GOLDEN[name][spec], vector(name, SPECS[spec])
    assert made["shape"] == expected["shape"]
    assert made["mean"] == pytest.approx(expected["mean"], abs=2e-4)
    assert made["std"] == pytest.approx(expected["std"], abs=2e-4)
    assert np.abs(np.array(made["grid"]) - np.array(expected["grid"])).max() < 1e-3


def test_the_input_is_standardised_per_film() -> None:
    made = preprocess(decode(picture(stored("nih_test1"))).pixels, SPEC)
    assert made.shape == (1, 128, 128)
    assert made.dtype == np.float32
    assert float(made.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(made.std()) == pytest.approx(1.0, abs=1e-4)


def test_the_whole_frame_is_squashed_and_nothing_is_cropped() -> None:
    tall = np.zeros((300, 90), np.float32)
    tall[:30] = 1.0
    tall[:, -9:] = 0.5
    made = squash(tall, 50, 30)
    assert made.shape == (50, 30)
    assert made[1, 10] == pytest.approx(1.0, abs=0.01)
    assert made[30, 29] == pytest.approx(0.5, abs=0.05)
    assert made[30, 10] == pytest.approx(0.0, abs=0.01)


def test_squashing_averages_and_does_not_pick_pixels() -> None:
    stripes = np.zeros((1024, 1024), np.float32)
    stripes[::2] = 1.0
    assert np.abs(squash(stripes, 128, 128) - 0.5).max() < 0.05


def test_a_film_of_the_right_size_is_not_touched() -> None:
    film = decode(picture(stored("nih_test1")[::8, ::8])).pixels
    assert squash(film, 128, 128) is film


def test_a_nearly_flat_film_is_not_blown_up() -> None:
    flat = np.full((128, 128), 0.5, np.float32)
    flat[0, 0] = 0.501
    assert np.abs(normalise(flat, SPEC)).max() < 0.1


def test_a_stack_of_films_is_normalised_film_by_film() -> None:
    films = np.stack([decode(picture(stored(name))).pixels for name in STUDIES])
    stacked = normalise(films, SPEC)
    alone = np.stack([normalise(film, SPEC) for film in films])
    assert np.allclose(stacked, alone, atol=1e-6)


def test_anything_but_two_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match="two dimensions"):
        preprocess(np.zeros((1, 128, 128), np.float32), SPEC)


@pytest.mark.parametrize("name", STUDIES)
def test_depth_and_photometric_interpretation_change_nothing(name: str) -> None:
    film = stored(name)
    window = {"WindowCenter": 2048, "WindowWidth": 4096}
    for body in (
        picture(film.astype(np.uint16) * 257),
        dicom(film),
        dicom(film.astype(np.uint16) * 16, BitsStored=12, **window),
        dicom(255 - film, PhotometricInterpretation="MONOCHROME1"),
    ):
        assert difference(name, body).max() < 1e-3


@pytest.mark.parametrize("name", STUDIES)
def test_a_deep_film_without_a_window_changes_little(name: str) -> None:
    for body in (
        dicom(stored(name).astype(np.uint16) * 16, BitsStored=12),
        dicom(stored(name).astype(np.uint16) * 257),
    ):
        assert difference(name, body).mean() < 1e-3
        assert difference(name, body).max() < 0.1


@pytest.mark.parametrize("name", STUDIES)
def test_a_somewhat_narrower_window_changes_little(name: str) -> None:
    body = dicom(stored(name).astype(np.uint16) * 16, BitsStored=12, WindowCenter=2048, WindowWidth=3700)
    assert difference(name, body).mean() < 0.05


@pytest.mark.parametrize("quality", [75, 80, 85, 90, 95])
@pytest.mark.parametrize("name", STUDIES)
def test_jpeg_quality_changes_little(name: str, quality: int) -> None:
    found = difference(name, picture(stored(name), "JPEG", quality=quality))
    assert found.mean() < 0.006
    assert found.max() < 0.05


@pytest.mark.parametrize("name", STUDIES)
def test_any_antialiasing_resampler_gives_nearly_the_same_input(name: str) -> None:
    film = decode(picture(stored(name))).pixels
    ours = preprocess(film, SPEC)
    area = film.reshape(128, 8, 128, 8).mean(axis=(1, 3))
    resampled = {
        kind: np.asarray(Image.fromarray(film).resize((128, 128), kind))
        for kind in (Image.Resampling.HAMMING, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
    }
    for other in (area, *resampled.values()):
        assert np.abs(preprocess(other, SPEC) - ours).mean() < 0.03
    picked = preprocess(np.ascontiguousarray(film[4::8, 4::8]), SPEC)
    assert np.abs(picked - ours).mean() > 0.03


@pytest.mark.parametrize("name", STUDIES)
def test_a_film_that_was_reduced_before_gives_nearly_the_same_input(name: str) -> None:
    half = Image.fromarray(stored(name)).resize((512, 512), Image.Resampling.BILINEAR)
    assert difference(name, picture(np.asarray(half))).mean() < 0.01
