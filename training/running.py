"""What `hilum train` does: defaults filled in, the run followed, every expected error one line and exit status 2."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hilum.release import BadRelease, Release, read_release
from training.config import CONFIGS, BadRecipe, Recipe, read_recipe
from training.data import BadData
from training.evaluate import locked
from training.fit.loop import LossNotFinite, Resume
from training.fit.networks import TrainingFailed
from training.network.weights import NoWeights
from training.pipeline import OtherRun, RunPaths, train
from training.progress import summary
from training.registry import make_candidate, register
from training.registry.errors import NotRegistered
from training.tracking import NullTracker, Tracker, TrackingUnavailable, place, tracked
from training.tracking.place import client

ROOT = Path(__file__).resolve().parent.parent
DATA_SETTING = "HILUM_TRAINING_DATA"
# What a person can mend: said in one line. Anything else is a fault of ours and shows its traceback.
EXPECTED = (
    BadData,
    BadRecipe,
    BadRelease,
    LossNotFinite,
    locked.BadLedger,
    locked.LockedUsed,
    NoWeights,
    NotRegistered,
    OtherRun,
    TrackingUnavailable,
    TrainingFailed,
)


@dataclass(frozen=True)
class Wanted:
    """One call of `hilum train`."""

    recipe: str
    data: Path | None = None
    work: Path | None = None
    release: Path | None = None
    trusted_keys: Path | None = None
    store: Path | None = None
    resume: Resume = "no"
    offline: bool = False
    tracking: bool = True
    profile: bool = False
    register: bool = False
    candidate: bool = False
    networks: Path | None = None
    remark: str = ""


def recipe_file(name: str) -> Path:
    """The file of a recipe: `name` itself where it is one, else that of training/configs; raises BadRecipe."""
    path = Path(name)
    if path.is_file():
        return path
    bundled = CONFIGS / f"{path.name.removesuffix('.yaml')}.yaml"
    if bundled.is_file():
        return bundled
    known = ", ".join(sorted(file.stem for file in CONFIGS.glob("*.yaml") if is_recipe(file)))
    raise BadRecipe(f"there is no recipe {name}; a file, or one of {known}")


def is_recipe(file: Path) -> bool:
    """Whether `file` reads as a recipe; other settings stand beside them."""
    try:
        read_recipe(file)
    except BadRecipe:
        return False
    return True


def run_paths(recipe: Recipe, wanted: Wanted) -> RunPaths:
    """The folders of a run, by what was asked for and where nothing was."""
    data = wanted.data or Path(os.environ.get(DATA_SETTING, ROOT.parent / "shared" / "data"))
    work = wanted.work or Path(os.environ.get("HILUM_DATA", "data")) / "runs" / f"{recipe.name}-{recipe.version}"
    return RunPaths(
        data=data,
        work=work,
        release=wanted.release or work / "release",
        trusted_keys=wanted.trusted_keys or (None if wanted.release else work / "trusted-keys.txt"),
        store=wanted.store,
    )


@contextlib.contextmanager
def follower(recipe: Recipe, paths: RunPaths, wanted: Wanted, console: Console) -> Iterator[Tracker]:
    """The run's tracker: MLflow, a journal on disk, or nobody."""
    if not wanted.tracking:
        yield NullTracker()
        return
    with tracked(
        f"{recipe.name}-{recipe.version}",
        recipe.name,
        place(),
        offline=wanted.offline,
        work=paths.work,
        resume=wanted.resume != "no",
        say=lambda text: console.print(text, highlight=False, soft_wrap=True),
    ) as tracker:
        yield tracker


def count_locked_uses() -> None:
    """Uses of locked films go to the data folder's own list, unless HILUM_LOCKED_USES names another.

    The repository's list (docs/locked-uses.jsonl) is that of the bundled release: `make train-default` names it.
    """
    os.environ.setdefault(locked.SETTING, str(Path(os.environ.get("HILUM_DATA", "data")) / "locked-uses.jsonl"))


def carry_out(wanted: Wanted, console: Console | None = None) -> int:
    """Run it; 0 when a release stands, 2 where recipe, data, weights or MLflow are wrong (said in one line)."""
    console = console or Console()
    count_locked_uses()
    try:
        if wanted.register and (wanted.offline or not wanted.tracking):
            raise BadRecipe(
                "--register needs MLflow now: leave --offline and --no-tracking out, or register later by "
                "`hilum release register`"
            )
        recipe = read_recipe(recipe_file(wanted.recipe))
        paths = run_paths(recipe, wanted)
        with follower(recipe, paths, wanted, console) as tracker:
            release = train(
                recipe,
                paths,
                console,
                tracker,
                resume=wanted.resume,
                profile=wanted.profile,
                networks=wanted.networks,
                remark=wanted.remark,
            )
            run_id = tracker.run_id if wanted.tracking and not wanted.offline else None
        console.print(summary(release))
        console.print(f"release: {paths.release}", highlight=False, soft_wrap=True)
        if wanted.register:
            _register(release, paths, wanted.candidate, run_id, console)
    except EXPECTED as error:
        console.print(f"[red]{type(error).__name__}[/red]: {error}", soft_wrap=True, highlight=False)
        return 2
    return 0


def _register(release: Release, paths: RunPaths, candidate: bool, run_id: str | None, console: Console) -> None:
    """Verify what was written, register it into the training's run, and ask for its promotion where wanted."""
    from hilum.release.signing import read_trusted  # noqa: PLC0415

    trusted = read_trusted(paths.trusted_keys) if paths.trusted_keys else frozenset({release.signed_by or ""})
    verified = read_release(release.folder, trusted)
    where = place()
    made = client(where)
    done = register(made, where, verified, run_id)
    console.print(
        f"registered: {done.version.name} {done.version.version}, number {done.version.number} at {where.shown}",
        highlight=False,
        soft_wrap=True,
    )
    if candidate:
        make_candidate(made, done.version, trusted)
        console.print(f"{done.version.name} {done.version.version} has the alias candidate", highlight=False)
