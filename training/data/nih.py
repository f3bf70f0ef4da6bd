"""NIH ChestX-ray14 (Wang et al., CVPR 2017): films of `nih128/` and labels mined from report text."""

from __future__ import annotations

import csv
from pathlib import Path

from hilum.findings import dataset_labels, exact_finding
from training.data.manifest import UNKNOWN, BadData, Film, sha256

SOURCE = "nih"
TABLE = "Data_Entry_2017_v2020.csv"
# Outside these patient numbers the pool holds only films with Pneumonia: the number gives the label away (the data's
# README). The Pneumonia label is unknown there.
PNEUMONIA_PATIENTS = range(1280, 3970 + 1)
ABSENCE = "No Finding"


def nih_findings() -> tuple[str, ...]:
    """The 14 findings in NIH's column order, by Hilum's names; raises BadData where a label has no exact finding."""
    names = []
    for label in dataset_labels(SOURCE):
        name = exact_finding(SOURCE, label)
        if name is None:
            raise BadData(f"NIH's label '{label}' names no finding of hilum/findings exactly")
        names.append(name)
    return tuple(names)


def labels_of(cell: str, patient: int, findings: tuple[str, ...]) -> tuple[int, ...]:
    """Labels of one row: `cell` is "A|B|C"; Pneumonia is unknown outside PNEUMONIA_PATIENTS. Raises BadData."""
    present = set()
    for label in cell.split("|"):
        if label == ABSENCE:
            continue
        name = exact_finding(SOURCE, label)
        if name is None:
            raise BadData(f"unknown label '{label}'")
        present.add(name)
    masked = patient not in PNEUMONIA_PATIENTS
    return tuple(UNKNOWN if masked and name == "Pneumonia" else int(name in present) for name in findings)


def read_nih(folder: Path, findings: tuple[str, ...]) -> list[Film]:
    """Films of `folder` (`images/` and the table); raises BadData naming the row."""
    table = folder / TABLE
    films = []
    with table.open(newline="", encoding="utf-8") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                name = Path(row["Image Index"]).stem
                patient = int(row["Patient ID"])
                path = folder / "images" / f"{name}.jpg"
                labels = labels_of(row["Finding Labels"], patient, findings)
                films.append(
                    Film(
                        name=name,
                        path=path,
                        sha256=sha256(path),
                        source=SOURCE,
                        patient=f"{SOURCE}:{patient}",
                        labels=labels,
                        view=row["View Position"],
                        sex=row["Patient Gender"],
                        age=int(row["Patient Age"]),
                    )
                )
            except KeyError as error:
                raise BadData(f"{TABLE}: no column {error}") from error
            except (ValueError, OSError) as error:
                raise BadData(f"{TABLE}, row {number}: {error}") from error
    return films
