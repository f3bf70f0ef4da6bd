"""The one way in for DICOM objects from a network: documents are kept as such, all else goes the way of every film."""

from __future__ import annotations

from collections.abc import Sequence

from services.web.candidates import Facts, Upload
from services.web.context import Web
from services.web.dicom.documents import keep_document
from services.web.dicom.facts import read_facts
from services.web.dicom.metrics import REFUSED, STORED
from services.web.ingest import ingest
from services.web.names import file_name
from services.web.views import FilmOutcome


def receive(web: Web, uploads: Sequence[Upload], sender: Facts, way: str, named: str = "") -> list[FilmOutcome]:
    """Take `uploads` in, in their order; what is reported as stored is on disk. Blocks: call it in a thread.

    `way` is "c-store" or "stow"; `named` is the instance that the request says it carries. Raises
    DatabaseUnavailable and BlobsUnavailable: then nothing was promised.
    """
    outcomes: dict[int, FilmOutcome] = {}
    films: dict[int, Upload] = {}
    for place, upload in enumerate(uploads):
        data = upload.read()
        facts = read_facts(data)
        if facts is not None and named and facts.uid != named:
            text = "SOPInstanceUID (0008,0018) differs from the one that the request names."
            outcomes[place] = FilmOutcome(file_name(upload.file), "refused", 422, text, "uid-differs")
        elif facts is not None and facts.document is not None:
            if facts.keeps_document:
                outcomes[place] = keep_document(web, upload, data, facts, sender)
            else:
                text = f"The DICOM object is {facts.document}; it is not kept here."
                outcomes[place] = FilmOutcome(
                    file_name(upload.file), "refused", 422, text, "not-kept-here", facts.uid, facts.study_uid
                )
        elif facts is not None:
            films[place] = upload
        else:
            text = "No StudyInstanceUID or SOPInstanceUID, or no DICOM object."
            outcomes[place] = FilmOutcome(file_name(upload.file), "refused", 415, text, "not-dicom")
    if films:
        outcomes |= dict(zip(films, ingest(web, list(films.values()), sender).films, strict=True))
    found = [outcomes[place] for place in range(len(uploads))]
    for outcome in found:
        if outcome.outcome in {"stored", "duplicate"}:
            STORED.labels(way, outcome.outcome).inc()
        else:
            REFUSED.labels(way, outcome.kind).inc()
    return found
