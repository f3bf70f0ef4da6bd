"""From a recipe and a folder to what training needs: one manifest, and per split the films and their frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.config import Recipe
from training.data.findings import check_findings
from training.data.manifest import BadData, Film, Manifest
from training.data.place import store_folder
from training.data.read import read_sources
from training.data.shards import FrameStore
from training.data.shortcuts import refusals
from training.data.split import split_films
from training.data.store import StoredFrames

# `add(name, total)` makes a bar and returns its tick: `training.progress.Bars.add`.
AddBar = Callable[[str, int], Callable[[int], None]]


@dataclass(frozen=True)
class SplitPart:
    """One split: its films and their frames, in the same order."""

    films: list[Film]
    frames: StoredFrames


@dataclass(frozen=True)
class Prepared:
    """The data of a run. `parts` are by split; `notes` are plain sentences for the log and the report."""

    manifest: Manifest
    parts: dict[str, SplitPart]
    notes: tuple[str, ...]


def no_bar(name: str, total: int) -> Callable[[int], None]:
    """No progress to be seen."""
    return lambda count: None


def prepare(
    recipe: Recipe,
    folder: Path,
    store: Path | None = None,
    add: AddBar = no_bar,
    say: Callable[[str], None] = lambda text: None,
) -> Prepared:
    """Read, decode, split and check the recipe's data; `folder` holds its sources, `store` the decoded frames.

    Raises BadData where the data can't be trained on; what was left out or stands as a warning is in `notes`.
    """
    manifest, frames = read_and_decode(recipe, folder, store, add, say)
    refuse_shortcuts(manifest, recipe)
    films = split_films(manifest.films, recipe.split)
    check_findings(films["train"], recipe.data, manifest.findings)
    parts = {name: SplitPart(members, frames.frames(members)) for name, members in films.items()}
    return Prepared(manifest, parts, notes(manifest))


def read_and_decode(
    recipe: Recipe,
    folder: Path,
    store: Path | None = None,
    add: AddBar = no_bar,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Manifest, FrameStore]:
    """The manifest of the films that can be decoded, and the store that holds their frames; nothing is split yet."""
    where = store or store_folder()
    manifest = read_sources(recipe.data, folder, where)
    frames = FrameStore(where, recipe.data.input_size)
    unreadable = frames.build(manifest.films, add("decode", len(manifest.films)), say)
    return manifest.without(unreadable, recipe.data.left_out_share), frames


def refuse_shortcuts(manifest: Manifest, recipe: Recipe) -> None:
    """Raise BadData where something beside the film gives a finding away and nothing is done about it."""
    refused = refusals(manifest.shortcuts, recipe.training.source_offset)
    if refused and recipe.data.shortcuts == "refuse":
        raise BadData(
            "; ".join(map(str, refused)) + ". A model would learn that instead of the finding. Leave those films or "
            "that finding out, set training.source_offset where it is the source, or data.shortcuts: warn"
        )


def notes(manifest: Manifest) -> tuple[str, ...]:
    """What a person should know before training: films left out, labels masked, findings given away."""
    said = []
    if faults := manifest.faults:
        said.append(f"left out because of a fault: {len(faults)}, the first: {faults[0]}")
    if chosen := len(manifest.left_out) - len(faults):
        said.append(f"left out by choice: {chosen} (laterals, copies of a film of the same patient)")
    return (*said, *map(str, manifest.masked), *map(str, manifest.shortcuts))
