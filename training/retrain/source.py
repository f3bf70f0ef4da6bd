"""The reads as a source of films that a recipe can take: `new_data.csv` beside `feedback_images/`.

Who is trained on may have been read in sight of the answer, with the weight that the readers' agreement gives. Who is
judged on may not: a film of a patient outside the training split keeps its blind labels alone, else the release in
production would be measured by its own echo.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.config import Recipe, Source
from training.data.manifest import BadData, Film
from training.data.read import read_sources
from training.data.split import split_of
from training.retrain.agreement import Judgements, Label, agreement_of, combine, decisions, judgements, reliability
from training.retrain.reads import FilmRead

TABLE, IMAGES, NAME = "new_data.csv", "feedback_images", "feedback"


@dataclass(frozen=True)
class Staged:
    """What became of the reads. `weight` is the mean over training films; `judged` films can be evaluated on."""

    source: Source
    films: int
    training: int
    judged: int
    shown_only: int
    uncertain_labels: int
    weight: float
    agreement: dict[str, dict[str, float | int]]

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the folder."""
        told = asdict(self)
        told.pop("source")
        return told


def stage(reads: list[FilmRead], films: Path, recipe: Recipe, findings: tuple[str, ...], folder: Path) -> Staged:
    """Write the reads' labels and weights to `folder`, which links to `films`; returns the source for the recipe.

    Raises BadData where no film of the reads is in `films`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / IMAGES
    link.unlink(missing_ok=True)
    link.symlink_to(films.absolute(), target_is_directory=True)
    held = judgements(reads)
    names = [name for name in findings if any(name in read.labels for read in reads)]
    if not names:
        raise BadData("the reads judge none of the recipe's findings: nothing can be learnt from them")
    every = sorted({read.film for read in reads})
    source = Source(kind="feedback", path=str(folder.absolute()), name=NAME, patientless="train")
    _write(folder / TABLE, ["image_id", names[0]], [[film, ""] for film in every])
    # A film without a file is counted by the pipeline; here all that matters is whose film it is.
    looked = recipe.data.model_copy(update={"sources": (source,), "findings": findings, "left_out_share": 1.0})
    found = {film.name: film for film in read_sources(looked, folder).films}
    return _fill(folder, source, recipe, names, every, found, held, decisions(reads))


def _fill(
    folder: Path,
    source: Source,
    recipe: Recipe,
    names: list[str],
    every: list[str],
    found: dict[str, Film],
    held: Judgements,
    decided: dict[tuple[str, str], Label],
) -> Staged:
    trust = reliability(held)
    rows: list[list[str]] = []
    weights: list[float] = []
    judged = shown_only = uncertain = 0
    for film in every:
        known = found.get(film)
        training = known is None or split_of(known.patient, recipe.split) == "train"
        cells, certain = [], []
        for name in names:
            votes = held.get((film, name), [])
            votes = votes if training else [vote for vote in votes if vote[0][1]]
            label = decided.get((film, name))
            if label is None or not (training or label.blind):
                label = combine(votes, trust) if votes else None
            cells.append("" if label is None else str(label.value))
            if label is not None:
                certain.append(label.weight)
                uncertain += label.value == -1
        if not certain:
            shown_only += 1
            continue
        weight = sum(certain) / len(certain) if training else 1.0
        judged += not training
        if training:
            weights.append(weight)
        patient = known.patient if known is not None and ":" in known.patient and not _nobody(known) else ""
        rows.append([film, patient, f"{weight:.4f}", *cells])
    _write(folder / TABLE, ["image_id", "patient", "weight", *names], rows)
    return Staged(
        source=source,
        films=len(rows),
        training=len(weights),
        judged=judged,
        shown_only=shown_only,
        uncertain_labels=uncertain,
        weight=round(sum(weights) / len(weights), 4) if weights else 0.0,
        agreement=agreement_of(held),
    )


def _nobody(film: Film) -> bool:
    from training.data.split import NOBODY  # noqa: PLC0415

    return film.patient.startswith(NOBODY)


def _write(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
