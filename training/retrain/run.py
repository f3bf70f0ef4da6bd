"""`hilum retrain` from end to end: reads, training, judgement, registration."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hilum.release import Release, read_release
from training.config import Recipe
from training.data.findings import findings_of
from training.data.place import store_folder
from training.data.prepare import read_and_decode
from training.data.shards import FrameStore
from training.data.split import split_films
from training.evaluate import locked
from training.pipeline import RunPaths, train
from training.registry import make_candidate, register
from training.retrain.judge import Judgement, check_split, judge, scored
from training.retrain.reads import load_reads, new_reads
from training.retrain.source import Staged, stage
from training.tracking import JournalTracker, Place, tracked
from training.tracking.place import client

# Exit statuses, for a CronJob: 0 registered, the others below; 1 is a fault of ours.
REGISTERED, WRONG_INPUT, NOT_BETTER, TOO_FEW_READS = 0, 2, 3, 4


@dataclass(frozen=True)
class Wanted:
    """One retraining. `films` holds the films that the reads name; `warm_start` a run's checkpoints."""

    recipe: Recipe
    feedback: str
    films: Path
    base: Release
    data: Path
    work: Path
    trusted: frozenset[str] | None = None
    store: Path | None = None
    warm_start: Path | None = None
    minimum_reads: int = 100
    margin: float = 0.02
    candidate: bool = False
    resume: bool = False


@dataclass(frozen=True)
class Outcome:
    """How it ended: exit status, a sentence, and what was measured."""

    status: int
    sentence: str
    report: dict[str, Any]


def retrain(wanted: Wanted, where: Place, console: Console) -> Outcome:
    """Train on base data and reads, compare with the base release, register what is not worse.

    Raises BadData, BadRecipe, NotComparable, TrackingUnavailable, NotRegistered and the pipeline's errors, each with
    the remedy; nothing is registered then.
    """
    say = _printer(console)
    check_split(wanted.base, wanted.recipe.split.salt)
    reads = load_reads(wanted.feedback)
    new = new_reads(reads, wanted.base)
    report: dict[str, Any] = {"base": wanted.base.digest, "reads": len(reads), "new_reads": len(new)}
    if len(new) < wanted.minimum_reads:
        return _told(
            wanted,
            Outcome(
                TOO_FEW_READS,
                f"{len(new)} new reads since {wanted.base.manifest.name} {wanted.base.manifest.version} of "
                f"{wanted.base.manifest.created}, {wanted.minimum_reads} are asked for: nothing is trained",
                report,
            ),
        )
    findings = findings_of(wanted.recipe.data)
    staged = stage(reads, wanted.films, wanted.recipe, findings, wanted.work / "feedback")
    report["feedback"] = staged.to_json()
    say(_about(staged))
    recipe = extended(wanted.recipe, staged, wanted.warm_start)
    paths = RunPaths(data=wanted.data, work=wanted.work, release=wanted.work / "release", store=wanted.store)
    title = f"retrain {recipe.name} {recipe.version}"
    with tracked(title, recipe.name, where, work=wanted.work, resume=wanted.resume, say=say) as tracker:
        tracker.tags({"hilum.kind": "retrain", "hilum.base": wanted.base.digest})
        train(recipe, paths, console, tracker, resume=wanted.resume)
        # Read back from disk: what is judged is what would be registered.
        release = read_release(paths.release)
        judgement = _judge(wanted, recipe, release)
        report |= {"release": release.digest, "judgement": judgement.to_json()}
        _tell(tracker, report, judgement)
        run_id = tracker.run_id
    for comparison in judgement.populations.values():
        say(comparison.text())
    title = f"{release.manifest.name} {release.manifest.version}"
    if judgement.verdict != "pass":
        sentence = f"{title} is not registered: {judgement.verdict}, {judgement.reason}"
        return _told(wanted, Outcome(NOT_BETTER, sentence, report))
    made = client(where)
    more = {"hilum.base": wanted.base.digest, "hilum.verdict": judgement.reason[:500]}
    done = register(made, where, release, run_id, more)
    if wanted.candidate:
        make_candidate(made, done.version, None)
    sentence = f"{title} is registered, number {done.version.number}{', and the candidate' if wanted.candidate else ''}"
    return _told(wanted, Outcome(REGISTERED, f"{sentence}: {judgement.reason}", report))


def extended(recipe: Recipe, staged: Staged, warm_start: Path | None) -> Recipe:
    """The recipe with the reads as a further source, from the base's weights where they are at hand."""
    sources = [*(source.model_dump() for source in recipe.data.sources), staged.source.model_dump()]
    recipe = recipe.changed(data__sources=sources)
    return recipe if warm_start is None else recipe.changed(network__weights=f"release:{warm_start.absolute()}")


def _judge(wanted: Wanted, recipe: Recipe, release: Release) -> Judgement:
    """Both releases on the locked films, and both uses written down."""
    where = wanted.store or store_folder()
    manifest, store = read_and_decode(recipe, wanted.data, where)
    films = split_films(manifest.films, recipe.split)["locked"]
    data = locked.data_digest(films)
    why = f"hilum retrain: {release.manifest.version} against {wanted.base.manifest.version}"
    for each in (wanted.base, release):
        variant = each.manifest.variant(each.manifest.default_precision)
        title = f"{each.manifest.name} {each.manifest.version}"
        digest = each.manifest.files[variant.file]
        locked.use(locked.ledger_path(), title, digest, data, "hilum retrain", why, again=True)
    base_size = wanted.base.manifest.input.height
    base_store = store if base_size == store.size else FrameStore(where, base_size)
    base_store.build(films)
    populations = list(dict.fromkeys(source.title for source in recipe.data.sources))
    return judge(
        scored(wanted.base, films, base_store),
        scored(release, films, store),
        populations,
        wanted.margin,
        recipe.evaluation.bootstrap_draws if recipe.evaluation.bootstrap_draws >= 100 else 100,
    )


def _tell(tracker: JournalTracker, report: dict[str, Any], judgement: Judgement) -> None:
    tracker.tags({"hilum.verdict": judgement.verdict})
    for name, comparison in judgement.populations.items():
        for each in comparison.primary:
            tracker.metrics({f"difference/{name}/{each.name}": each.difference})
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "retrain.json"
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        tracker.artifact(path)


def _told(wanted: Wanted, outcome: Outcome) -> Outcome:
    wanted.work.mkdir(parents=True, exist_ok=True)
    told = {"status": outcome.status, "sentence": outcome.sentence, **outcome.report}
    (wanted.work / "retrain.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return outcome


def _about(staged: Staged) -> str:
    pairs = [f"{name} {each['agreement']} over {each['pairs']} pairs" for name, each in staged.agreement.items()]
    return (
        f"{staged.films} read films: {staged.training} for training (mean weight {staged.weight}), {staged.judged} to "
        f"judge on by blind reads, {staged.shown_only} left out (held-out patients without a blind read); "
        f"{staged.uncertain_labels} labels uncertain; readers' agreement: {', '.join(pairs)}"
    )


def _printer(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, highlight=False, soft_wrap=True)
