"""Which objects C-STORE takes, and in which transfer syntaxes."""

from __future__ import annotations

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import StoragePresentationContexts
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from hilum.imaging.dicom.kinds import FILM_CLASSES
from hilum.imaging.dicom.pixels import READABLE
from services.web.dicom.facts import PRESENTATIONS, REPORTS

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian)
# pynetdicom knows the current reports and presentation states; a retired one is nobody's to send.
DOCUMENT_CLASSES = tuple(
    sorted(
        str(context.abstract_syntax)
        for context in StoragePresentationContexts
        if str(context.abstract_syntax).startswith((REPORTS, PRESENTATIONS))
    )
)


def supported() -> list[PresentationContext]:
    """Verification, films in every syntax that is decoded, documents uncompressed."""
    encoded = sorted({str(syntax) for syntax in READABLE} - {str(syntax) for syntax in NATIVE})
    # What costs nothing to read comes first: a sender that offers several syntaxes then uses it.
    films = [build_context(uid, [*map(str, NATIVE), *encoded]) for uid in sorted(FILM_CLASSES)]
    documents = [build_context(uid, [str(syntax) for syntax in NATIVE]) for uid in DOCUMENT_CLASSES]
    return [build_context(Verification, [str(syntax) for syntax in NATIVE]), *films, *documents]
