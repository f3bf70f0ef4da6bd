"""The structure of a JPEG 2000 code stream, read without decoding it: size, precision, tiles, completeness.

Markers as in ITU-T T.800 annex A. OpenJPEG decodes what there is of a truncated stream, as a blurred image.
"""

from __future__ import annotations

from dataclasses import dataclass

from hilum.imaging.errors import DamagedFilm, TruncatedFilm

_SOC, _SIZ, _COD, _SOT, _EOC = 0xFF4F, 0xFF51, 0xFF52, 0xFF90, 0xFFD9
_JP2 = b"\x00\x00\x00\x0cjP  "
# Radiographs are one tile, or some dozen; each tile and each code block costs memory, whatever the pixels.
MAX_TILES = 4096
MAX_BLOCKS = 1 << 21
MAX_SEGMENTS = 10_000


@dataclass(frozen=True)
class Jpeg2000Image:
    """What the SIZ marker says; `precision` is the deepest component's."""

    height: int
    width: int
    components: int
    precision: int
    signed: bool


def _damaged() -> DamagedFilm:
    return DamagedFilm("The JPEG 2000 data contradict themselves. Export or send the film again.")


def _truncated() -> TruncatedFilm:
    return TruncatedFilm("The JPEG 2000 data end before the image does. Send the whole file again.")


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2])


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _code_stream(data: bytes) -> bytes:
    """The code stream; some writers wrap it in a JP2 file, against PS3.5 A.4.4."""
    if data.startswith(_JP2):
        start = data.find(b"\xff\x4f\xff\x51")
        return data[start:] if start > 0 else b""
    return data


def read_jpeg2000(data: bytes) -> Jpeg2000Image:
    """Check the main header, then that every tile part is there; raises DamagedFilm or TruncatedFilm."""
    stream = _code_stream(data)
    if _u16(stream, 0) != _SOC or _u16(stream, 2) != _SIZ:
        raise _damaged()
    if len(stream) < 45:
        raise _truncated()
    image, tiles = _size(stream)
    at = 2
    for _ in range(MAX_SEGMENTS):
        if _u16(stream, at) == _SOT:
            break
        length = _u16(stream, at + 2)
        if at + 2 + length > len(stream):
            raise _truncated()
        if length < 2 or _u16(stream, at) < 0xFF4F:
            raise _damaged()
        if _u16(stream, at) == _COD:
            _check_blocks(stream, at, image)
        at += 2 + length
    else:
        raise _damaged()
    _check_tiles(stream, at, tiles)
    return image


def _check_tiles(stream: bytes, at: int, tiles: int) -> None:
    """Walk the tile parts from `at` on: all `tiles` must be there, and whole."""
    seen: set[int] = set()
    parts = 0
    while _u16(stream, at) == _SOT:
        if at + 12 > len(stream):
            raise _truncated()
        seen.add(_u16(stream, at + 4))
        parts += 1
        if parts > MAX_TILES * 8:
            raise _damaged()
        length = _u32(stream, at + 6)
        if length == 0:
            # The last tile part may leave its length open: then it ends with the stream.
            if b"\xff\xd9" not in stream[-4:]:
                raise _truncated()
            at = len(stream.rstrip(b"\0")) - 2
            break
        if length < 14:
            raise _damaged()
        at += length
    # Without the end marker the last tile part may still be whole: that much is forgiven.
    if at > len(stream) or len(seen) < tiles:
        raise _truncated()


def _size(stream: bytes) -> tuple[Jpeg2000Image, int]:
    width, height = _u32(stream, 8) - _u32(stream, 16), _u32(stream, 12) - _u32(stream, 20)
    tile_width, tile_height = _u32(stream, 24), _u32(stream, 28)
    components = _u16(stream, 40)
    if min(width, height, tile_width, tile_height) < 1 or not 1 <= components <= 4:
        raise _damaged()
    if _u16(stream, 4) != 38 + 3 * components or len(stream) < 42 + 3 * components:
        raise _damaged()
    depths = [stream[42 + 3 * n] for n in range(components)]
    if any(stream[43 + 3 * n : 45 + 3 * n] != b"\x01\x01" for n in range(components)):
        raise _damaged()
    across = -(-(_u32(stream, 8) - _u32(stream, 32)) // tile_width)
    down = -(-(_u32(stream, 12) - _u32(stream, 36)) // tile_height)
    if across < 1 or down < 1 or across * down > MAX_TILES:
        raise _damaged()
    precision = max((depth & 0x7F) + 1 for depth in depths)
    return Jpeg2000Image(height, width, components, precision, bool(depths[0] & 0x80)), across * down


def _check_blocks(stream: bytes, at: int, image: Jpeg2000Image) -> None:
    """Refuse a COD marker that asks for millions of code blocks or precincts."""
    levels = stream[at + 9]
    block = 1 << ((stream[at + 10] & 0x0F) + 2 + (stream[at + 11] & 0x0F) + 2)
    if levels > 32 or block > 4096:
        raise _damaged()
    count = image.components * (image.height * image.width // block)
    if stream[at + 4] & 1:
        for level, size in enumerate(stream[at + 14 : at + 15 + levels]):
            shift = levels - level
            across = (image.width >> shift) >> (size & 0x0F)
            down = (image.height >> shift) >> (size >> 4)
            count += image.components * (across + 1) * (down + 1)
    if count > MAX_BLOCKS:
        raise _damaged()
