"""A small folder in CheXpert's exact layout, made of NIH films: `python -m bench.chexpert_layout FOLDER`.

For trying the CheXpert path without CheXpert: `CheXpert-v1.0-small/train.csv` and `valid.csv` with its columns in its
order, its paths, laterals, blanks and -1. The films are NIH's and the labels are made up from NIH's (a column that NIH
has no label for borrows another's): what is trained on it says nothing of any film.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console

from hilum.findings import dataset_labels
from training.data.nih import PNEUMONIA_PATIENTS, TABLE

FACTS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA")
# What a CheXpert column says where NIH has this label.
LABELS = {
    "Atelectasis": ("Atelectasis", "Lung Opacity"),
    "Cardiomegaly": ("Cardiomegaly", "Enlarged Cardiomediastinum"),
    "Effusion": ("Pleural Effusion",),
    "Infiltration": ("Lung Opacity",),
    "Mass": ("Lung Lesion", "Lung Opacity"),
    "Nodule": ("Lung Lesion",),
    "Pneumonia": ("Pneumonia", "Lung Opacity"),
    "Pneumothorax": ("Pneumothorax", "Support Devices"),
    "Consolidation": ("Consolidation", "Lung Opacity"),
    "Edema": ("Edema", "Support Devices"),
    "Pleural_Thickening": ("Pleural Other",),
    "Fibrosis": ("Fracture",),
    "No Finding": ("No Finding",),
}


def write_layout(rows: Sequence[Mapping[str, str]], images: Path, target: Path) -> Path:
    """Write NIH's table `rows` and their films in `images` to `target`/CheXpert-v1.0-small; returns `target`.

    Every fifth study has a lateral (the film on its side), every seventh positive label is -1, an absent finding is
    blank, or 0 in every third film. `valid.csv` holds the last tenth of patients by number.
    """
    root = target / "CheXpert-v1.0-small"
    labels = dataset_labels("chexpert")
    tables: dict[str, list[dict[str, str]]] = {"train": [], "valid": []}
    studies: dict[str, int] = {}
    for number, row in enumerate(rows):
        part = "train" if int(row["Patient ID"]) % 10 else "valid"
        patient = f"patient{int(row['Patient ID']):05d}"
        studies[patient] = studies.get(patient, 0) + 1
        views = ["view1_frontal", "view2_lateral"] if number % 5 == 0 else ["view1_frontal"]
        for view in views:
            path = f"{part}/{patient}/study{studies[patient]}/{view}.jpg"
            image = images / f"{Path(row['Image Index']).stem}.jpg"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            if "frontal" in view:
                shutil.copy(image, root / path)
            else:
                with Image.open(image) as film:
                    film.transpose(Image.Transpose.ROTATE_90).save(root / path)
            facts = {
                "Path": f"CheXpert-v1.0-small/{path}",
                "Sex": {"F": "Female", "M": "Male"}[row["Patient Gender"]],
                "Age": row["Patient Age"],
                "Frontal/Lateral": "Frontal" if "frontal" in view else "Lateral",
                "AP/PA": row["View Position"] if "frontal" in view else "",
            }
            tables[part].append({**facts, **_labels(number, row, labels)})
    for part, written in tables.items():
        with (root / f"{part}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, (*FACTS, *labels))
            writer.writeheader()
            writer.writerows(written)
    return target


def _labels(number: int, row: Mapping[str, str], labels: Sequence[str]) -> dict[str, str]:
    present = {name for label in row["Finding Labels"].split("|") for name in LABELS.get(label, ())}
    absent = "0.0" if number % 3 == 0 else ""
    positive = "-1.0" if number % 7 == 0 else "1.0"
    return {label: positive if label in present and label != "No Finding" else absent for label in labels} | {
        "No Finding": "1.0" if "No Finding" in present else ""
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_TRAINING_DATA", "../shared/data")))
    parser.add_argument("--films", type=int, default=2000)
    asked = parser.parse_args()
    with (asked.data / "nih128" / TABLE).open(newline="", encoding="utf-8") as stream:
        # Outside these patients NIH's part of the pool was chosen by its labels.
        rows = [row for row in csv.DictReader(stream) if int(row["Patient ID"]) in PNEUMONIA_PATIENTS]
    chosen = rows[:: max(1, len(rows) // asked.films)][: asked.films]
    write_layout(chosen, asked.data / "nih128" / "images", asked.folder)
    Console().print(f"{len(chosen)} films in CheXpert's layout in {asked.folder}", highlight=False)


if __name__ == "__main__":
    main()
