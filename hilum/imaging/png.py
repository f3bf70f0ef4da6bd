"""The structure of a PNG file, read without decoding it: size, depth, checksums, completeness.

Chunks as in the W3C's PNG specification (third edition), section 5. Pillow does not check the checksums of the pixel
data and is content without an end, so that a damaged file could pass for a film.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from hilum.imaging.errors import DamagedFilm, SeveralFrames, TruncatedFilm

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Encoders write the pixels in chunks of 8 kB or more.
MAX_CHUNKS = 50_000


@dataclass(frozen=True)
class PngHeader:
    """What the IHDR chunk says. `bits` is per channel (or per palette index)."""

    height: int
    width: int
    bits: int


def read_png_header(data: bytes) -> PngHeader:
    """Read the IHDR chunk; raises DamagedFilm or TruncatedFilm."""
    if len(data) < 33:
        raise TruncatedFilm("The PNG file ends within its header. Send the whole file again.")
    if data[8:16] != b"\x00\x00\x00\rIHDR":
        raise DamagedFilm("The PNG file does not begin with its header chunk. Export the film again.")
    return PngHeader(width=int.from_bytes(data[16:20]), height=int.from_bytes(data[20:24]), bits=data[24])


def check_png(data: bytes) -> None:
    """Walk every chunk; raises TruncatedFilm, DamagedFilm (a checksum is wrong) or SeveralFrames (an animation)."""
    view = memoryview(data)
    at = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if at + 12 > len(data):
            break
        length = int.from_bytes(view[at : at + 4])
        kind = bytes(view[at + 4 : at + 8])
        end = at + 12 + length
        if end > len(data):
            break
        if kind[:1].isupper() and zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise DamagedFilm("A checksum in the PNG file is wrong: it was damaged on its way. Send the film again.")
        if kind == b"acTL":
            raise SeveralFrames("The PNG file is an animation. Send each film as a file of its own.")
        if kind == b"IEND":
            return
        at = end
    else:
        raise DamagedFilm("The PNG file is cut into too many chunks. Export the film again.")
    raise TruncatedFilm("The PNG file ends before its image does. Send the whole file again.")
