"""Why a body of bytes is not a film. Each error says what to do, and none quotes a header value (patient identity)."""

from __future__ import annotations

import re


class BadFilm(ValueError):
    """The bytes are not a film that can be kept. `status` is the HTTP status that fits, `title` a short name."""

    status = 422
    title = "Not a film"

    @property
    def kind(self) -> str:
        """The problem's name on the wire: `not-a-radiograph` for NotARadiograph."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()


def film_problems() -> list[str]:
    """The kinds of every error of this module, so that a counter of each can start at 0."""

    def below(error: type[BadFilm]) -> list[type[BadFilm]]:
        return [found for child in error.__subclasses__() for found in (child, *below(child))]

    return sorted(error().kind for error in below(BadFilm))


class EmptyFile(BadFilm):
    """There are no bytes."""

    status = 400
    title = "Empty file"


class NotAnImage(BadFilm):
    """The bytes are neither PNG, JPEG nor DICOM, whatever the file's name says."""

    status = 415
    title = "Not a PNG, JPEG or DICOM file"


class UnsupportedEncoding(BadFilm):
    """The file is an image, but in an encoding that is not read here."""

    status = 415
    title = "Encoding not supported"


class DamagedFilm(BadFilm):
    """The file contradicts itself or its compressed pixels can't be decoded."""

    status = 400
    title = "Damaged file"


class TruncatedFilm(DamagedFilm):
    """The file ends before its pixels do."""

    title = "Truncated file"


class FilmTooLarge(BadFilm):
    """More pixels (or more bytes once inflated) than `Limits` allow."""

    status = 413
    title = "Film too large"


class FilmTooSmall(BadFilm):
    """Too few pixels to show a chest."""

    title = "Film too small"


class NotARadiograph(BadFilm):
    """An image of another kind: a CT slice, an ultrasound image, a mammogram, a segmentation."""

    title = "Not a radiograph"


class NoPixels(BadFilm):
    """A DICOM object that has no image in it."""

    title = "No pixels"


class NotAnImageObject(NoPixels):
    """A DICOM document: a report, a presentation state, a key object selection."""

    title = "A DICOM document, not a film"


class SeveralFrames(BadFilm):
    """A cine run, a volume or an animation."""

    title = "More than one frame"


class ColourImage(BadFilm):
    """A colour picture; a film is grey."""

    title = "Colour image"


class MissingTag(BadFilm):
    """A DICOM attribute without which a film can't be filed."""

    title = "Required DICOM attribute missing"
