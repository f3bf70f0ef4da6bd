"""Small data folders in the layout of the training data, made of real films."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

from training.config import CONFIGS, Recipe, read_recipe
from training.data import read_all
from training.data.nih import TABLE
from training.data.split import SPLITS, split_of

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("HILUM_TRAINING_DATA", ROOT.parent / "shared" / "data"))
HEADER = ("Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position")


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


def _from_shared(target: Path, films: int) -> None:
    with (SHARED / "nih128" / TABLE).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    chosen = rows[:: max(1, len(rows) // films)]
    write_table(target / "nih128", chosen)
    for row in chosen:
        name = Path(row["Image Index"]).stem + ".jpg"
        shutil.copy(SHARED / "nih128" / "images" / name, target / "nih128" / "images" / name)
    for group in ("NORMAL", "PNEUMONIA"):
        files = sorted((SHARED / "kermany224" / "train" / group).iterdir())
        for file in files[:: max(1, 4 * len(files) // films)]:
            shutil.copy(file, target / "kermany224" / "train" / group / file.name)


def _from_samples(target: Path) -> None:
    films = json.loads((ROOT / "samples" / "samples.json").read_text(encoding="utf-8"))["films"]
    rows = []
    for film in films:
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


def tiny_recipe(data: Path) -> Recipe:
    """The tiny recipe with a salt that leaves no split of `data` empty."""
    recipe = read_recipe(CONFIGS / "tiny.yaml")
    patients = {film.patient for film in read_all(data) if film.source == "nih"}
    for number in range(1000):
        salt = f"tiny-{number}"
        if {split_of(patient, salt) for patient in patients} == set(SPLITS):
            return recipe.changed(split__salt=salt)
    raise AssertionError("no salt splits these few patients into all parts")
