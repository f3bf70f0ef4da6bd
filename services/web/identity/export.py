"""Studies without their patients, as files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import Session as Rows

from hilum.deidentify import CannotStrip, Pseudonyms, why_text_is_likely, without_notes, without_patient
from hilum.storage import BlobMissing, Blobs
from services.web.context import utc_now
from services.web.identity.audit import Entry, append
from services.web.tables import Film, Study

SUFFIXES = {"application/dicom": ".dcm", "image/png": ".png", "image/jpeg": ".jpg"}
COLUMNS = ("patient", "study", "film", "file", "view")


@dataclass(frozen=True)
class Exported:
    """One film: `file` below the folder, or why it was left out."""

    film_uid: str
    file: str = ""
    refused: str = ""


def export_study(
    study: Study, films: list[Film], blobs: Blobs, folder: Path, names: Pseudonyms, *, looked_at: bool
) -> Iterator[tuple[Exported, tuple[str, ...]]]:
    """Write each film; gives what became of it and its line of the index. Raises OSError, BlobsUnavailable."""
    patient = names.patient(study.patient_id or f"study {study.uid}", study.patient_id_issuer)
    for film in films:
        try:
            data = _stripped(blobs.get(film.blob_key), film, names, patient, looked_at=looked_at)
        except BlobMissing:
            yield Exported(film.uid, refused="its bytes are missing"), ()
        except CannotStrip as error:
            yield Exported(film.uid, refused=str(error)), ()
        else:
            new_study, new_film = names.uid(study.uid), names.uid(film.uid)
            file = f"{patient}/{new_study}/{new_film}{SUFFIXES[film.media_type]}"
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            yield Exported(film.uid, file), (patient, new_study, new_film, file, film.view)


def _stripped(data: bytes, film: Film, names: Pseudonyms, patient: str, *, looked_at: bool) -> bytes:
    is_dicom = film.media_type == "application/dicom"
    if film.media_type not in SUFFIXES:
        raise CannotStrip(f"a film of type {film.media_type}")
    risk = why_text_is_likely(dcmread(BytesIO(data), stop_before_pixels=True) if is_dicom else None)
    if risk and not looked_at:
        raise CannotStrip(f"{risk}; look at it, then export with --looked-at")
    return without_patient(data, names, patient) if is_dicom else without_notes(data)


def export_studies(
    rows: Rows, blobs: Blobs, uids: list[str], folder: Path, names: Pseudonyms, *, who: str, looked_at: bool
) -> Iterator[Exported]:
    """Export studies into `folder` with an `index.csv`; each is in the audit log before its first film is written."""
    with (folder / "index.csv").open("x", newline="", encoding="utf-8") as stream:
        index = csv.writer(stream)
        index.writerow(COLUMNS)
        for uid in uids:
            study = rows.get(Study, uid)
            if study is None:
                yield Exported(uid, refused="there is no such study")
                continue
            append(rows, [Entry(who, "", "", "export", "de-identified export", 0, uid)], utc_now())
            rows.commit()
            films = list(rows.scalars(select(Film).where(Film.study_uid == uid).order_by(Film.number)))
            rows.commit()
            for done, line in export_study(study, films, blobs, folder, names, looked_at=looked_at):
                if line:
                    index.writerow(line)
                yield done
