"""The Image Pixel attributes (PS3.3 C.7.6.3), checked once so that the decoders can trust them."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom.dataset import Dataset

from hilum.imaging.dicom import values
from hilum.imaging.dicom.kinds import check_frames
from hilum.imaging.errors import DamagedFilm, NoPixels, UnsupportedEncoding
from hilum.imaging.limits import Limits
from hilum.imaging.size import check_size

SAMPLES, PHOTOMETRIC, PLANAR, FRAMES = 0x00280002, 0x00280004, 0x00280006, 0x00280008
ROWS, COLUMNS, ALLOCATED, STORED, SIGNED = 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280103
PIXEL_DATA, FLOAT_PIXELS, DOUBLE_PIXELS = 0x7FE00010, 0x7FE00008, 0x7FE00009
TAGS = frozenset(
    {
        *(SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS, ALLOCATED, STORED, SIGNED),
        *(PIXEL_DATA, FLOAT_PIXELS, DOUBLE_PIXELS),
        # Palettes: descriptors and data for red, green, blue.
        *(0x00281101, 0x00281102, 0x00281103, 0x00281201, 0x00281202, 0x00281203),
    }
)
_GREY = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}


@dataclass(frozen=True)
class Geometry:
    """Size, depth and colour model of one frame; `allocated` is 8 or 16, `stored` at most that."""

    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    signed: bool
    photometric: str
    planar: int

    @property
    def frame_bytes(self) -> int:
        """Length of one uncompressed frame."""
        if self.photometric == "YBR_FULL_422":
            return self.rows * self.columns * 2 * self.allocated // 8
        return self.rows * self.columns * self.samples * self.allocated // 8

    @property
    def lowest(self) -> int:
        """The smallest value that can be stored."""
        return -(1 << (self.stored - 1)) if self.signed else 0


def read_geometry(dataset: Dataset, limits: Limits) -> Geometry:
    """Read and check the attributes; raises NoPixels, SeveralFrames, FilmTooLarge, UnsupportedEncoding, DamagedFilm."""
    if PIXEL_DATA not in dataset:
        if FLOAT_PIXELS in dataset or DOUBLE_PIXELS in dataset:
            raise UnsupportedEncoding("The DICOM object has floating point pixels: a map, not a film. Send the film.")
        raise NoPixels("The DICOM object has no pixels. Send the film itself, not only its header.")
    check_frames(values.integer(dataset, FRAMES) or 1)
    rows, columns = values.integer(dataset, ROWS), values.integer(dataset, COLUMNS)
    if not rows or not columns or rows < 0 or columns < 0:
        raise DamagedFilm("Rows (0028,0010) or Columns (0028,0011) is missing or zero. Correct it at the sender.")
    check_size(rows, columns, limits)
    allocated = values.integer(dataset, ALLOCATED) or 16
    stored = values.integer(dataset, STORED) or allocated
    if allocated not in {8, 16}:
        raise UnsupportedEncoding("BitsAllocated (0028,0100) is neither 8 nor 16; a film's pixels are whole numbers.")
    samples = values.integer(dataset, SAMPLES) or 1
    photometric = values.code(dataset, PHOTOMETRIC)
    if not photometric or (photometric not in _GREY | _COLOUR):
        photometric = "MONOCHROME2" if samples == 1 else "RGB"
    if samples not in {1, 3} or (samples == 3) != (photometric in _COLOUR):
        raise DamagedFilm("SamplesPerPixel (0028,0002) does not fit the PhotometricInterpretation (0028,0004).")
    return Geometry(
        rows=rows,
        columns=columns,
        samples=samples,
        allocated=allocated,
        stored=min(max(stored, 1), allocated),
        signed=values.integer(dataset, SIGNED) == 1 and samples == 1,
        photometric=photometric,
        planar=1 if values.integer(dataset, PLANAR) == 1 else 0,
    )
