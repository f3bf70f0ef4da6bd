"""RLE Lossless (PS3.5 annex G), bounded: pydicom's decoder lets a segment grow to 64 times the file before it trims."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.imaging.dicom.geometry import Geometry
from hilum.imaging.errors import DamagedFilm, TruncatedFilm

_HEADER_BYTES = 64


def decode_rle(stream: bytes, geometry: Geometry) -> npt.NDArray[np.unsignedinteger[Any]]:
    """Decode one frame to (rows, columns), or (rows, columns, 3); raises DamagedFilm or TruncatedFilm.

    The segments are byte planes: sample by sample, the most significant byte first.
    """
    bytes_per_sample = geometry.allocated // 8
    count = int.from_bytes(stream[:4], "little")
    if len(stream) < _HEADER_BYTES or count != geometry.samples * bytes_per_sample:
        raise DamagedFilm("The RLE pixels do not fit the header. Export or send the film again.")
    starts = [int.from_bytes(stream[4 + 4 * n : 8 + 4 * n], "little") for n in range(count)]
    ends = [*starts[1:], len(stream)]
    size = geometry.rows * geometry.columns
    planes = np.empty((geometry.samples, bytes_per_sample, size), dtype=np.uint8)
    for n, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if not _HEADER_BYTES <= start <= end <= len(stream):
            raise DamagedFilm("The RLE pixels do not fit the header. Export or send the film again.")
        plane = _segment(memoryview(stream)[start:end], size)
        planes[n // bytes_per_sample, n % bytes_per_sample] = np.frombuffer(plane, dtype=np.uint8)
    values = planes[:, 0].astype(np.uint16) << 8 | planes[:, 1] if bytes_per_sample == 2 else planes[:, 0]
    shaped = values.reshape(geometry.samples, geometry.rows, geometry.columns)
    return np.asarray(shaped[0] if geometry.samples == 1 else np.moveaxis(shaped, 0, -1))


def _segment(data: memoryview, size: int) -> bytes:
    """Undo PackBits up to `size` bytes; what follows is padding."""
    out = bytearray()
    at = 0
    while len(out) < size:
        if at >= len(data):
            raise TruncatedFilm("The RLE pixels end before the image does. Send the whole file again.")
        control = data[at]
        if control < 128:
            out += data[at + 1 : at + 2 + control]
            at += 2 + control
        elif control > 128:
            out += bytes(data[at + 1 : at + 2]) * (257 - control)
            at += 2
        else:
            at += 1
    return bytes(out[:size])
