"""Hyper-parameter search: Ray Tune fits one network per trial and ranks them by validation AUROC."""

from __future__ import annotations

import csv
import math
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.config import BadRecipe, Recipe
from training.fit.events import EpochEnded, Event
from training.fit.memory_map import mapped
from training.fit.ray_cluster import ray_cluster
from training.fit.sets import TrainingSet, ValidationSet

TABLE = "search.csv"


@dataclass(frozen=True)
class Trial:
    """What was tried, by field; the best and last mean validation AUROC (NaN where it failed), and why it failed."""

    values: Mapping[str, Any]
    best_auroc: float
    last_auroc: float
    epochs: int
    error: str = ""


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """`recipe` with `values` by dotted field; raises BadRecipe."""
    return recipe.changed(**{name.replace(".", "__"): value for name, value in values.items()})


def check_space(recipe: Recipe) -> None:
    """Raise BadRecipe where the search section is missing, names no field of a recipe or has no range."""
    if recipe.search is None or not recipe.search.space:
        raise BadRecipe("the recipe has no search.space: name fields and their candidates, as configs/search.yaml does")
    for name, candidates in recipe.search.space.items():
        if isinstance(candidates, list):
            tried = candidates
            good = bool(candidates)
        else:
            tried = [end for ends in candidates.values() for end in ends]
            good = len(candidates) == 1 and set(candidates) <= {"log", "uniform"} and len(tried) == 2
            good = good and tried[0] < tried[1] and not ("log" in candidates and tried[0] <= 0)
        if not good:
            raise BadRecipe(f"search.space: {name}: a list, or one of log and uniform with [low, high]")
        try:
            for value in tried:
                changed(recipe, {name: value})
        except (KeyError, TypeError) as error:
            raise BadRecipe(f"search.space: a recipe has no field {name}") from error


def _space(recipe: Recipe) -> dict[str, Any]:
    from ray import tune  # noqa: PLC0415 - seconds to import

    assert recipe.search is not None  # noqa: S101 - checked by check_space
    made: dict[str, Any] = {}
    for name, candidates in recipe.search.space.items():
        if isinstance(candidates, list):
            made[name] = tune.choice(candidates)
        elif "log" in candidates:
            made[name] = tune.loguniform(*candidates["log"])
        else:
            made[name] = tune.uniform(*candidates["uniform"])
    return made


def _try(config: dict[str, Any], task: str) -> None:
    """Ray Tune's function: one network with the trial's values."""
    import torch  # noqa: PLC0415
    from ray import tune  # noqa: PLC0415

    from training.fit.loop import fit  # noqa: PLC0415
    from training.fit.place import Place  # noqa: PLC0415

    data, validation, recipe, threads = pickle.loads(Path(task).read_bytes())  # noqa: S301 - written by this driver
    torch.set_num_threads(threads)

    def listen(event: Event) -> None:
        if isinstance(event, EpochEnded) and "auroc" in event.figures:
            tune.report({"auroc": event.figures["auroc"], "loss": event.figures["loss"]})

    device = torch.device("cuda" if recipe.training.gpu else "cpu")
    fit(data, changed(recipe, config), validation=validation, place=Place(device), listen=listen)


def search(
    data: TrainingSet,
    validation: ValidationSet,
    recipe: Recipe,
    work_folder: Path,
    note: Callable[[str], None] = lambda text: None,
) -> list[Trial]:
    """Try `recipe.search`, best first, and write them to `work_folder`/search.csv.

    The first network of the recipe is fitted with each trial's values, drawn from `recipe.seed`. A trial that fails is
    kept with its reason; the others go on. Raises BadRecipe.
    """
    check_space(recipe)
    if not len(validation.labels):
        raise BadRecipe("a search goes by validation films, and there are none: raise split.validation")
    assert recipe.search is not None  # noqa: S101 - checked by check_space
    work_folder = work_folder.resolve()
    work_folder.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0))
    parallel = min(recipe.search.parallel, recipe.search.trials)
    frames = (work_folder / "training-frames.npy", work_folder / "validation-frames.npy")
    task = work_folder / "search.pkl"
    parts = (mapped(data, frames[0]), mapped(validation, frames[1]))
    task.write_bytes(pickle.dumps((*parts, recipe, recipe.training.threads or max(1, cores // parallel))))
    try:
        with ray_cluster(parallel, parallel if recipe.training.gpu else 0):
            trials = _run(recipe, task, work_folder, parallel)
    finally:
        for file in (task, *frames):
            file.unlink(missing_ok=True)
    trials.sort(key=lambda trial: -math.inf if math.isnan(trial.best_auroc) else trial.best_auroc, reverse=True)
    write_table(trials, work_folder / TABLE)
    for trial in trials:
        note(line_of(trial))
    return trials


def _run(recipe: Recipe, task: Path, work_folder: Path, parallel: int) -> list[Trial]:
    from ray import tune  # noqa: PLC0415 - seconds to import
    from ray.tune.search.basic_variant import BasicVariantGenerator  # noqa: PLC0415

    assert recipe.search is not None  # noqa: S101 - checked by check_space
    resources = {"cpu": 1, "gpu": 1 if recipe.training.gpu else 0}
    trainable = tune.with_resources(tune.with_parameters(_try, task=str(task)), resources)
    tuner = tune.Tuner(
        trainable,
        param_space=_space(recipe),
        tune_config=tune.TuneConfig(
            num_samples=recipe.search.trials,
            metric="auroc",
            mode="max",
            search_alg=BasicVariantGenerator(random_state=recipe.seed, max_concurrent=parallel),
        ),
        run_config=tune.RunConfig(name="tune", storage_path=str(work_folder), verbose=0),
    )
    return [_trial(result) for result in tuner.fit()]


def _trial(result: Any) -> Trial:
    table = result.metrics_dataframe
    scores = [] if table is None or "auroc" not in table else [float(score) for score in table["auroc"]]
    lines = str(result.error or "").strip().splitlines()
    return Trial(
        values=dict(result.config),
        best_auroc=max(scores, default=math.nan),
        last_auroc=scores[-1] if scores else math.nan,
        epochs=len(scores),
        error=lines[-1] if lines else "",
    )


def line_of(trial: Trial) -> str:
    """One line for a person."""
    values = ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in trial.values.items()
    )
    return f"AUROC {trial.best_auroc:.3f} (last {trial.last_auroc:.3f}, {trial.epochs} epochs): {values} {trial.error}"


def write_table(trials: list[Trial], path: Path) -> None:
    """One row per trial, best first."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.values))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([*names, "best_auroc", "last_auroc", "epochs", "error"])
        for trial in trials:
            row = [trial.values.get(name) for name in names]
            writer.writerow([*row, trial.best_auroc, trial.last_auroc, trial.epochs, trial.error])
