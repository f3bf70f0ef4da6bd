"""`python -m training.default`: train, calibrate, evaluate and write the bundled release (`make train-default`)."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.console import Console

from hilum.release import BadRelease, InputSpec, Release
from training.config import CONFIGS, BadRecipe, Recipe, read_recipe
from training.data import BadData
from training.data.prepare import prepare
from training.fit.loop import TrainingSet
from training.fit.members import MemberFailed, train_members
from training.network.film_net import Ensemble, NoWeights
from training.progress import Bars, summary
from training.release.bundle import Origin, Part, build, signing_key, trust

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class RunPaths:
    """Where a run reads and writes: data folder, release folder, list of trusted keys."""

    data: Path
    release: Path
    trusted_keys: Path


DATA_SETTING = "HILUM_TRAINING_DATA"


def commit() -> str:
    """The repository's commit, or "unknown" outside one."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def train_release(recipe: Recipe, paths: RunPaths, console: Console) -> Release:
    """Films in `paths.data` to a signed release in `paths.release`; the public key goes to `paths.trusted_keys`."""
    created = datetime.now(UTC)
    key = signing_key()
    with Bars(console) as bars, tempfile.TemporaryDirectory() as store:
        prepared = prepare(recipe, paths.data, Path(store), bars.add, console.print)
        findings = prepared.manifest.findings
        parts = {name: Part(part.films, np.asarray(part.frames)) for name, part in prepared.parts.items()}
        data = TrainingSet.of(parts["train"].films, parts["train"].frames)
        spec = InputSpec(height=recipe.data.input_size, width=recipe.data.input_size)
        with tempfile.TemporaryDirectory() as scratch:
            networks = train_members(data, recipe, spec.min_std, Path(scratch), bars.member)
        origin = Origin(
            run=f"{recipe.name}-{recipe.version}-{created:%Y%m%dT%H%M%SZ}",
            commit=commit(),
            created=created.isoformat(timespec="seconds"),
            data_digest=prepared.manifest.digest,
        )
        network = Ensemble(networks, recipe.size, recipe.data.input_size)
        scored = {name: len(part.films) for name, part in parts.items()}
        scored["train"] = min(scored["train"], recipe.evaluation.domain_films)
        release = build(recipe, network, findings, parts, origin, key, paths.release, bars.stage(scored))
    trust(key, paths.trusted_keys)
    return release


def main(arguments: list[str] | None = None) -> int:
    """Command line; 2 where the data, the recipe or the weights are wrong."""
    parser = argparse.ArgumentParser(prog="python -m training.default", description=__doc__)
    parser.add_argument(
        "--recipe", type=Path, default=CONFIGS / "default.yaml", help="a YAML file, as in training/configs"
    )
    parser.add_argument("--tiny", action="store_true", help="a few steps of a small network: proves the path")
    parser.add_argument("--data", type=Path, help=f"folder with nih128/ and kermany224/ (else {DATA_SETTING})")
    parser.add_argument("--release", type=Path, default=ROOT / "models" / "default", help="folder to write")
    parser.add_argument("--trusted-keys", type=Path, default=ROOT / "models" / "trusted-keys.txt")
    chosen = parser.parse_args(arguments)
    console = Console()
    data = chosen.data or Path(os.environ.get(DATA_SETTING, ROOT.parent / "shared" / "data"))
    if chosen.tiny and chosen.release == ROOT / "models" / "default":
        console.print("--tiny asks for --release and --trusted-keys of its own: it would replace the bundled release")
        return 2
    try:
        recipe = read_recipe(CONFIGS / "tiny.yaml" if chosen.tiny else chosen.recipe)
        release = train_release(recipe, RunPaths(data, chosen.release, chosen.trusted_keys), console)
    except (BadData, BadRecipe, BadRelease, NoWeights, MemberFailed) as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True)
        return 2
    console.print(summary(release))
    return 0


if __name__ == "__main__":
    sys.exit(main())
