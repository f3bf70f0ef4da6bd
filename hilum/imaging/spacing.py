"""How long a pixel is, and what that length means: measured in the patient, at the detector, or not said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SpacingKind = Literal["calibrated", "magnification", "detector", "unstated"]


@dataclass(frozen=True)
class Spacing:
    """`row_mm` is between rows (down), `column_mm` between columns (across), both above 0.

    `kind` says where the length holds: "calibrated" by a fiducial or a geometry (in the patient, as the header says),
    "magnification" (the detector's, divided by the estimated magnification factor), "detector" (a length in the patient
    is smaller), "unstated" (the header gives a spacing and not its plane).
    """

    row_mm: float
    column_mm: float
    kind: SpacingKind
