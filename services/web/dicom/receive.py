"""The one way in for DICOM objects from a network: documents are kept as such, all else goes the way of every film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.web.candidates import Facts, Upload
from services.web.context import Web
from services.web.dicom.documents import keep_document
from services.web.dicom.facts import InstanceFacts, read_facts
from services.web.dicom.metrics import REFUSED, STORED
from services.web.ingest import ingest
from services.web.names import file_name
from services.web.views import FilmOutcome


@dataclass(frozen=True)
class Received:
    """What became of one object, and what its header says; None where it has none."""

    outcome: FilmOutcome
    facts: InstanceFacts | None

    @property
    def kept(self) -> bool:
        """Whether it is on disk, since now or before."""
        return self.outcome.outcome in {"stored", "duplicate"}


def receive(
    web: Web, uploads: Sequence[Upload], sender: Facts, way: str, *, named: str = "", study_uid: str = ""
) -> list[Received]:
    """Take `uploads` in, in their order; what is reported as kept is on disk. Blocks: call it in a thread.

    `way` is "c-store" or "stow"; `named` and `study_uid` are the instance and the study that the request names, if it
    does. Films go first: a rejection note beside them finds them. Raises DatabaseUnavailable and BlobsUnavailable:
    then nothing was promised.
    """
    facts = [read_facts(upload.read()) for upload in uploads]
    outcomes: dict[int, FilmOutcome] = {}
    films: list[int] = []
    documents: list[int] = []
    for place, (upload, found) in enumerate(zip(uploads, facts, strict=True)):
        refusal = _refused(upload, found, named, study_uid)
        if refusal is not None:
            outcomes[place] = refusal
        else:
            (films if found is None or found.document is None else documents).append(place)
    if films:
        outcomes |= zip(films, ingest(web, [uploads[place] for place in films], sender).films, strict=True)
    for place in documents:
        known = facts[place]
        assert known is not None  # noqa: S101 - it is a document
        outcomes[place] = keep_document(web, uploads[place], uploads[place].read(), known, sender)
    received = [Received(outcomes[place], facts[place]) for place in range(len(uploads))]
    for item in received:
        if item.kept:
            STORED.labels(way, item.outcome.outcome).inc()
        else:
            REFUSED.labels(way, item.outcome.kind).inc()
    return received


def _refused(upload: Upload, facts: InstanceFacts | None, named: str, study_uid: str) -> FilmOutcome | None:
    name = file_name(upload.file)
    if facts is None:
        text = "No StudyInstanceUID or SOPInstanceUID, or no DICOM object."
        return FilmOutcome(name, "refused", 415, text, "not-dicom")
    if named and facts.uid != named:
        text = "SOPInstanceUID (0008,0018) differs from the one that the request names."
        return FilmOutcome(name, "refused", 422, text, "uid-differs", facts.uid, facts.study_uid)
    if study_uid and facts.study_uid != study_uid:
        text = "The instance is of another study than the request names."
        return FilmOutcome(name, "refused", 422, text, "study-differs", facts.uid, facts.study_uid)
    if facts.document is not None and not facts.keeps_document:
        text = f"The DICOM object is {facts.document}; it is not kept here."
        return FilmOutcome(name, "refused", 422, text, "not-kept-here", facts.uid, facts.study_uid)
    return None
