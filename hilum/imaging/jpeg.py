"""The structure of a JPEG or JPEG-LS stream, read without decoding it: frame size, precision, completeness.

Markers as in ITU-T T.81 annex B and ISO/IEC 14495-1 annex C.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hilum.imaging.errors import DamagedFilm, TruncatedFilm

_EOI, _SOS = 0xD9, 0xDA
# A marker with a length, or the end of the image: no fill bytes, TEM, restart markers or start of an image.
_NEXT_SEGMENT = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
# In entropy-coded data FF is followed by 00 or a restart marker, in JPEG-LS by a byte under 80.
_END_OF_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
# Start of frame: T.81's without DHT (C4), JPG (C8) and DAC (CC); F7 is JPEG-LS's.
_FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
# libjpeg decodes the whole image again for each scan: thousands of empty scans would take hours. Encoders write ten.
MAX_SCANS = 64
# Profiles and thumbnails come in some dozen segments.
MAX_SEGMENTS = 10_000


@dataclass(frozen=True)
class JpegFrame:
    """What the frame header says. `process` is the marker's second byte: C0 baseline, C2 progressive, C3 lossless."""

    process: int
    precision: int
    height: int
    width: int
    components: int


def _damaged() -> DamagedFilm:
    return DamagedFilm("The JPEG data contradict themselves. Export or send the film again.")


def _truncated() -> TruncatedFilm:
    return TruncatedFilm("The JPEG data end before the image does. Send the whole file again.")


def read_jpeg(data: bytes) -> JpegFrame:
    """Walk the markers of `data` up to the end of the image; raises DamagedFilm or TruncatedFilm."""
    if data[:2] != b"\xff\xd8":
        raise _damaged()
    frame: JpegFrame | None = None
    scans = 0
    at = 2
    for _ in range(MAX_SEGMENTS):
        found = _NEXT_SEGMENT.search(data, at)
        if found is None:
            raise _truncated()
        at = found.start()
        marker = data[at + 1]
        if marker == _EOI:
            if frame is None or not scans:
                raise _damaged()
            return frame
        length = int.from_bytes(data[at + 2 : at + 4])
        if at + 2 + length > len(data):
            raise _truncated()
        if length < 2:
            raise _damaged()
        if marker in _FRAMES:
            if frame is not None or length < 8:
                raise _damaged()
            frame = JpegFrame(
                process=marker,
                precision=data[at + 4],
                height=int.from_bytes(data[at + 5 : at + 7]),
                width=int.from_bytes(data[at + 7 : at + 9]),
                components=data[at + 9],
            )
        at += 2 + length
        if marker == _SOS:
            scans += 1
            if frame is None or scans > MAX_SCANS:
                raise _damaged()
            ended = _END_OF_SCAN.search(data, at)
            if ended is None:
                raise _truncated()
            at = ended.start()
    raise _damaged()
