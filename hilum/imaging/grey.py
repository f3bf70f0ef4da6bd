"""From colour channels to the one grey channel of a film."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.imaging.errors import ColourImage
from hilum.imaging.film import FilmWarning

# A film saved as a colour JPEG has channels that differ by rounding; a coloured side marker covers little of the film.
COLOUR_SPREAD = 16 / 255
MAX_COLOURED_SHARE = 0.02

Channels = npt.NDArray[np.unsignedinteger[Any]]


def to_grey(channels: Channels, full_scale: int) -> tuple[Channels, tuple[FilmWarning, ...]]:
    """Reduce `channels` (H, W, 3), values 0..`full_scale`, to (H, W); equal channels are taken as they are.

    Raises ColourImage where more than two in a hundred pixels are coloured.
    """
    red, green, blue = channels[..., 0], channels[..., 1], channels[..., 2]
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return red, ()
    highest = np.maximum(np.maximum(red, green), blue)
    lowest = np.minimum(np.minimum(red, green), blue)
    coloured = float(np.mean((highest - lowest) > COLOUR_SPREAD * full_scale))
    if coloured > MAX_COLOURED_SHARE:
        raise ColourImage("The image is in colour; a film is grey. Send the film as the X-ray machine made it.")
    warnings: tuple[FilmWarning, ...] = ()
    if coloured > 0.0:
        warnings = (FilmWarning("coloured_marks", "The image has coloured marks on it; they were turned grey."),)
    # ITU-R BT.601 luma in whole numbers, so that every machine gets the same result.
    luma = (299 * red.astype(np.uint32) + 587 * green.astype(np.uint32) + 114 * blue.astype(np.uint32) + 500) // 1000
    return np.asarray(luma.astype(channels.dtype)), warnings
