"""Films: decoding, preprocessing, rendering."""

import hilum.imaging.without_gdcm  # noqa: F401 - before pydicom
from hilum.imaging.decode import decode, decode_frame
from hilum.imaging.errors import (
    BadFilm,
    ColourImage,
    DamagedFilm,
    EmptyFile,
    FilmTooLarge,
    FilmTooSmall,
    MissingTag,
    NoPixels,
    NotAnImage,
    NotAnImageObject,
    NotARadiograph,
    SeveralFrames,
    TruncatedFilm,
    UnsupportedEncoding,
)
from hilum.imaging.film import Film, FilmHeader, FilmWarning, Pixels
from hilum.imaging.frame import Frame
from hilum.imaging.limits import Limits
from hilum.imaging.preprocess import normalise, preprocess, squash
from hilum.imaging.render import decode_8bit, preview, render, thumbnail

__all__ = [
    "BadFilm",
    "ColourImage",
    "DamagedFilm",
    "EmptyFile",
    "Film",
    "FilmHeader",
    "FilmTooLarge",
    "FilmTooSmall",
    "FilmWarning",
    "Frame",
    "Limits",
    "MissingTag",
    "NoPixels",
    "NotARadiograph",
    "NotAnImage",
    "NotAnImageObject",
    "Pixels",
    "SeveralFrames",
    "TruncatedFilm",
    "UnsupportedEncoding",
    "decode",
    "decode_8bit",
    "decode_frame",
    "normalise",
    "preprocess",
    "preview",
    "render",
    "squash",
    "thumbnail",
]
