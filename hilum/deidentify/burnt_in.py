"""Is there text in the pixels? Nothing here looks at them: what the header says decides whether a person has to."""

from __future__ import annotations

from pydicom import Dataset

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def why_text_is_likely(film: Dataset | None) -> str | None:
    """Why a patient's name may stand in the picture itself; None where the header gives no sign. None: PNG or JPEG."""
    if film is None:
        return "a PNG or JPEG says nothing of text in the picture"
    said = str(film.get("BurnedInAnnotation", "")).strip().upper()
    if said == "YES":
        return "the header says that text is burnt in (0028,0301)"
    if said == "NO":
        return None
    kinds = film.get("ImageType", [])
    signs = {
        "a secondary capture": str(film.get("SOPClassUID", "")).startswith(SECONDARY_CAPTURE),
        "a converted picture (0008,0064)": bool(str(film.get("ConversionType", "")).strip()),
        "a secondary image (0008,0008)": "SECONDARY" in ([kinds] if isinstance(kinds, str) else list(kinds or [])),
    }
    return next((f"{sign} that does not deny burnt-in text" for sign, there in signs.items() if there), None)
