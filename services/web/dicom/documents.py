"""Documents in: key object notes, presentation states, reports and results are kept, and never listed as films."""

from __future__ import annotations

import hashlib

from pydicom.datadict import tag_for_keyword

from hilum.imaging import BadFilm, Limits
from hilum.imaging.dicom import values
from hilum.imaging.dicom.part10 import read_part10
from hilum.storage import writer_lock
from services.web.candidates import Facts, Upload
from services.web.context import Web, utc_now
from services.web.dicom.facts import InstanceFacts
from services.web.dicom.instances import DOCUMENT, keep_instance
from services.web.dicom.notes import NOTE_CLASS, Rejection, read_rejection
from services.web.dicom.results import queue_results
from services.web.dicom.tables import Instance
from services.web.dicom.withdraw import keep_rejection
from services.web.names import file_name
from services.web.views import FilmOutcome

_ENDING = {int(tag_for_keyword("ContentSequence") or 0), int(tag_for_keyword("SOPInstanceUID") or 0)}


def keep_document(web: Web, upload: Upload, data: bytes, facts: InstanceFacts, sender: Facts) -> FilmOutcome:
    """Store one document; what is reported as stored is on disk. Raises DatabaseUnavailable and BlobsUnavailable."""
    name = file_name(upload.file)
    if (refusal := _damaged(data)) is not None:
        return FilmOutcome(name, "refused", 400, refusal, "damaged-document", facts.uid, facts.study_uid)
    rejection = read_rejection(data) if facts.sop_class_uid == NOTE_CLASS else None
    sha256 = hashlib.sha256(data).hexdigest()
    key = f"documents/{facts.uid}/{sha256}"
    kept = _kept(web, facts.uid)
    if kept is None:
        web.blobs.put(key, data)
        kept = _commit(web, facts, sha256, key, len(data), rejection, sender)
    elif kept == sha256 and not web.blobs.exists(key):
        web.blobs.put(key, data)
    if kept == "":
        return FilmOutcome(name, "stored", 201, f"Stored: {facts.document}.", "", facts.uid, facts.study_uid)
    # A second word under one name changes nothing: senders repeat what an archive may have rewritten meanwhile.
    text = "This document is already here; the first is kept."
    return FilmOutcome(name, "duplicate", 200, text, "", facts.uid, facts.study_uid)


def _damaged(data: bytes) -> str | None:
    try:
        dataset = read_part10(data, frozenset(_ENDING), Limits()).dataset
    except BadFilm as error:
        return str(error)
    return (
        None if values.uid(dataset, int(tag_for_keyword("SOPInstanceUID") or 0)) else "The document names itself not."
    )


def _kept(web: Web, uid: str) -> str | None:
    with web.read() as session:
        row = session.get(Instance, uid)
        return None if row is None else row.sha256


def _commit(
    web: Web, facts: InstanceFacts, sha256: str, key: str, size: int, rejection: Rejection | None, sender: Facts
) -> str:
    """Write the rows; empty, or the sha256 of the document that another request kept under this name meanwhile."""
    with web.write() as session:
        writer_lock(session, "ingest")
        row = session.get(Instance, facts.uid)
        if row is not None:
            return row.sha256
        now = utc_now()
        keep_instance(
            session,
            facts,
            kind=DOCUMENT,
            sha256=sha256,
            blob_key=key,
            byte_count=size,
            sender=sender.sender,
            now=now,
        )
        if rejection is not None:
            keep_rejection(session, facts, rejection, web.policy, now)
            for study_uid in sorted({study_uid for study_uid, _ in rejection.films}):
                queue_results(session, web.settings, study_uid, now)
    web.results_waiting.set()
    return ""
