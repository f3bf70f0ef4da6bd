"""From an uploaded file to a candidate: decoded, named, without its pixels. Nothing is stored here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from hilum.imaging import BadFilm, Film, decode
from hilum.problems import Problem
from services.web.dicom.facts import InstanceFacts, read_facts
from services.web.names import clean, derived_uid, file_name, is_uid
from services.web.views import FilmOutcome, Warned


@dataclass(frozen=True)
class Upload:
    """One file of a request. `read` gives all its bytes and may be called again."""

    file: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Facts:
    """What the sender says beside the files. `synthetic` marks studies of a test that nobody should act on.

    `sender` is who sent: an application entity's title, or empty.
    """

    accession: str = ""
    patient_id: str = ""
    priority: str = ""
    location: str = ""
    site: str = ""
    synthetic: bool = False
    sender: str = ""


@dataclass(frozen=True)
class Candidate:
    """A film that may be stored. `study_uid` is None where the film brings none: PNG and JPEG (see `register`)."""

    upload: Upload
    film_uid: str
    study_uid: str | None
    sha256: str
    byte_count: int
    media_type: str
    file: str
    view: str
    width: int
    height: int
    bits: int
    lossy: bool
    warnings: tuple[Warned, ...]
    unscorable: str | None
    facts: Facts
    accession_issuer: str = ""
    patient_id_issuer: str = ""
    instance: InstanceFacts | None = None

    @property
    def blob_key(self) -> str:
        """Where the bytes lie: by name and by content, so that no two films share a blob."""
        return f"films/{self.film_uid}/{self.sha256}"


def _refused(name: str, status: int, kind: str, detail: str) -> FilmOutcome:
    return FilmOutcome(name, "refused", status, detail, kind)


def inspect(upload: Upload, facts: Facts) -> Candidate | FilmOutcome:
    """Decode one file: a candidate, or the outcome "refused". Holds the film's bytes and pixels while it runs."""
    name = file_name(upload.file)
    data = upload.read()
    try:
        film = decode(data)
    except BadFilm as error:
        return _refused(name, error.status, error.kind, str(error))
    digest = hashlib.sha256(data).hexdigest()
    try:
        candidate = _candidate(upload, film, data, digest, facts=facts)
    except Problem as problem:
        return _refused(name, problem.status, problem.kind, problem.detail)
    return candidate


def _candidate(upload: Upload, film: Film, data: bytes, digest: str, *, facts: Facts) -> Candidate:
    warnings = tuple(Warned(clean(w.code, 64), clean(w.text, 400)) for w in film.warnings)
    header = film.header
    instance = None
    if header is None:
        film_uid, study_uid = derived_uid("film", facts.patient_id, facts.accession, digest), None
        view = accession_issuer = patient_issuer = ""
    else:
        film_uid, study_uid = header.instance_uid.strip(" \0"), header.study_uid.strip(" \0")
        if not is_uid(film_uid) or not is_uid(study_uid):
            raise Problem(
                422,
                "bad-uid",
                "SOPInstanceUID (0008,0018) or StudyInstanceUID (0020,000D) is no UID (digits and dots, at most 64).",
            )
        view = clean(header.view_position, 16)
        accession_issuer = clean(header.accession_issuer, 128)
        patient_issuer = clean(header.patient_id_issuer, 128)
        facts, more = _merged(facts, film)
        warnings += more
        instance = read_facts(data)
    return Candidate(
        upload=upload,
        film_uid=film_uid,
        study_uid=study_uid,
        sha256=digest,
        byte_count=len(data),
        media_type=film.media_type,
        file=file_name(upload.file),
        view=view,
        width=film.width,
        height=film.height,
        bits=film.bits,
        lossy=film.lossy,
        warnings=warnings,
        unscorable=film.unscorable,
        facts=facts,
        accession_issuer=accession_issuer,
        patient_id_issuer=patient_issuer,
        instance=instance,
    )


def _merged(facts: Facts, film: Film) -> tuple[Facts, tuple[Warned, ...]]:
    """The header's facts, completed by the sender's. Raises a 422 problem where they name two patients."""
    header = film.header
    assert header is not None  # noqa: S101 - the caller looked
    patient = clean(header.patient_id, 64)
    if patient and facts.patient_id and patient != facts.patient_id:
        raise Problem(
            422,
            "patient-mismatch",
            "patient_id in the form and Patient ID (0010,0020) in the file differ; send the film as its own patient's.",
        )
    warnings = []
    accession = clean(header.accession, 64)
    if accession and facts.accession and accession != facts.accession:
        text = "The accession number in the form differs from the file's (0008,0050); the file's is kept."
        warnings.append(Warned("accession-differs", text))
    merged = replace(
        facts,
        patient_id=patient or facts.patient_id,
        accession=accession or facts.accession,
        priority=facts.priority or clean(header.priority, 16).upper(),
        site=facts.site or clean(header.institution, 128),
    )
    return merged, tuple(warnings)


def differences(kept: bytes, refused: bytes) -> str:
    """In words, what the content of two files under one name differs in; names attributes, quotes no value.

    Empty where the picture and every attribute that Hilum reads are equal: the same film in another encoding, or with
    other meta information, as an archive or a network sends it.
    """
    try:
        old, new = decode(kept), decode(refused)
    except BadFilm:
        return "the files' bytes differ"
    names = []
    if old.pixels.shape != new.pixels.shape:
        names.append("image size")
    elif not np.array_equal(old.pixels, new.pixels):
        names.append("pixels")
    if old.header is not None and new.header is not None:
        names += [
            f.name.replace("_", " ")
            for f in fields(old.header)
            if f.name != "transfer_syntax_uid" and getattr(old.header, f.name) != getattr(new.header, f.name)
        ]
    return ", ".join(names)
