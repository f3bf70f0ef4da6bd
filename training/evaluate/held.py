"""Films held apart from training, as a release sees them, and their scores, which can be kept in a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.imaging.preprocess import preprocess
from hilum.release import BadRelease, FindingSpec, Release, read_release
from training.config import Recipe
from training.data.manifest import BadData, Film, Manifest
from training.data.read import read_sources
from training.data.split import split_films
from training.data.store import decode
from training.evaluate.film_set import Scored
from training.evaluate.scores import open_session, run

BATCH = 32
HELD_SPLITS = ("calibration", "validation", "locked")


@dataclass(frozen=True)
class Kept:
    """Scores in a file: `scored`, and where they come from (release digest, variant's sha256, split, data digest)."""

    scored: Scored
    facts: dict[str, Any]


def held_films(recipe: Recipe, folder: Path, split: str) -> Manifest:
    """The films of one split; raises BadData, also where nobody is in it."""
    if split not in HELD_SPLITS:
        raise BadData(f"there is no split '{split}' to judge on; one of {', '.join(HELD_SPLITS)}")
    manifest = read_sources(recipe.data, folder)
    films = tuple(split_films(manifest.films, recipe.split)[split])
    if not films:
        raise BadData(f"no film falls into the {split} split: more films, or another share or salt in the recipe")
    return replace(manifest, films=films)


def same_split(release: Release, recipe: Recipe) -> None:
    """Raise BadRelease where the release was trained with another split: its training films may be among these."""
    told = json.loads(release.read(release.manifest.evaluation)).get("recipe") or {}
    salt = (told.get("split") or told).get("salt")
    if salt is not None and salt != recipe.split.salt:
        raise BadRelease(
            f"{release.manifest.name} {release.manifest.version} was trained with the split salt '{salt}', the recipe "
            f"has '{recipe.split.salt}': patients it learnt from may be among these; use the recipe it was made with"
        )


def in_order(films: Sequence[Film], given: Sequence[str], wanted: Sequence[str]) -> list[Film]:
    """`films`, whose labels stand in the order `given`, with labels in the order `wanted`; unknown where not given."""
    if not set(given) & set(wanted):
        raise BadData(f"the films know none of the release's findings: theirs are {', '.join(given)}")
    place = {name: k for k, name in enumerate(given)}
    return [
        replace(f, labels=tuple(f.labels[place[name]] if name in place else None for name in wanted)) for f in films
    ]


def open_release(folder: Path) -> Release:
    """The release in `folder`, its hashes checked; raises BadRelease."""
    return read_release(folder)


def variant_sha256(release: Release, precision: str) -> str:
    """sha256 of the ONNX file; raises BadRelease where the release has no such precision."""
    try:
        return hashlib.sha256(release.read(release.manifest.variant(precision).file)).hexdigest()
    except KeyError as error:
        raise BadRelease(str(error.args[0])) from error


def score_films(
    release: Release, precision: str, films: Sequence[Film], tick: Callable[[int], None] = lambda count: None
) -> Scored:
    """Decode, preprocess and score `films` as serving does; raises BadData naming a film that can't be decoded."""
    variant = release.manifest.variant(precision)
    session = open_session(release.path(variant))
    logits = []
    for start in range(0, len(films), BATCH):
        part = films[start : start + BATCH]
        logits.append(run(session, [preprocess(decode(f.path), release.manifest.input) for f in part]).logits)
        tick(len(part))
    return Scored(list(films), variant.findings, np.concatenate(logits))


def keep(scored: Scored, facts: dict[str, Any], path: Path) -> None:
    """Write scores to `path` (.npz): logits, how they are read, and every fact of the films but where they lie."""
    rows = [{**asdict(film), "path": ""} for film in scored.films]
    note = {"facts": facts, "specs": [spec.model_dump(mode="json") for spec in scored.specs], "films": rows}
    np.savez_compressed(path, logits=scored.logits, note=np.frombuffer(json.dumps(note).encode(), dtype=np.uint8))


def read_kept(path: Path) -> Kept:
    """Read what `keep` wrote; raises BadData."""
    try:
        with np.load(path, allow_pickle=False) as held:
            note, logits = json.loads(held["note"].tobytes()), held["logits"]
        films = [Film(**{**row, "path": Path(row["path"]), "labels": tuple(row["labels"])}) for row in note["films"]]
        specs = tuple(FindingSpec.model_validate(spec) for spec in note["specs"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise BadData(f"{path.name}: no file of scores that `hilum evaluate` wrote: {error}") from error
    return Kept(Scored(films, specs, logits), note["facts"])
