"""NIH ChestX-ray14 (Wang et al., CVPR 2017): labels mined from report text; what is not named is absent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from hilum.findings import exact_finding
from training.config import Source
from training.data.findings import nih_findings
from training.data.manifest import Film, Masked
from training.data.place import Place
from training.data.rows import Draft, Row, read_rows

SOURCE = "nih"
TABLE = "Data_Entry_2017_v2020.csv"
COLUMNS = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
ABSENCE = "No Finding"
IMAGES = (".jpg", ".jpeg", ".png", ".dcm")
# Outside these patient numbers the shared pool holds only films with Pneumonia: the number gives the label away (the
# data's README). In the whole collection it does not, and nothing is masked.
PNEUMONIA_PATIENTS = range(1280, 3970 + 1)
MASKED = "Pneumonia"
GIVEN_AWAY = 0.9


def read_nih(place: Place, source: Source, findings: tuple[str, ...]) -> Iterator[Draft]:
    """Drafts of the films in the table. Images may lie in `images/` or in `images_001/images/` and so on.

    The table says `.png`, whatever the files end in. Labels are as NIH gives them; `mask_nih` comes later.
    """
    table = source.table or TABLE
    known = frozenset(nih_findings())
    files = {PurePosixPath(name).stem: name for name in sorted(place.names) if name.lower().endswith(IMAGES)}
    for row in read_rows(place.table(table), f"{place.title}/{table}", COLUMNS):
        name = PurePosixPath(row.needed("Image Index")).stem
        patient = row.needed("Patient ID")
        if not patient.isdigit():
            raise row.wrong(f"'Patient ID' is '{patient}', not a number")
        present = present_findings(row)
        film = Film(
            name=name,
            path=Path(),
            sha256="",
            source=source.title,
            patient=f"{SOURCE}:{int(patient)}",
            labels=tuple(int(finding in present) if finding in known else None for finding in findings),
            view=row.view("View Position"),
            sex=row.sex("Patient Gender"),
            age=row.age("Patient Age"),
            site=source.site,
        )
        yield Draft(film, files.get(name, f"images/{row.cells['Image Index']}"), row.table, row.number)


def present_findings(row: Row) -> frozenset[str]:
    """The findings in a cell like "A|B|C"; raises BadData for a label that NIH does not have."""
    present = set()
    for label in row.needed("Finding Labels").split("|"):
        if label == ABSENCE:
            continue
        name = exact_finding(SOURCE, label)
        if name is None:
            raise row.wrong(f"unknown label '{label}'")
        present.add(name)
    return frozenset(present)


def patient_number(patient: str) -> int | None:
    """NIH's number of a patient, None for another collection's patient."""
    collection, _, number = patient.partition(":")
    return int(number) if collection == SOURCE and number.isdigit() else None


def mask_nih(films: Sequence[Film], findings: Sequence[str]) -> tuple[list[Film], list[Masked]]:
    """Make Pneumonia unknown outside PNEUMONIA_PATIENTS where the films there are all but always positive."""
    if MASKED not in findings:
        return list(films), []
    k = list(findings).index(MASKED)

    def outside(film: Film) -> bool:
        number = patient_number(film.patient)
        return number is not None and number not in PNEUMONIA_PATIENTS and film.labels[k] is not None

    labels = [film.labels[k] for film in films if outside(film)]
    if not labels or labels.count(1) < GIVEN_AWAY * len(labels):
        return list(films), []
    masked = [
        replace(film, labels=(*film.labels[:k], None, *film.labels[k + 1 :])) if outside(film) else film
        for film in films
    ]
    low, high = PNEUMONIA_PATIENTS.start, PNEUMONIA_PATIENTS.stop - 1
    reason = f"patients numbered outside {low} to {high} are nearly all positive: the number gives the label away"
    return masked, [Masked(SOURCE, MASKED, len(labels), reason)]
