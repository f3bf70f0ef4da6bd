"""PNG, JPEG and JPEG 2000 without the notes that programs write beside the pixels. The pixels stay, bit for bit."""

from __future__ import annotations

import struct

PNG = b"\x89PNG\r\n\x1a\n"
# What is needed to draw; text, time, EXIF, colour profiles (which carry names) and private chunks go.
_PNG_STAY = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"sBIT"})
# JPEG: comment, and application segments but JFIF (0), SPIFF and JPEG-LS colour (8), and Adobe's colour transform (14).
_JPEG_GO = frozenset({0xFE, *(0xE0 + n for n in range(16) if n not in {0, 8, 14})})
_JPEG_ENDS = frozenset({0xDA})
_JPEG2000_GO = frozenset({0x64})
_JPEG2000_ENDS = frozenset({0x90})


class CannotStrip(Exception):
    """The picture is built so that its notes can't be told from its pixels; it is not exported."""


def without_notes(data: bytes) -> bytes:
    """The same picture; raises CannotStrip."""
    if data.startswith(PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(b"\xff\x4f"):
        return _segments(data, 2, _JPEG2000_GO, _JPEG2000_ENDS)
    raise CannotStrip("neither PNG nor JPEG nor a JPEG 2000 code stream")


def _png(data: bytes) -> bytes:
    kept, at = [PNG], len(PNG)
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, end = data[at + 4 : at + 8], at + 12 + size
        if end > len(data):
            break
        if kind in _PNG_STAY:
            kept.append(data[at:end])
        if kind == b"IEND":
            return b"".join(kept)  # What follows is no part of the picture.
        at = end
    raise CannotStrip("the PNG file is cut off")


def _jpeg(data: bytes) -> bytes:
    end = data.rfind(b"\xff\xd9")
    if end < 0:
        raise CannotStrip("the JPEG file is cut off")
    return _segments(data[: end + 2], 2, _JPEG_GO, _JPEG_ENDS)


def _segments(data: bytes, at: int, go: frozenset[int], ends: frozenset[int]) -> bytes:
    """`data` without the marker segments `go`, up to the first of `ends`; then the pixels, as they are."""
    kept = [data[:at]]
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # A fill byte.
            at += 1
            continue
        if marker in ends:
            kept.append(data[at:])
            return b"".join(kept)
        (size,) = struct.unpack(">H", data[at + 2 : at + 4])
        if marker not in go:
            kept.append(data[at : at + 2 + size])
        at += 2 + max(size, 2)
    raise CannotStrip("the picture's segments can't be followed")
