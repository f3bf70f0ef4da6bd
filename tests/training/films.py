"""Small data folders in the layouts of the training data, made of real films."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from hilum.findings import dataset_labels
from training.config import CONFIGS, Recipe, read_recipe
from training.data import label_matrix, read_sources
from training.data.nih import PNEUMONIA_PATIENTS, TABLE
from training.data.split import SPLITS, split_films

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("HILUM_TRAINING_DATA", ROOT.parent / "shared" / "data"))
HEADER = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")
# Of each finding a small folder has so many positive films where the pool has them: a finding without any is refused.
POSITIVES = 8
CHEXPERT_FACTS = ("Path", "Sex", "Age", "Frontal/Lateral", "AP/PA")
# What a CheXpert column says where NIH has this label. The layout is CheXpert's, the labels are made up from NIH's.
CHEXPERT_LABELS = {
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


def write_table(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write NIH's table with the columns that are read."""
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, HEADER, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def small_data(target: Path, films: int = 240) -> Path:
    """`films` NIH films and half as many of Kermany's from the shared data, else the repository's samples."""
    (target / "nih128" / "images").mkdir(parents=True)
    for group in ("NORMAL", "PNEUMONIA"):
        (target / "kermany224" / "train" / group).mkdir(parents=True)
    if (SHARED / "nih128" / TABLE).exists():
        _from_shared(target, films)
    else:
        _from_samples(target)
    return target


def nih_rows(films: int) -> list[dict[str, str]]:
    """`films` rows of the shared NIH table, in its order: POSITIVES of each label, the rest evenly from the whole."""
    with (SHARED / "nih128" / TABLE).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    chosen: set[int] = set()
    for label in dataset_labels("nih"):
        positive = [
            number
            for number, row in enumerate(rows)
            if label in row["Finding Labels"].split("|") and int(row["Patient ID"]) in PNEUMONIA_PATIENTS
        ]
        chosen |= set(positive[:: max(1, len(positive) // POSITIVES)][:POSITIVES])
    rest = max(1, films - len(chosen))
    chosen |= set(list(range(len(rows)))[:: max(1, len(rows) // rest)][:rest])
    return [rows[number] for number in sorted(chosen)]


def _from_shared(target: Path, films: int) -> None:
    chosen = nih_rows(films)
    write_table(target / "nih128", chosen)
    for row in chosen:
        name = Path(row["Image Index"]).stem + ".jpg"
        shutil.copy(SHARED / "nih128" / "images" / name, target / "nih128" / "images" / name)
    for group in ("NORMAL", "PNEUMONIA"):
        files = sorted((SHARED / "kermany224" / "train" / group).iterdir())
        for file in files[:: max(1, 4 * len(files) // films)]:
            shutil.copy(file, target / "kermany224" / "train" / group / file.name)


def _from_samples(target: Path) -> None:
    rows = []
    for film in _samples():
        name = str(film["file"])
        if name.startswith("nih_0"):
            stem = Path(name).stem.removeprefix("nih_")
            shutil.copy(ROOT / "samples" / name, target / "nih128" / "images" / f"{stem}.jpg")
            labels = "|".join(film["labels"]).replace("Pleural Thickening", "Pleural_Thickening") or "No Finding"
            cells = (f"{stem}.png", labels, str(int(stem[:8])), "50", "F", "PA")
            rows.append(dict(zip(HEADER, cells, strict=True)))
        elif name.startswith("kermany_"):
            group = "PNEUMONIA" if "person" in name else "NORMAL"
            shutil.copy(ROOT / "samples" / name, target / "kermany224" / "train" / group / name[len("kermany_") :])
    write_table(target / "nih128", rows)


def _samples() -> list[dict[str, list[str]]]:
    films: list[dict[str, list[str]]] = json.loads((ROOT / "samples" / "samples.json").read_text("utf-8"))["films"]
    return films


def tiny_recipe(data: Path) -> Recipe:
    """The tiny recipe with a salt that leaves no split of `data` empty and each finding something to learn from."""
    recipe = read_recipe(CONFIGS / "tiny.yaml")
    manifest = read_sources(recipe.data, data)
    nih = [film for film in manifest.films if film.source == "nih"]
    if not (SHARED / "nih128" / TABLE).exists():
        recipe = recipe.changed(data__minimum_positives=0, data__minimum_negatives=1)
    for number in range(1000):
        salted = recipe.changed(split__salt=f"tiny-{number}")
        parts = split_films(nih, salted.split)
        if not all(parts[name] for name in SPLITS):
            continue
        labels = label_matrix(parts["train"])
        positives, negatives = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
        if (positives >= recipe.data.minimum_positives).all() and (negatives >= recipe.data.minimum_negatives).all():
            return salted
    raise AssertionError("no salt splits these few patients into all parts")


def chexpert_data(target: Path, films: int = 160) -> Path:
    """A folder with `CheXpert-v1.0-small/` in its exact layout: NIH's films under CheXpert's columns; returns it.

    Every fifth study has a lateral (the film on its side), every seventh positive label is -1, an absent finding is
    blank, or 0 in every third film. `valid.csv` holds the last tenth. Needs the shared data.
    """
    root = target / "CheXpert-v1.0-small"
    labels = dataset_labels("chexpert")
    tables: dict[str, list[dict[str, str]]] = {"train": [], "valid": []}
    studies: dict[str, int] = {}
    rows = nih_rows(films)
    for number, row in enumerate(rows):
        part = "train" if int(row["Patient ID"]) % 10 else "valid"
        patient = f"patient{int(row['Patient ID']):05d}"
        studies[patient] = studies.get(patient, 0) + 1
        views = ["view1_frontal", "view2_lateral"] if number % 5 == 0 else ["view1_frontal"]
        for view in views:
            path = f"{part}/{patient}/study{studies[patient]}/{view}.jpg"
            image = SHARED / "nih128" / "images" / f"{Path(row['Image Index']).stem}.jpg"
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
            tables[part].append({**facts, **_chexpert_labels(number, row, labels)})
    for part, written in tables.items():
        with (root / f"{part}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, (*CHEXPERT_FACTS, *labels))
            writer.writeheader()
            writer.writerows(written)
    return target


def _chexpert_labels(number: int, row: Mapping[str, str], labels: tuple[str, ...]) -> dict[str, str]:
    present = {name for label in row["Finding Labels"].split("|") for name in CHEXPERT_LABELS.get(label, ())}
    absent = "0.0" if number % 3 == 0 else ""
    positive = "-1.0" if number % 7 == 0 else "1.0"
    return {label: positive if label in present and label != "No Finding" else absent for label in labels} | {
        "No Finding": "1.0" if "No Finding" in present else ""
    }
