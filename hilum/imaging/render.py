"""Pictures of a film for the page: 8-bit grey PNG."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from hilum.imaging.film import Film

THUMBNAIL_SIDE = 160
# What a reading stage of 1366 x 768 shows at once; larger films follow in full.
PREVIEW_SIDE = 1024


def decode_8bit(film: Film) -> npt.NDArray[np.uint8]:
    """The film in 8 bits (H, W), rounded; an 8-bit film comes back exactly as it was stored."""
    return np.asarray(np.rint(film.pixels * np.float32(255)), dtype=np.uint8)


def render(film: Film, max_side: int | None = None) -> bytes:
    """A PNG of the film; the longer side is reduced to `max_side` pixels where it is longer, with the aspect kept."""
    image = Image.fromarray(decode_8bit(film))
    longer = max(image.size)
    if max_side is not None and longer > max_side:
        width, height = (max(1, round(side * max_side / longer)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    stream = BytesIO()
    image.save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def thumbnail(film: Film) -> bytes:
    """A small PNG for lists."""
    return render(film, THUMBNAIL_SIDE)


def preview(film: Film) -> bytes:
    """A PNG that decodes at once, shown until the film's own values are there."""
    return render(film, PREVIEW_SIDE)
