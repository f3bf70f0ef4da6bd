"""A plain CSV beside a folder of films, and Hilum's own feedback export: one column per finding, blank is unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hilum.findings import UnknownFinding, finding
from hilum.imaging import BadFilm, FilmHeader, Limits
from hilum.imaging.dicom.header import TAGS, read_header
from hilum.imaging.dicom.part10 import looks_like_dicom, read_part10
from training.config import Source
from training.data.manifest import BadData, Film, LeftOut
from training.data.place import Place
from training.data.rows import OLDEST, SEXES, VIEWS, Draft, Row, read_rows
from training.data.split import NOBODY

PICTURES = (".png", ".jpg", ".jpeg")
IMAGES = (*PICTURES, ".dcm", ".dicom")
# Columns that say something of a film; every other column must be a finding.
FACTS = ("patient", "study", "site", "view", "sex", "age", "device", "devices", "weight")


@dataclass(frozen=True)
class Layout:
    """Names of a kind's table, of its column of films and of the folder they lie in.

    `private`: patients are a hospital's own numbers, and are kept as a hash alone.
    """

    table: str
    column: str
    folder: str
    private: bool


PLAIN = Layout("labels.csv", "film", "images", private=False)
# The layout of the bucket `newdata`: feedback's GET /v1/export.csv and the films it names.
FEEDBACK = Layout("new_data.csv", "image_id", "feedback_images", private=True)


def read_table(
    place: Place, source: Source, findings: tuple[str, ...], layout: Layout, laterals: bool = False
) -> Iterator[Draft | LeftOut]:
    """Drafts of the films in the table; a film is named with or without its ending and its folder.

    Where the table has no patient, a DICOM film's header has one; films of nobody follow `source.patientless`.
    """
    table = source.table or layout.table
    files = _files(place, layout.folder)
    first = True
    for row in read_rows(place.table(table), f"{place.title}/{table}", (layout.column,)):
        if first:
            _check_columns(row, layout)
            first = False
        yield _draft(row, place, source, findings, layout, files, laterals)


def _files(place: Place, folder: str) -> dict[str, str]:
    """A film's file by its path, its name and its name without ending, below `folder` (else anywhere)."""
    films = sorted(name for name in place.names if name.startswith(f"{folder}/"))
    films = films or sorted(name for name in place.names if name.lower().endswith(IMAGES))
    found: dict[str, str] = {}
    for name in films:
        last = PurePosixPath(name).name
        # A film without an ending is named by its UID, whose last number is no ending.
        for key in (_bare(last), last, name.removeprefix(f"{folder}/"), name):
            found[key] = name
    return found


def _bare(name: str) -> str:
    return PurePosixPath(name).stem if name.lower().endswith(IMAGES) else PurePosixPath(name).name


def _check_columns(row: Row, layout: Layout) -> None:
    known = 0
    for column in row.cells:
        if column in (layout.column, *FACTS):
            continue
        try:
            known += not finding(column).absence
        except UnknownFinding as error:
            raise BadData(
                f"{row.table}: column '{column}' is neither a finding nor one of {', '.join(FACTS)}: {error}"
            ) from None
    if not known:
        raise BadData(f"{row.table}: no column is a finding; name columns as hilum/findings/findings.toml does")


def _draft(
    row: Row,
    place: Place,
    source: Source,
    findings: tuple[str, ...],
    layout: Layout,
    files: Mapping[str, str],
    laterals: bool,
) -> Draft | LeftOut:
    # The export puts a quote before what a spreadsheet would take for a formula.
    given = row.needed(layout.column).removeprefix("'")
    name = _bare(given)
    labels = tuple(row.label(each, None) if each in row.cells else None for each in findings)
    for column in row.cells:
        if column not in (layout.column, *FACTS):
            row.label(column, None)
    file = files.get(given) or files.get(name)
    if file is None:
        return LeftOut(source.title, name, f"no such film in {place.title}/{layout.folder}", row.table, row.number)
    header = _header(place, file)
    view = row.view("view") or (header and VIEWS.get(header.view_position)) or None
    if view == "LATERAL" and not laterals:
        return LeftOut(source.title, name, "a lateral (data.laterals is false)", row.table, row.number, fault=False)
    patient = _patient(row, source, layout, header)
    if patient is None and source.patientless == "leave-out":
        reason = "whose film is it? Give a column 'patient', DICOM films, or patientless: train in the source"
        return LeftOut(source.title, name, reason, row.table, row.number)
    film = Film(
        name=name,
        path=Path(),
        sha256="",
        source=source.title,
        patient=patient or f"{NOBODY}{source.title}:{name}",
        labels=labels,
        view=view,
        sex=row.sex("sex") or (header and SEXES.get(header.patient_sex)) or None,
        age=row.age("age") if row.text("age") else _age(header),
        study=row.text("study") or (header and header.study_uid) or None,
        site=row.text("site") or source.site or (header and header.institution) or None,
        device=row.text("device") or (header and header.manufacturer) or None,
        devices=row.label("devices", None) if "devices" in row.cells else None,
        weight=_weight(row),
    )
    return Draft(film, file, row.table, row.number)


def _age(header: FilmHeader | None) -> int | None:
    years = header.patient_age_years if header else None
    return int(years) if years is not None and 0 <= years <= OLDEST else None


def _weight(row: Row) -> float:
    text = row.text("weight")
    try:
        weight = 1.0 if text is None else float(text)
    except ValueError:
        weight = -1.0
    if not 0.0 <= weight < float("inf"):
        raise row.wrong(f"'weight' is '{text}', not a number from 0")
    return weight


def _patient(row: Row, source: Source, layout: Layout, header: FilmHeader | None) -> str | None:
    """The patient, unique across sources. "nih:61" in the table is taken as it is: the same person in two sources."""
    given = row.text("patient")
    if given is not None:
        return given if ":" in given else f"{source.title}:{_hidden(given) if layout.private else given}"
    if header is None or not header.patient_id:
        return None
    return f"{source.title}:{_hidden(f'{header.patient_id_issuer}|{header.patient_id}'.removeprefix('|'))}"


def _header(place: Place, file: str) -> FilmHeader | None:
    """A DICOM film's header; None for another kind, and where it is damaged: decoding will say how."""
    if file.lower().endswith(PICTURES):
        return None
    try:
        data = place.fetch(file).read_bytes()
        return read_header(read_part10(data, TAGS, Limits())) if looks_like_dicom(data) else None
    except (BadFilm, OSError):
        return None


def _hidden(patient: str) -> str:
    """A hospital's number never enters a manifest. 80 bits keep 10 million patients apart."""
    return hashlib.sha256(f"hilum-feedback|{patient}".encode()).hexdigest()[:20]
