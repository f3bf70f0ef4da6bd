"""Decodes one JPEG frame with GDCM, as a program of its own: GDCM aborts the whole process on some damaged streams.

Reads a line of JSON (the frame's attributes), then the stream, from standard input; writes the decoded bytes, little
endian and colour by pixel, to standard output. Imports nothing of Hilum, so that it starts in a tenth of a second.
"""

from __future__ import annotations

import json
import resource
import sys

import gdcm

MAX_MEMORY_BYTES = 4 << 30
MAX_CPU_SECONDS = 60
_PIXEL_DATA = (0x7FE0, 0x0010)


def decode(stream: bytes, frame: dict[str, int], syntax: str, photometric: str) -> bytes:
    """Decode `stream`; the calls are those of pydicom's plugin, which refuses 12-bit lossy JPEG without need."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(stream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(*_PIXEL_DATA))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((frame["columns"], frame["rows"], 1))
    image.SetDataElement(element)
    colours = gdcm.PhotometricInterpretation.GetPIType(photometric)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(colours))
    if frame["samples"] > 1:
        image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    depth = frame["precision"]
    allocated = 8 if depth <= 8 else 16
    image.SetPixelFormat(gdcm.PixelFormat(frame["samples"], allocated, depth, depth - 1, 0))
    # GDCM hands its bytes over as text.
    return bytes(image.GetBuffer().encode("utf-8", "surrogateescape"))


def main() -> None:
    """Run once."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_SECONDS, MAX_CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.loads(sys.stdin.buffer.readline())
    decoded = decode(sys.stdin.buffer.read(), asked["frame"], asked["syntax"], asked["photometric"])
    sys.stdout.buffer.write(decoded)


if __name__ == "__main__":
    main()
