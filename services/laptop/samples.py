"""The sample films of a first start go in by the same door as every other film."""

from __future__ import annotations

import json
import threading
from functools import partial
from io import BytesIO
from pathlib import Path

import pydicom
import structlog
from sqlalchemy import select

from hilum.settings import REPOSITORY
from hilum.storage import BlobsUnavailable, DatabaseUnavailable
from services.web.candidates import Facts, Upload
from services.web.context import Web
from services.web.ingest import ingest
from services.web.names import derived_uid
from services.web.tables import Study

log = structlog.get_logger("hilum.samples")
SAMPLES = REPOSITORY / "samples"
SITE = "samples"


def seed(web: Web, marker: Path, stop: threading.Event, folder: Path = SAMPLES) -> None:
    """Take the sample films in where no study is here yet, or where an earlier seeding was cut off.

    `marker` is a file that lies there while the seeding is unfinished; `stop` ends it after the film in hand.
    """
    with web.read() as session:
        empty = session.scalar(select(Study.uid).limit(1)) is None
    if not empty and not marker.exists():
        return
    try:
        marker.touch()
        films = json.loads((folder / "samples.json").read_text(encoding="utf-8"))["films"]
        for number, film in enumerate(films, start=1):
            if stop.is_set():
                return
            path = folder / film["file"]
            facts = Facts(site=SITE, accession=f"SAMPLE-{number:02d}", patient_id=_patient(film))
            ingest(web, [Upload(path.name, partial(_body, path))], facts)
    except (DatabaseUnavailable, BlobsUnavailable, OSError) as error:
        log.warning("the sample films are not all in; the next start goes on", reason=str(error))
        return
    marker.unlink(missing_ok=True)


def _body(path: Path) -> bytes:
    """The film's bytes; a DICOM film gets UIDs of its own.

    The public films that the samples come from may be sent here too, and must not be in conflict with their copies.
    """
    if path.suffix != ".dcm":
        return path.read_bytes()
    film = pydicom.dcmread(path)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(film, keyword, derived_uid("sample", path.name, keyword))
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    stream = BytesIO()
    pydicom.dcmwrite(stream, film)
    return stream.getvalue()


def _patient(film: dict[str, str]) -> str:
    """The data set's own patient number; a DICOM film names its patient itself."""
    if film["file"].endswith(".dcm"):
        return ""
    return f"{film['file'].partition('_')[0].upper()}-{film['patient']}"
