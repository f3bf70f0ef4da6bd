"""From stored values to black air and white bone: photometric, depth, LUTs, windows; pydicom is the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from hilum.imaging import Film, decode, decode_8bit
from tests.hilum.imaging.bodies import dataset, dicom, grey, picture, pydicom_data, sample, written


def codes(film: Film) -> set[str]:
    return {warning.code for warning in film.warnings}


def deep(bits: int) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """The real film in `bits` bits."""
    return (grey().astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)


def lut(first: int, entries: np.ndarray[Any, np.dtype[np.uint16]], bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item["LUTDescriptor"].VR = "SS" if first < 0 else "US"
    item.LUTData = entries.tobytes()
    item["LUTData"].VR = "OW"
    return item


def test_a_png_and_a_dicom_of_the_same_film_have_identical_pixels() -> None:
    as_png, as_dicom = decode(picture(grey())), decode(dicom())
    assert np.array_equal(as_png.pixels, as_dicom.pixels)
    assert np.array_equal(decode_8bit(as_dicom), grey())
    assert as_png.pixels.dtype == np.float32
    assert not as_png.pixels.flags.writeable


def test_a_16_bit_png_of_an_8_bit_film_has_its_pixels() -> None:
    film = decode(picture(grey().astype(np.uint16) * 257))
    assert film.bits == 16
    assert np.abs(film.pixels - decode(picture(grey())).pixels).max() < 1e-6


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_16_bit_png_that_uses_fewer_bits_is_not_black(bits: int) -> None:
    film = decode(picture(deep(bits)))
    assert np.abs(film.pixels - decode(picture(grey())).pixels).max() < 2 / 255


def test_equal_channels_are_taken_as_they_are() -> None:
    colour = np.stack([grey()] * 3, axis=-1)
    plain = decode(picture(grey())).pixels
    assert np.array_equal(decode(picture(colour)).pixels, plain)
    assert np.array_equal(decode(dicom(colour)).pixels, plain)
    planar = dicom(colour, PlanarConfiguration=1, PixelData=np.moveaxis(colour, -1, 0).tobytes())
    assert np.array_equal(decode(planar).pixels, plain)


def test_transparency_and_a_palette_change_nothing() -> None:
    plain = decode(picture(grey())).pixels
    opaque = np.stack([grey(), grey(), grey(), np.full_like(grey(), 255)], axis=-1)
    assert np.array_equal(decode(picture(opaque)).pixels, plain)
    ramp = (np.arange(256, dtype=np.uint16) << 8).tobytes()
    palette = {
        f"{name}PaletteColorLookupTable{part}": value
        for name in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, 16]), ("Data", ramp))
    }
    film = decode(dicom(PhotometricInterpretation="PALETTE COLOR", **palette))
    assert np.array_equal(decode_8bit(film), grey())


def test_a_coloured_marker_is_turned_grey_with_a_warning() -> None:
    marked = np.stack([grey()] * 3, axis=-1)
    marked[4:12, 4:16] = (255, 0, 0)
    film = decode(picture(marked))
    assert codes(film) == {"coloured_marks"}
    assert np.array_equal(film.pixels[20:], decode(picture(grey())).pixels[20:])


def test_a_jpeg_turned_by_its_exif_orientation_stands_upright() -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(picture(np.rot90(grey()), "JPEG", quality=95, exif=exif.tobytes()))
    assert np.abs(turned.pixels - decode(picture(grey())).pixels).mean() < 0.01


def test_monochrome1_is_inverted_once() -> None:
    plain = decode(dicom()).pixels
    inverse = decode(dicom(255 - grey(), PhotometricInterpretation="MONOCHROME1")).pixels
    stated_twice = decode(dicom(255 - grey(), PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"))
    assert np.allclose(inverse, plain, atol=1e-6)
    assert np.allclose(stated_twice.pixels, plain, atol=1e-6)


def test_the_real_monochrome1_film_shows_dark_lungs_and_a_white_spine() -> None:
    film = decode(sample("nema_rg1.dcm"))
    height, width = film.pixels.shape
    lung = film.pixels[height // 4 : height // 3, width // 4 : width // 3].mean()
    spine = film.pixels[height // 2 : 2 * height // 3, 9 * width // 20 : 11 * width // 20].mean()
    assert spine > lung + 0.15


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
@pytest.mark.parametrize("rescale", [(None, None), (0.5, -300.0), (2.0, 10.0)])
def test_a_window_gives_what_pydicom_gives(function: str | None, rescale: tuple[float | None, float | None]) -> None:
    slope, intercept = rescale
    centre = 1800.0 * (slope or 1.0) + (intercept or 0.0)
    film = dataset(
        deep(12),
        BitsStored=12,
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=centre,
        WindowWidth=2500.0 * (slope or 1.0),
        VOILUTFunction=function,
    )
    ours = decode(written(film)).pixels
    theirs = apply_voi_lut(apply_modality_lut(film.pixel_array, film), film)
    low, high = (0 if slope is None else (intercept or 0.0)), 4095 * (slope or 1.0) + (intercept or 0.0)
    assert np.abs(ours - (theirs - low) / (high - low)).max() < 1e-4


def test_the_first_of_several_windows_is_taken() -> None:
    one = decode(dicom(deep(12), BitsStored=12, WindowCenter=1800, WindowWidth=2500))
    several = decode(dicom(deep(12), BitsStored=12, WindowCenter=[1800, 300], WindowWidth=[2500, 90]))
    assert np.array_equal(one.pixels, several.pixels)


def test_a_voi_lut_gives_what_pydicom_gives_and_goes_before_a_window() -> None:
    curve = (np.sqrt(np.arange(4096) / 4095) * 1023).astype(np.uint16)
    film = dataset(deep(12), BitsStored=12, WindowCenter=500, WindowWidth=100)
    film.VOILUTSequence = [lut(0, curve, 10)]
    theirs = apply_voi_lut(film.pixel_array, film) / 1023
    assert np.abs(decode(written(film)).pixels - theirs).max() < 1e-6


@pytest.mark.parametrize("name", ["VOILUTSequence", "ModalityLUTSequence"])
def test_an_unusable_lookup_table_is_left_out_with_a_warning(name: str) -> None:
    film = dataset(deep(12), BitsStored=12)
    plain = decode(written(film))
    setattr(film, name, [lut(0, np.zeros(1, dtype=np.uint16), 10)])
    film[name].value[0].LUTDescriptor = [4096, 0]
    broken = decode(written(film))
    assert codes(broken) - codes(plain) == {"window"}
    assert np.array_equal(broken.pixels, plain.pixels)


def test_a_modality_lut_gives_what_pydicom_gives() -> None:
    curve = (np.arange(4096)[::-1] // 2 + 100).astype(np.uint16)
    film = dataset(deep(12), BitsStored=12, WindowCenter=1100, WindowWidth=1500)
    film.ModalityLUTSequence = [lut(0, curve, 16)]
    film.ModalityLUTSequence[0].ModalityLUTType = "US"
    ours = decode(written(film)).pixels
    values = apply_modality_lut(film.pixel_array, film).astype(np.float64)
    expected = np.clip((values - 1099.5) / 1499 + 0.5, 0, 1)
    assert np.abs(ours - expected).max() < 1e-6


@pytest.mark.parametrize("name", ["mlut_18.dcm", "vlut_04.dcm"])
def test_real_files_with_lookup_tables_give_what_pydicom_gives(name: str) -> None:
    path = pydicom_data() / name
    film = pydicom.dcmread(path)
    theirs = apply_voi_lut(apply_modality_lut(film.pixel_array, film), film).astype(np.float64)
    ours = decode(path.read_bytes()).pixels
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.9999
    assert ours.min() == 0.0
    assert ours.max() > 0.99


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_every_depth_shows_the_same_film(bits: int, signed: bool) -> None:
    stored = deep(bits)
    half = 1 << (bits - 1)
    pixels = (stored.astype(np.int32) - half).astype(np.int16) if signed else stored
    centre = 0 if signed else half
    film = decode(dicom(pixels, BitsStored=bits, WindowCenter=centre, WindowWidth=1 << bits))
    assert film.bits == bits
    assert np.abs(film.pixels - decode(dicom()).pixels).max() < 1.5 / 255


def test_bits_above_those_stored_are_ignored() -> None:
    window = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 4096}
    overlay = deep(12) | np.uint16(0xA000)
    assert np.array_equal(decode(dicom(overlay, **window)).pixels, decode(dicom(deep(12), **window)).pixels)


def test_without_a_window_a_deep_film_is_shown_in_its_own_range() -> None:
    narrow = (deep(12) // 4 + 1500).astype(np.uint16)
    film = decode(dicom(narrow, BitsStored=12))
    assert film.pixels.min() == 0.0
    assert film.pixels.max() == 1.0
    reference = decode(dicom()).pixels
    assert np.corrcoef(film.pixels.ravel(), reference.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    "window",
    [
        {"WindowCenter": 2000, "WindowWidth": 0},
        {"WindowCenter": 2000, "WindowWidth": -100},
        {"WindowCenter": 2000, "WindowWidth": None},
        {"WindowCenter": 60_000, "WindowWidth": 10},
    ],
    ids=["zero width", "negative width", "no width", "off the film"],
)
def test_an_unusable_window_warns_and_the_own_range_is_shown(window: dict[str, float | None]) -> None:
    film = decode(dicom(deep(12), BitsStored=12, **window))
    assert codes(film) == {"window"}
    assert np.array_equal(film.pixels, decode(dicom(deep(12), BitsStored=12)).pixels)


def test_padding_is_black_and_does_not_stretch_the_range() -> None:
    padded = deep(12) // 2 + 1000
    padded[:, :20] = 4000
    film = decode(dicom(padded, BitsStored=12, PixelPaddingValue=4000))
    assert (film.pixels[:, :20] == 0.0).all()
    assert film.pixels[:, 20:].max() == 1.0
    inverted = decode(dicom(padded, BitsStored=12, PixelPaddingValue=4000, PhotometricInterpretation="MONOCHROME1"))
    assert (inverted.pixels[:, :20] == 0.0).all()


def test_values_stay_between_black_and_white() -> None:
    for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        film = decode(dicom(deep(16), WindowCenter=30_000, WindowWidth=1000, VOILUTFunction=function))
        assert film.pixels.min() >= 0.0
        assert film.pixels.max() <= 1.0
        assert np.isfinite(film.pixels).all()
