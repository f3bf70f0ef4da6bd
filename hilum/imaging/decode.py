"""Bytes to film: the one door through which every film enters."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from hilum.imaging import png
from hilum.imaging.dicom import decode_dicom, decode_dicom_frame, looks_like_dicom
from hilum.imaging.errors import EmptyFile, NotAnImage
from hilum.imaging.film import Film
from hilum.imaging.frame import Frame
from hilum.imaging.limits import Limits
from hilum.imaging.raster import decode_jpeg, decode_png, decode_raster_frame

_DEFAULT = Limits()
# What people send by mistake, by its first bytes, and what to do about it.
_OTHERS = (
    (b"PK\x03\x04", "a ZIP archive; unpack it and send the films"),
    (b"\x1f\x8b", "a gzip archive; unpack it and send the films"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and send the films"),
    (b"%PDF", "a PDF document; send the film itself"),
    (b"GIF8", "a GIF image; send the film as PNG, JPEG or DICOM"),
    (b"BM", "a BMP image; send the film as PNG, JPEG or DICOM"),
    (b"II*\x00", "a TIFF image; send the film as PNG, JPEG or DICOM"),
    (b"MM\x00*", "a TIFF image; send the film as PNG, JPEG or DICOM"),
    (b"RIFF", "a WebP, WAV or AVI file; send the film as PNG, JPEG or DICOM"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file; send the film as PNG, JPEG or DICOM"),
)


def decode(data: bytes, limits: Limits = _DEFAULT) -> Film:
    """Decode the bytes of a PNG, JPEG or DICOM film; the kind is told by the bytes, never by a name.

    Raises a subclass of BadFilm, whose `status` is the HTTP status and whose text says what to do. May be called from
    several threads. Memory is bounded by `limits`: about 20 bytes a pixel, beside `data`.
    """
    kind = _kind(data)
    if kind == "PNG":
        film = decode_png(data, limits)
    elif kind == "JPEG":
        film = decode_jpeg(data, limits)
    else:
        film = decode_dicom(data, limits)
    if film.unscorable is None and float(film.pixels.min()) == float(film.pixels.max()):
        film = replace(film, unscorable="The film is blank: all its pixels are the same.")
    film.pixels.setflags(write=False)
    return film


def decode_frame(data: bytes, limits: Limits = _DEFAULT) -> Frame:
    """The stored values of a film that `decode` takes, for a viewer that windows them itself; raises BadFilm alike."""
    kind = _kind(data)
    if kind == "DICOM":
        return decode_dicom_frame(data, limits)
    return decode_raster_frame(data, kind, limits)


def _kind(data: bytes) -> Literal["PNG", "JPEG", "DICOM"]:
    """What the bytes are; raises EmptyFile or NotAnImage."""
    if not data:
        raise EmptyFile("The file is empty. Choose the film again.")
    if data.startswith(png.SIGNATURE):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if looks_like_dicom(data):
        return "DICOM"
    for signature, what in _OTHERS:
        if data.startswith(signature):
            raise NotAnImage(f"The file is {what}.")
    raise NotAnImage("The file is not a PNG, JPEG or DICOM image, whatever its name says. Choose the film itself.")
