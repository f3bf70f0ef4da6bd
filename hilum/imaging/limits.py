"""How large a film may be. Checked against what a file says of itself, before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one film.

    `max_pixels`: rows times columns. The largest chest detectors give 18 million; at 50 million the decoder needs about
    1 GB for a moment. `min_side`: pixels; under it no chest can be recognised. `max_inflated_bytes`: what a deflated
    DICOM file may grow to (two bytes a pixel and room for the header).
    """

    max_pixels: int = 50_000_000
    min_side: int = 32
    max_inflated_bytes: int = 128 * 1024 * 1024
