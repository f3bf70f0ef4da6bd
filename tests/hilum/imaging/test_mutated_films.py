"""Damaged bodies of every kind: only BadFilm may escape, and nothing else may happen."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from hilum.imaging import BadFilm, decode
from tests.hilum.imaging.bodies import compressed, compressed_by_gdcm, dataset, dicom, grey, picture, written

PIXEL_DATA = b"\xe0\x7f\x10\x00"
MUTATIONS = 300


def small() -> np.ndarray:
    return grey()[::2, ::2].copy()


def body_of(kind: str, folder: Path) -> bytes:
    """A small real film in the encoding `kind`."""
    film = dataset(small().astype(np.uint16) * 16, BitsStored=12)
    deflated = dataset(small())
    deflated.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    makers: dict[str, Callable[[], bytes]] = {
        "png": lambda: picture(small()),
        "jpeg": lambda: picture(small(), "JPEG"),
        "progressive": lambda: picture(small(), "JPEG", progressive=True),
        "dicom": lambda: written(film),
        "deflated": lambda: written(deflated),
        "jpeg lossless": lambda: compressed_by_gdcm(written(film), JPEGLosslessSV1, folder),
        "jpeg baseline": lambda: compressed_by_gdcm(dicom(small()), JPEGBaseline8Bit, folder),
        "jpeg 12": lambda: compressed_by_gdcm(written(film), JPEGExtended12Bit, folder),
        "jpeg-ls": lambda: compressed(film, JPEGLSLossless),
        "rle": lambda: compressed(film, RLELossless),
        "jpeg 2000": lambda: compressed(film, JPEG2000Lossless),
    }
    return makers[kind]()


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Change, insert, delete or cut a few bytes: half of them near the start of the pixels, where the headers are."""
    changed = bytearray(body)
    pixels = max(body.rfind(PIXEL_DATA), 0)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(changed))
        if chance.random() < 0.5:
            at = min(pixels + chance.randrange(200), len(changed) - 1)
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                del changed[at : at + chance.randrange(1, 8)]
            case _:
                changed[at:at] = chance.randbytes(chance.randrange(1, 8))
    if chance.random() < 0.1:
        del changed[chance.randrange(len(changed)) :]
    return bytes(changed)


@pytest.mark.parametrize(
    "kind",
    [
        *("png", "jpeg", "progressive", "dicom", "deflated", "rle"),
        *("jpeg lossless", "jpeg baseline", "jpeg 12", "jpeg-ls", "jpeg 2000"),
    ],
)
def test_a_mutated_film_is_decoded_or_refused(kind: str, tmp_path: Path) -> None:
    body = body_of(kind, tmp_path)
    decode(body)
    chance = random.Random(20261121)  # a fixed seed: the same bodies every time
    # Streams for GDCM cost a process each.
    count = MUTATIONS // 5 if kind in {"jpeg lossless", "jpeg 12"} else MUTATIONS
    refused = 0
    for _ in range(count):
        try:
            film = decode(mutated(body, chance))
        except BadFilm as error:
            assert str(error).endswith(".")
            refused += 1
        else:
            assert np.isfinite(film.pixels).all()
            assert film.pixels.min() >= 0.0
            assert film.pixels.max() <= 1.0
    assert refused > count // 20


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\0" * 128 + b"DICM", b"\x08\x00\x05\x00CS"]),
    rest=st.binary(max_size=600),
)
def test_bytes_from_nowhere_are_refused(start: bytes, rest: bytes) -> None:
    with pytest.raises(BadFilm):
        decode(start + rest)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    keyword=st.sampled_from(
        ["BitsStored", "BitsAllocated", "HighBit", "SamplesPerPixel", "PixelRepresentation", "PlanarConfiguration"]
    ),
    value=st.integers(0, 65_535),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL_422", "PALETTE COLOR", "", "HSV"]),
)
def test_absurd_pixel_attributes_are_decoded_or_refused(keyword: str, value: int, photometric: str) -> None:
    body = dicom(small(), **{"PhotometricInterpretation": photometric, keyword: value})
    try:
        film = decode(body)
    except BadFilm:
        return
    assert film.pixels.shape == small().shape
