"""The one check of a film's size, made from what a file says of itself, before decoding."""

from __future__ import annotations

from hilum.imaging.errors import FilmTooLarge, FilmTooSmall
from hilum.imaging.limits import Limits


def check_size(height: int, width: int, limits: Limits) -> None:
    """Raise FilmTooLarge or FilmTooSmall where `height` x `width` pixels lie outside `limits`."""
    if height * width > limits.max_pixels:
        raise FilmTooLarge(
            f"The image says it is {width} x {height} pixels; at most {limits.max_pixels / 1e6:.0f} million pixels are "
            "taken. Send the original film, not an enlargement."
        )
    if min(height, width) < limits.min_side:
        raise FilmTooSmall(
            f"The image is {width} x {height} pixels; a film has at least {limits.min_side} on each side. "
            "Send the film itself, not its thumbnail."
        )
