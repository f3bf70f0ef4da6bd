"""PNG and JPEG films."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from hilum.imaging import png
from hilum.imaging.errors import BadFilm, DamagedFilm, SeveralFrames, UnsupportedEncoding
from hilum.imaging.film import Film, FilmWarning, Pixels
from hilum.imaging.frame import Frame, frame_of
from hilum.imaging.grey import Channels, to_grey
from hilum.imaging.jpeg import read_jpeg
from hilum.imaging.limits import Limits
from hilum.imaging.size import check_size
from hilum.imaging.voi import Display

_ORIENTATION = ExifTags.Base.Orientation
_LOSSLESS_JPEG = {0xC3, 0xC7, 0xCB, 0xCF, 0xF7}


def decode_png(data: bytes, limits: Limits) -> Film:
    """Decode a PNG body; raises BadFilm."""
    channels, warnings = _checked_png(data, limits)
    bits = channels.dtype.itemsize * 8
    return Film(scaled(channels), "image/png", bits=bits, lossy=False, warnings=warnings)


def decode_jpeg(data: bytes, limits: Limits) -> Film:
    """Decode a JPEG body; raises BadFilm."""
    channels, warnings = _checked_jpeg(data, limits)
    return Film(scaled(channels), "image/jpeg", bits=8, lossy=True, warnings=warnings)


def _checked_png(data: bytes, limits: Limits) -> tuple[Channels, tuple[FilmWarning, ...]]:
    header = png.read_png_header(data)
    check_size(header.height, header.width, limits)
    png.check_png(data)
    return _load(data, "PNG")


def _checked_jpeg(data: bytes, limits: Limits) -> tuple[Channels, tuple[FilmWarning, ...]]:
    frame = read_jpeg(data)
    check_size(frame.height, frame.width, limits)
    if frame.process in _LOSSLESS_JPEG or frame.precision != 8:
        raise UnsupportedEncoding("Only 8-bit JPEG files are read outside DICOM. Send the film as PNG or DICOM.")
    return _load(data, "JPEG")


def decode_raster_frame(data: bytes, kind: Literal["PNG", "JPEG"], limits: Limits) -> Frame:
    """The stored values of a PNG or JPEG body; raises BadFilm."""
    channels, _ = _checked_png(data, limits) if kind == "PNG" else _checked_jpeg(data, limits)
    bits = _bits_in_use(channels)
    table = np.arange(1 << bits, dtype=np.float32) / np.float32((1 << bits) - 1)
    return frame_of(channels, lowest=0, bits=bits, display=Display(full_range=True), table=table, lossy=kind == "JPEG")


def scaled(stored: Channels) -> Pixels:
    """Scale stored grey values (H, W) to 0..1: eight bits by 255, more by the largest number of the bits in use.

    Research films of 10 to 14 bits come as 16-bit files; dividing those by 65,535 would leave them black.
    """
    return np.asarray(stored / np.float32((1 << _bits_in_use(stored)) - 1), dtype=np.float32)


def _bits_in_use(stored: Channels) -> int:
    return 8 if stored.dtype == np.uint8 else max(int(stored.max()).bit_length(), 8)


def _quickly(data: bytes, image: Image.Image) -> tuple[Channels, tuple[FilmWarning, ...]] | None:
    """The same pixels as Pillow's, by libjpeg-turbo itself without a copy (a fifth less time, in colour half).

    None where the file is not plain and whole: turned by EXIF, of another colour space, or with a fault that Pillow
    can judge.
    """
    colours = {"L": "GRAY", "RGB": "RGB"}.get(image.mode)
    if colours is None or image.getexif().get(_ORIENTATION, 1) != 1:
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, colours)
    except ValueError:
        return None
    return (pixels[..., 0], ()) if colours == "GRAY" else to_grey(pixels, 255)


def _load(data: bytes, kind: Literal["PNG", "JPEG"]) -> tuple[Channels, tuple[FilmWarning, ...]]:
    """Decode with Pillow to one grey channel (H, W), turned as the EXIF orientation says."""
    try:
        with Image.open(BytesIO(data), formats=[kind]) as image:
            if getattr(image, "n_frames", 1) != 1:
                raise SeveralFrames("The file holds several images. Send each film as a file of its own.")
            if kind == "JPEG" and (decoded := _quickly(data, image)) is not None:
                return decoded
            image.load()
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16") or upright.mode == "I":
                return np.asarray(upright).astype(np.uint16), ()
            if upright.mode in {"L", "LA", "1"}:
                return np.asarray(upright.convert("L")), ()
            return to_grey(np.asarray(upright.convert("RGB")), 255)
    except BadFilm:
        raise
    except UnidentifiedImageError:
        raise DamagedFilm(f"The {kind} file's header can't be read. Export or send the film again.") from None
    # Pillow's plugins raise whatever their parsing of damaged bytes meets: struct.error, KeyError, SyntaxError ...
    except Exception:
        raise DamagedFilm(f"The {kind} file's image can't be decoded. Export or send the film again.") from None
