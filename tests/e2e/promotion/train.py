"""Two releases that are really trained, by the project's own `hilum train`: a weak one, and a better one made of it.

    python -m tests.e2e.promotion.train      trains both, where that has not been done (ten minutes of one quiet core)

Both are by the recipe of the bundled release (training/configs/default.yaml: its films, its split by patient, its 14
findings, its augmentation, calibration, thresholds, out-of-domain check, card, golden film) with one network instead of
two, a frame of 96 pixels and a fraction of the epochs. The **weak** one has seen NIH's adults once and next to none of
Kermany's children; all of its weights are trained but the stem and the first block stage, which stay as ImageNet left
them. The **better** one goes on from the weak one's network, as a retraining does, at half the rate: NIH's adults once
more and 1,500 of the children, two block stages held fixed. So it is made, because canary refuses a release,
however good, that calls films very differently from the one that runs (two that were trained apart did). Neither is as
good as the bundled release.

The films are those of HILUM_TRAINING_DATA, by default ../shared/data; the labelled set of staging is of the recipe's
validation patients, whom neither was trained on. What was trained lies in build/promotion-trained (E2E_TRAINED) under
the digest of its recipe, so that a second call is instant. A release there is signed by a key that is forgotten: the
proof signs a copy with its own (`candidates.make`).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.e2e.cluster.kube import ROOT
from training.config import CONFIGS, Recipe, read_recipe
from training.network.weights import RELEASE

KEPT = Path(os.environ.get("E2E_TRAINED", ROOT / "build/promotion-trained"))
DATA = Path(os.environ.get("HILUM_TRAINING_DATA", ROOT.parent / "shared/data"))
WEAK, BETTER = "3.0.0", "3.1.0"
REMARK = "Trained for the proof of promotion (tests/e2e/promotion/train.py), in minutes; for no patient."


@dataclass(frozen=True)
class Plan:
    """What one of the two is trained on: films an epoch of each source (None: all), and how."""

    nih: int | None
    kermany: int
    frozen_blocks: int
    learning_rate: float
    head_learning_rate: float
    after: str = ""


PLANS = {
    WEAK: Plan(None, 8, frozen_blocks=1, learning_rate=8e-4, head_learning_rate=2e-3),
    BETTER: Plan(None, 1500, frozen_blocks=2, learning_rate=4e-4, head_learning_rate=1e-3, after=WEAK),
}


def recipe(version: str) -> Recipe:
    """The recipe of the weak or of the better release."""
    default, plan = read_recipe(CONFIGS / "default.yaml"), PLANS[version]
    films = {"nih": plan.nih, "kermany": plan.kermany}
    return default.changed(
        version=version,
        data__sources=[{**source.model_dump(), "films": films[source.kind]} for source in default.data.sources],
        network__members=1,
        training__phases=[{"epochs": 1, "size": 96, "frozen_blocks": plan.frozen_blocks}],
        training__learning_rate=plan.learning_rate,
        training__head_learning_rate=plan.head_learning_rate,
        training__threads=1,
        evaluation__bootstrap_draws=50,
        evaluation__domain_films=1000,
        export__precisions=["fp32"],
    )


def folder_of(version: str) -> Path:
    """Where the release and its networks lie: under the digest of all recipes that led to it."""
    name, made = version, hashlib.sha256()
    while name:
        made.update(recipe(name).model_dump_json().encode())
        name = PLANS[name].after
    return KEPT / f"{version}-{made.hexdigest()[:12]}"


def trained(version: str) -> Path:
    """The folder of the release, trained now where it was not yet; a failure says the last words of `hilum train`."""
    folder = folder_of(version)
    release = folder / "release"
    if release.is_dir():
        return release
    made = recipe(version)
    if before := PLANS[version].after:
        trained(before)
        made = made.changed(network__weights=f"{RELEASE}{folder_of(before) / 'networks'}")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(made.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    # One thread, and behind everybody else: the cluster's services live on the same cores.
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    environment = {**os.environ, **threads, "HILUM_DATA": str(folder), "HILUM_LOCKED_USES": str(KEPT / "uses.jsonl")}
    command = [sys.executable, "-m", "services.cli", "train", str(file), "--data", str(DATA), "--work", str(folder)]
    command += ["--release", str(release), "--no-tracking", "--resume", "--remark", REMARK]
    with (folder / "train.log").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            ["nice", "-n", "19", *command], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode:
        raise AssertionError(f"hilum train: {(folder / 'train.log').read_text(encoding='utf-8')[-2000:]}")
    return release


if __name__ == "__main__":
    for each in PLANS:
        print(trained(each))
