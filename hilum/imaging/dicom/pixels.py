"""Pixel data to stored values, for every transfer syntax that is read here.

Compressed streams are checked for size and completeness first (`hilum.imaging.jpeg`, `hilum.imaging.jpeg2000`): the
native decoders fill missing parts with grey without a word, and would allocate whatever a hostile header asks for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.pixels.processing import apply_color_lut, convert_color_space

from hilum.imaging.dicom.geometry import PIXEL_DATA, Geometry
from hilum.imaging.dicom.isolated import decode_with_gdcm, with_sign
from hilum.imaging.dicom.rle import decode_rle
from hilum.imaging.errors import BadFilm, DamagedFilm, TruncatedFilm
from hilum.imaging.jpeg import JpegFrame, read_jpeg
from hilum.imaging.jpeg2000 import read_jpeg2000

Stored = npt.NDArray[np.integer[Any]]

_NATIVE = frozenset(
    {
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }
)
_JPEG = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1}
_JPEG_LOSSLESS = {uid.JPEGLossless, uid.JPEGLosslessSV1}
_JPEG_LS = {uid.JPEGLSLossless, uid.JPEGLSNearLossless}
_JPEG_2000 = {uid.JPEG2000, uid.JPEG2000Lossless, uid.HTJ2K, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL}
READABLE = frozenset(str(s) for s in _NATIVE | _JPEG | _JPEG_LS | _JPEG_2000 | {uid.RLELossless})
ALWAYS_LOSSY = frozenset(str(s) for s in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit))
# These may hold lossless data as well; the header's LossyImageCompression then says so.
PERHAPS_LOSSY = frozenset(str(s) for s in (uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K))


def stored_values(dataset: Dataset, syntax: str, geometry: Geometry) -> Stored:
    """Decode the one frame to (rows, columns), or (rows, columns, 3) in RGB; raises BadFilm."""
    try:
        element = dataset[PIXEL_DATA]
    # pydicom raises NotImplementedError and others for an unknown value representation.
    except Exception:
        raise DamagedFilm("The header of the pixels can't be read. Export or send the film again.") from None
    data = element.value if isinstance(element.value, bytes) else b""
    if syntax in _NATIVE:
        if len(data) < geometry.frame_bytes:
            raise TruncatedFilm("There are fewer pixels than Rows and Columns say. Send the whole file again.")
        data = data[: geometry.frame_bytes]
    try:
        if syntax in _NATIVE:
            decoded = _decode(data, syntax, geometry, element.VR)
        else:
            stream = get_frame(data, 0, number_of_frames=1)
            frame = _check_stream(stream, syntax, geometry)
            if frame is not None and _needs_gdcm(syntax, frame):
                decoded = _in_rgb(decode_with_gdcm(stream, frame, syntax, geometry), geometry)
            elif syntax == uid.RLELossless:
                decoded = _in_rgb(with_sign(decode_rle(stream, geometry), geometry), geometry)
            else:
                decoded = _decode(data, syntax, geometry, element.VR)
        if geometry.photometric == "PALETTE COLOR":
            coloured = np.asarray(apply_color_lut(decoded, dataset))
            # Palettes of 16 bits hold 8-bit values in their upper bytes (PS3.3 C.7.6.3.1.6).
            return (coloured >> 8).astype(np.uint8) if coloured.dtype.itemsize > 1 else coloured
        return decoded
    except BadFilm:
        raise
    except MemoryError:
        raise
    # pydicom and its plugins raise ValueError, RuntimeError, struct.error, NotImplementedError ... for damaged data.
    except Exception:
        raise DamagedFilm("The compressed pixels can't be decoded. Export or send the film again.") from None


def _needs_gdcm(syntax: str, frame: JpegFrame) -> bool:
    return syntax in _JPEG_LOSSLESS or (syntax in _JPEG and frame.precision > 8)


def _in_rgb(decoded: Stored, geometry: Geometry) -> Stored:
    if geometry.samples == 3 and geometry.photometric != "RGB":
        return np.asarray(convert_color_space(decoded, geometry.photometric, "RGB"))
    return decoded


def _check_stream(stream: bytes, syntax: str, geometry: Geometry) -> JpegFrame | None:
    """Refuse a compressed stream that is incomplete or not of the size that the header says."""
    frame = None
    if syntax in _JPEG or syntax in _JPEG_LS:
        frame = read_jpeg(stream)
        size = (frame.height, frame.width, frame.components)
        precision = frame.precision
    elif syntax in _JPEG_2000:
        image = read_jpeg2000(stream)
        size = (image.height, image.width, image.components)
        precision = image.precision
    else:
        return None
    if size != (geometry.rows, geometry.columns, geometry.samples):
        raise DamagedFilm("The compressed pixels have another size than the header says. Correct it at the sender.")
    if precision > geometry.allocated:
        raise DamagedFilm("The compressed pixels are deeper than the header says. Correct it at the sender.")
    return frame


def _decode(data: bytes, syntax: str, geometry: Geometry, vr: str) -> Stored:
    decoder = get_decoder(uid.UID(syntax))
    options = {
        "rows": geometry.rows,
        "columns": geometry.columns,
        "samples_per_pixel": geometry.samples,
        "bits_allocated": geometry.allocated,
        "bits_stored": geometry.stored,
        "pixel_representation": int(geometry.signed),
        "photometric_interpretation": geometry.photometric,
        "planar_configuration": geometry.planar,
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
        "pixel_vr": vr,
    }
    decoded, _ = decoder.as_array(data, index=0, decoding_plugin=_plugin(syntax), **options)
    return np.asarray(decoded)


def _plugin(syntax: str) -> str:
    """The decoder for `syntax`: one each, so that every machine gives the same pixels."""
    if syntax in _NATIVE:
        return ""
    if syntax in _JPEG_2000:
        return "pylibjpeg"
    return "pyjpegls" if syntax in _JPEG_LS else "pillow"
