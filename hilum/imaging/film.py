"""A decoded film and what its header says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
MediaType = Literal["image/png", "image/jpeg", "application/dicom"]


@dataclass(frozen=True)
class FilmWarning:
    """Something odd about a film that a reader should know. `code` is stable, `text` one plain sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class FilmHeader:
    """What Hilum takes from a DICOM header; an absent attribute is an empty text or None. Never the patient's name.

    `priority` is the requested procedure priority (0040,1003): STAT, HIGH, ROUTINE, MEDIUM or LOW.
    `study_datetime` has a time zone only where the header gives one.
    """

    study_uid: str
    series_uid: str
    instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str = ""
    patient_id: str = ""
    patient_id_issuer: str = ""
    patient_sex: str = ""
    patient_age_years: float | None = None
    accession: str = ""
    accession_issuer: str = ""
    institution: str = ""
    manufacturer: str = ""
    modality: str = ""
    body_part: str = ""
    view_position: str = ""
    patient_position: str = ""
    presentation_intent: str = ""
    priority: str = ""
    study_datetime: datetime | None = None


@dataclass(frozen=True, eq=False)
class Film:
    """One image, ready for `preprocess` and `render`.

    `pixels` is (height, width), float32 in 0..1, black air and white bone, read-only. `bits` is the stored depth.
    `lossy` is true where the file's pixels went through a lossy compression. `pixel_spacing_mm` is (row, column).
    `unscorable` is the reason for which the film is kept and shown but not scored, else None.
    """

    pixels: Pixels
    media_type: MediaType
    bits: int
    lossy: bool
    pixel_spacing_mm: tuple[float, float] | None = None
    header: FilmHeader | None = None
    warnings: tuple[FilmWarning, ...] = ()
    unscorable: str | None = None

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])
