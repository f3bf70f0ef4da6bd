"""Small data folders in the layouts of the training data, made of real films."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

from bench.chexpert_layout import write_layout
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

    Needs the shared data.
    """
    return write_layout(nih_rows(films), SHARED / "nih128" / "images", target)
