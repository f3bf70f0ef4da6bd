"""What `hilum evaluate` and `hilum compare` do."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hilum.release import Release
from training.config import Recipe, read_recipe
from training.data.manifest import BadData
from training.evaluate import locked
from training.evaluate.compare import compare
from training.evaluate.comparison import Comparison, Plan
from training.evaluate.film_set import with_composite
from training.evaluate.held import (
    Kept,
    held_films,
    in_order,
    keep,
    open_release,
    same_split,
    score_films,
    variant_sha256,
)
from training.evaluate.page import page, span
from training.evaluate.report import Report
from training.evaluate.report import evaluate as report_of
from training.running import DATA_SETTING, ROOT, recipe_file


@dataclass(frozen=True)
class Asked:
    """One call of `hilum evaluate`."""

    release: Path
    recipe: str
    split: str
    data: Path | None = None
    precision: str = "fp32"
    out: Path = Path("evaluation")
    draws: int = 1000
    again: bool = False
    why: str = ""


def carry_out(asked: Asked, console: Console) -> Report:
    """Score, judge and write; the use of locked films stands in the ledger before the first is scored.

    Raises BadRelease, BadRecipe, BadData, LockedUsed or BadLedger.
    """
    release = open_release(asked.release)
    recipe: Recipe = read_recipe(recipe_file(asked.recipe))
    same_split(release, recipe)
    variant = variant_sha256(release, asked.precision)
    folder = asked.data or Path(os.environ.get(DATA_SETTING, ROOT.parent / "shared" / "data"))
    manifest = held_films(recipe, folder, asked.split)
    films = in_order(manifest.films, manifest.findings, release.findings)
    data, name = locked.data_digest(films), _name(release)
    if asked.split == "locked":
        locked.use(locked.ledger_path(), name, variant, data, "hilum evaluate", asked.why, asked.again)
    scored = score_films(release, asked.precision, films)
    report = report_of(scored, release.findings, asked.draws)
    facts = {
        "release": name,
        "release_digest": release.digest,
        "precision": asked.precision,
        "variant": variant,
        "split": asked.split,
        "data": data,
        "critical_margin": release.manifest.variant(asked.precision).critical_margin,
    }
    asked.out.mkdir(parents=True, exist_ok=True)
    keep(scored, facts, asked.out / "scores.npz")
    text = json.dumps({**report, "of": facts}, indent=1)
    (asked.out / "evaluation.json").write_text(text + "\n", encoding="utf-8")
    about = {
        "release": f"{name}, {asked.precision}",
        "digest": release.digest,
        "films": f"{asked.split} split",
        "data": data,
    }
    (asked.out / "evaluation.html").write_text(page(report, f"{name}: evaluation", about), encoding="utf-8")
    for source, population in report["populations"].items():
        console.print(
            f"{source}: {population['films']} films of {population['patients']} patients, mean AUROC "
            f"{span(population['mean_auroc'])}, critical composite {span(population['critical_composite']['auroc'])}",
            highlight=False,
        )
    if faults := manifest.faults:
        console.print(f"{len(faults)} films were left out because of a fault, the first: {faults[0]}", highlight=False)
    console.print(f"report: {asked.out / 'evaluation.html'}", highlight=False)
    return report


def _name(release: Release) -> str:
    return f"{release.manifest.name} {release.manifest.version}"


def compare_kept(reference: Kept, candidate: Kept, source: str | None, margin: float = 0.02) -> Comparison:
    """Compare two files of scores on the films that both hold; raises BadData where these are not the same films."""
    one, two = reference.scored, candidate.scored
    if [film.sha256 for film in one.films] != [film.sha256 for film in two.films]:
        raise BadData("the two files hold scores of different films: score both releases on the same split and data")
    if [spec.name for spec in one.specs] != [spec.name for spec in two.specs]:
        raise BadData("the two releases have other findings, or another order: they can't be compared column by column")
    sources = sorted({film.source for film in one.films})
    if source is None and len(sources) > 1:
        raise BadData(f"populations are not pooled; name one by --source: {', '.join(sources)}")
    if source is not None and source not in sources:
        raise BadData(f"no film of source '{source}'; there are {', '.join(sources)}")
    parts = [s.where(lambda film: source is None or film.source == source) for s in (one, two)]
    names, scores_a, labels = with_composite(parts[0])
    _, scores_b, _ = with_composite(parts[1])
    return compare(scores_a, scores_b, labels, parts[0].patients, Plan(names, margin=margin))
