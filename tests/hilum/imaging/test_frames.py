"""Frames: every stored value without loss, shown as `decode` shows it, with the header's lengths and sides."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hilum.imaging import BadFilm, Frame, decode, decode_8bit, decode_frame
from hilum.imaging.spacing import Spacing
from hilum.imaging.voi import Display, modality_values, windowed
from tests.hilum.imaging.bodies import dicom, grey, picture, sample


def opened(body: bytes) -> tuple[dict[str, Any], npt.NDArray[np.uint8], npt.NDArray[Any]]:
    """Head, table and values of a frame as it travels, read by hand."""
    assert body[:4] == b"HLMF"
    start = 8 + int.from_bytes(body[4:8], "little")
    head = json.loads(body[8:start])
    end = start + head["table_length"]
    kind = np.dtype("<u2") if head["bytes_per_value"] == 2 else np.dtype("u1")
    values = np.frombuffer(body[end:], kind).reshape(head["height"], head["width"])
    return head, np.frombuffer(body[start:end], np.uint8), values


def deep(bits: int) -> npt.NDArray[np.uint16]:
    return (grey().astype(np.uint16) << (bits - 8)) + 3


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(sample("nema_rg1.dcm"), id="a real MONOCHROME1 film of 15 bits"),
        pytest.param(sample("nih_test1.dcm"), id="a real film of 8 bits"),
        pytest.param(sample("nih_00001377_004.jpg"), id="a JPEG"),
        pytest.param(picture(deep(12)), id="a 16-bit PNG of 12 bits"),
        pytest.param(dicom(deep(12), BitsStored=12, WindowCenter=1500, WindowWidth=900), id="12 bits with a window"),
        pytest.param(dicom(deep(14), BitsStored=14), id="14 bits without a window"),
        pytest.param(dicom(deep(12), BitsStored=12, PixelPaddingValue=3), id="padding"),
    ],
)
def test_a_frame_is_shown_as_the_film_is(body: bytes) -> None:
    head, table, values = opened(decode_frame(body).to_bytes())
    film = decode(body)
    assert (head["width"], head["height"], head["bits"]) == (film.width, film.height, film.bits) or film.bits == 16
    assert np.array_equal(table[values], decode_8bit(film))


def test_no_stored_value_is_lost() -> None:
    stored = deep(12)
    _, _, values = opened(decode_frame(dicom(stored, BitsStored=12)).to_bytes())
    assert values.dtype == np.uint16
    assert np.array_equal(values, stored)
    frame = decode_frame(picture(stored))
    assert np.array_equal(frame.values, stored)


def test_signed_values_travel_above_their_lowest() -> None:
    stored = (deep(12).astype(np.int32) - 2048).astype(np.int16)
    frame = decode_frame(dicom(stored, BitsStored=12, PixelRepresentation=1))
    assert frame.lowest == -2048
    assert np.array_equal(frame.values.astype(np.int32) + frame.lowest, stored)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_the_header_s_window_is_named_as_it_stands_with_its_rescale(function: str) -> None:
    header = {"WindowCenter": 900, "WindowWidth": 500, "VOILUTFunction": function}
    frame = decode_frame(dicom(deep(12), BitsStored=12, RescaleSlope=0.5, RescaleIntercept=100, **header))
    assert (frame.window.centre, frame.window.width, frame.window.function) == (900, 500, function)
    assert (frame.slope, frame.intercept) == (0.5, 100)


def test_without_a_window_the_one_that_is_applied_is_found_again() -> None:
    body = dicom(deep(14), BitsStored=14)
    frame = decode_frame(body)
    values = np.arange(1 << 14, dtype=np.float64)
    assert np.abs(np.rint(windowed(values, frame.window) * 255) - frame.table).max() <= 1
    assert decode_frame(picture(grey())).window.width == 255


def test_all_windows_of_the_header_come_with_their_names_and_no_markup() -> None:
    header = {"WindowCenter": [100, 200, 300], "WindowWidth": [50, 0, 60]}
    frame = decode_frame(dicom(deep(12), BitsStored=12, WindowCenterWidthExplanation=["<b>SOFT</b>", "X"], **header))
    assert [(name, window.centre) for name, window in frame.windows] == [("bSOFTb", 100), ("Window 3", 300)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({}, None),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        ({"PixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "unstated")),
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.2, 0.1, "detector")),
        ({"PixelSpacing": [0.18, 0.09], "ImagerPixelSpacing": [0.2, 0.1]}, Spacing(0.18, 0.09, "calibrated")),
        ({"PixelSpacing": [0.2, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"}, Spacing(0.2, 0.1, "calibrated")),
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 2},
            Spacing(0.1, 0.05, "magnification"),
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 0},
            Spacing(0.2, 0.1, "detector"),
        ),
        ({"PixelSpacing": [0, 0.1]}, None),
    ],
)
def test_a_spacing_says_where_it_holds(header: dict[str, Any], expected: Spacing | None) -> None:
    assert decode_frame(dicom(**header)).spacing == expected


def test_sides_come_from_the_header_alone_and_never_by_guess() -> None:
    assert decode_frame(sample("nema_rg1.dcm")).orientation == ("L", "F")
    assert decode_frame(dicom(PatientOrientation=["l", "f"])).orientation == ("L", "F")
    for odd in (["L"], ["L", "X"], ["", "F"], ["LEFT", "F"]):
        assert decode_frame(dicom(PatientOrientation=odd)).orientation is None
    assert decode_frame(dicom(ViewPosition="PA", PatientOrientation=None)).orientation is None


def test_a_modality_table_travels_as_a_table() -> None:
    frame: Frame = decode_frame(sample("nema_rg1.dcm"))
    assert frame.modality is None
    assert frame.inverted


def test_a_film_that_is_refused_has_no_frame() -> None:
    whole = sample("nih_test1.dcm")
    for bad in (b"", b"text", whole[: len(whole) // 2], picture(grey())[:-40]):
        with pytest.raises(BadFilm):
            decode_frame(bad)


def test_modality_values_are_slope_and_intercept() -> None:
    assert modality_values(Display(slope=2.0, intercept=1.0), -1, 3).tolist() == [-1.0, 1.0, 3.0]
