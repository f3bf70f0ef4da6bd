"""From a recipe to a signed release: prepare, fit, build, and tell MLflow about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from hilum.release import Release
from training.config import Recipe
from training.data.prepare import Prepared, prepare
from training.evaluate.plots import figures
from training.fit.loop import Resume
from training.fit.networks import finished_networks, train_networks
from training.fit.sets import TrainingSet, ValidationSet
from training.network.film_net import Ensemble, FilmNet
from training.progress import Bars
from training.release.bundle import Origin, Part, build, signing_key, trust
from training.tracking import NullTracker, Tracker
from training.tracking.facts import git_facts
from training.tracking.model import log_model

STARTED = "started.json"


@dataclass(frozen=True)
class RunPaths:
    """Where a run reads and writes.

    `data` holds the recipe's sources; `work` the run's checkpoints and, unless `release` says otherwise, its release;
    `store` the decoded frames, shared by runs (None: the usual place). Without `trusted_keys` no list is written.
    """

    data: Path
    work: Path
    release: Path
    trusted_keys: Path | None = None
    store: Path | None = None


class OtherRun(ValueError):
    """The work folder belongs to another recipe than the one that is to go on."""


def started(recipe: Recipe, work: Path, resume: bool) -> datetime:
    """When the run in `work` began; a resumed one keeps its first time. Raises OtherRun."""
    note = work / STARTED
    if resume and note.exists():
        told = json.loads(note.read_text(encoding="utf-8"))
        if told["recipe"] != recipe.model_dump(mode="json"):
            raise OtherRun(
                f"{work.name} holds a run of another recipe ({told['recipe']['name']} {told['recipe']['version']}, or "
                "the same with other numbers): resume it with that recipe, or train into another folder"
            )
        return datetime.fromisoformat(told["at"])
    now = datetime.now(UTC)
    work.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"at": now.isoformat(), "recipe": recipe.model_dump(mode="json")}, indent=1)
    note.write_text(text + "\n", encoding="utf-8")
    return now


def fit(
    recipe: Recipe,
    prepared: Prepared,
    work: Path,
    bars: Bars,
    tracker: Tracker,
    say: Callable[[str], None],
    *,
    resume: bool | Resume = False,
    profile: bool = False,
) -> list[FilmNet]:
    """The recipe's networks, fitted on the training split and watched on the validation split."""
    findings = prepared.manifest.findings
    training, validation = prepared.parts["train"], prepared.parts["validation"]
    return train_networks(
        TrainingSet.of(training.films, training.frames, recipe, findings),
        ValidationSet.of(validation.films, validation.frames),
        recipe,
        work / "networks",
        bars.member,
        tracker,
        resume=resume,
        profile=profile,
        note=say,
    )


def train(
    recipe: Recipe,
    paths: RunPaths,
    console: Console,
    tracker: Tracker | None = None,
    *,
    resume: bool | Resume = False,
    profile: bool = False,
    networks: Path | None = None,
    remark: str = "",
) -> Release:
    """Films in `paths.data` to a signed release in `paths.release`, followed by `tracker`.

    With `networks`, a folder of an earlier run's, nothing is trained; `remark` is printed on the card.
    Raises BadData, BadRecipe, TrainingFailed, BadRelease or OtherRun, each with the remedy; a release stands in its
    folder whole or not at all.
    """
    tracker = tracker or NullTracker()
    created = started(recipe, paths.work, resume not in (False, "no"))
    key = signing_key()
    tracker.params(recipe.model_dump(mode="json"))
    with Bars(console) as bars:
        prepared = prepare(recipe, paths.data, paths.store, bars.add, console.print)
        for note in prepared.notes:
            console.print(note, highlight=False)
        tracker.tags({"hilum.data_digest": prepared.manifest.digest, "hilum.recipe": f"{recipe.name} {recipe.version}"})
        if networks is None:
            members = fit(recipe, prepared, paths.work, bars, tracker, console.print, resume=resume, profile=profile)
        else:
            members = finished_networks(networks, recipe, prepared.manifest.findings)
        network = Ensemble(members, recipe.size, recipe.data.input_size)
        parts = {name: Part(part.films, np.asarray(part.frames)) for name, part in prepared.parts.items()}
        origin = Origin(
            run=f"{recipe.name}-{recipe.version}-{created:%Y%m%dT%H%M%SZ}",
            commit=git_facts()["commit"],
            created=created.isoformat(timespec="seconds"),
            data_digest=prepared.manifest.digest,
            remark=remark,
        )
        scored = {name: len(part.films) for name, part in parts.items()}
        scored["train"] = min(scored["train"], recipe.evaluation.domain_films)
        release = build(
            recipe, network, prepared.manifest.findings, parts, origin, key, paths.release, bars.stage(scored)
        )
    if paths.trusted_keys is not None:
        trust(key, paths.trusted_keys)
    report(release, tracker)
    return release


def report(release: Release, tracker: Tracker) -> None:
    """Tell MLflow the release's figures, plots, card and model."""
    tracker.tags({"hilum.release": release.digest, "hilum.version": release.manifest.version})
    for name in (release.manifest.model_card, release.manifest.evaluation, "manifest.json"):
        tracker.artifact(release.folder / name, "release")
    evaluation = json.loads((release.folder / release.manifest.evaluation).read_text(encoding="utf-8"))
    for name, figure in figures(evaluation).items():
        tracker.figure(name, figure)
    tracker.metrics(means(evaluation))
    log_model(tracker, release)


def means(evaluation: dict[str, Any]) -> dict[str, float]:
    """The locked films' mean AUROC per population, and each finding's, as MLflow's figures."""
    found: dict[str, float] = {}
    for source, part in evaluation.get("populations", {}).items():
        named = {"mean": part.get("mean_auroc"), **{n: f.get("auroc") for n, f in part.get("findings", {}).items()}}
        found |= {f"locked/{source}/auroc/{name}": value["value"] for name, value in named.items() if value}
    return found
