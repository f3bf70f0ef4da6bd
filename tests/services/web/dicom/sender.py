"""Senders of DICOM objects for the tests, and a room's DICOM port."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.presentation import build_context

from services.web.dicom.server import DicomServer
from tests.hilum.imaging.bodies import written
from tests.services.web.room import Room

KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.88.59"


@dataclass
class Listening:
    """A room and its DICOM port."""

    room: Room
    server: DicomServer

    @property
    def port(self) -> int:
        return self.server.port

    def store(self, *bodies: bytes, title: str = "CR1", called: str = "HILUM") -> list[Dataset]:
        """The answers to each object, sent over one association."""
        return store(self.port, *bodies, title=title, called=called)


@contextlib.contextmanager
def listening(room: Room) -> Iterator[Listening]:
    """Take associations for `room` on a free port."""
    server = DicomServer(room.web, port=0)
    server.start()
    try:
        yield Listening(room, server)
    finally:
        server.stop()


def store(port: int, *bodies: bytes, title: str = "CR1", called: str = "HILUM") -> list[Dataset]:
    """Send `bodies` with pynetdicom; an association that is not accepted is an AssertionError."""
    films = [pydicom.dcmread(BytesIO(body), force=True) for body in bodies]
    entity = AE(title)
    pairs = {(str(film.SOPClassUID), str(film.file_meta.TransferSyntaxUID)) for film in films}
    entity.requested_contexts = [build_context(uid, syntax) for uid, syntax in sorted(pairs)]
    assoc = entity.associate("127.0.0.1", port, ae_title=called)
    assert assoc.is_established, "the association was not accepted"
    try:
        return [assoc.send_c_store(film) for film in films]
    finally:
        assoc.release()


def note(study_uid: str, *film_uids: str, code: str = "113001", **changes: Any) -> bytes:
    """A key object note that rejects films."""
    document = Dataset()
    document.file_meta = FileMetaDataset()
    document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    title = Dataset()
    title.CodeValue, title.CodingSchemeDesignator, title.CodeMeaning = code, "DCM", "Rejected"
    films = []
    for uid in film_uids:
        film = Dataset()
        film.ReferencedSOPClassUID, film.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", uid
        films.append(film)
    series = Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = generate_uid(), Sequence(films)
    study = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = study_uid, Sequence([series])
    values = {
        "SOPClassUID": KEY_OBJECT,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": study_uid,
        "SeriesInstanceUID": generate_uid(),
        "Modality": "KO",
        "PatientID": "P-17",
        "ConceptNameCodeSequence": Sequence([title]),
        "CurrentRequestedProcedureEvidenceSequence": Sequence([study]),
        **changes,
    }
    for keyword, value in values.items():
        setattr(document, keyword, value)
    return written(document)
