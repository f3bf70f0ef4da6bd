"""The new release against the one in production, on the same locked films, each population by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hilum.release import Release
from training.data.manifest import UNKNOWN, Film, label_matrix, patients_of
from training.data.shards import FrameStore
from training.evaluate.compare import compare
from training.evaluate.comparison import Comparison, Plan, Verdict
from training.evaluate.film_set import COMPOSITE, Scored, critical_labels
from training.evaluate.scores import open_session, score


class NotComparable(ValueError):
    """The two releases can't be judged on these films; the text says why and what to do."""


@dataclass(frozen=True)
class Judgement:
    """`verdict` rests on the first population; a failure in another counts too, too few films there do not."""

    verdict: Verdict
    reason: str
    populations: dict[str, Comparison]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        found = {name: comparison.to_json() for name, comparison in self.populations.items()}
        return {"verdict": self.verdict, "reason": self.reason, "populations": found}


def check_split(base: Release, salt: str) -> None:
    """Raise NotComparable where the base was trained on other patients than the new one: its films would be known."""
    report = json.loads(base.read(base.manifest.evaluation))
    used = report.get("recipe", {}).get("split", {}).get("salt", report.get("recipe", {}).get("salt"))
    if used is not None and used != salt:
        raise NotComparable(
            f"{base.manifest.name} {base.manifest.version} was split with salt '{used}', the recipe says '{salt}': "
            "locked films of one are training films of the other. Give the recipe the base's salt"
        )


def scored(release: Release, films: Sequence[Film], store: FrameStore) -> Scored:
    """Logits of the release's default precision on `films`, whose frames `store` has in the release's size."""
    variant = release.manifest.variant(release.manifest.default_precision)
    session = open_session(release.path(variant))
    frames = np.asarray(store.frames(films))
    return Scored(films, variant.findings, score(session, frames, release.manifest.input).logits)


def judge(base: Scored, new: Scored, populations: Sequence[str], margin: float, draws: int) -> Judgement:
    """Compare on the films of each source named in `populations`, the first decisive. Raises NotComparable."""
    found: dict[str, Comparison] = {}
    for name in populations:
        keep = [n for n, film in enumerate(base.films) if film.source == name]
        if keep:
            try:
                found[name] = _compare(_part(base, keep), _part(new, keep), margin, draws)
            except ValueError as error:
                if name == populations[0]:
                    raise NotComparable(f"{name}: {error}") from error
    if populations[0] not in found:
        raise NotComparable(f"no locked film is of '{populations[0]}': there is nothing to judge on")
    failed = [name for name, comparison in found.items() if comparison.verdict == "fail"]
    if failed:
        return Judgement("fail", f"{failed[0]}: {found[failed[0]].reason}", found)
    first = found[populations[0]]
    return Judgement(first.verdict, f"{populations[0]}: {first.reason}", found)


def _part(whole: Scored, keep: list[int]) -> Scored:
    return Scored([whole.films[n] for n in keep], whole.specs, whole.logits[keep])


def _compare(base: Scored, new: Scored, margin: float, draws: int) -> Comparison:
    theirs, ours = ([spec.name for spec in each.specs] for each in (base, new))
    # Labels stand in the order of the new release, whose recipe read them.
    labels = label_matrix(new.films)
    shared = [name for name in ours if name in theirs]
    if not shared:
        raise NotComparable("the two releases share no finding")
    columns = [ours.index(name) for name in shared]
    critical = critical_labels(new.specs, labels)
    a = np.column_stack([base.logits[:, [theirs.index(name) for name in shared]], base.criticality])
    b = np.column_stack([new.logits[:, columns], new.criticality])
    known = np.column_stack([labels[:, columns], critical])
    names = (*shared, COMPOSITE)
    finite = np.isfinite(a).all(axis=0) & np.isfinite(b).all(axis=0)
    known[:, ~finite] = UNKNOWN
    plan = Plan(names, margin=margin, finding_margin=max(margin, 0.05), draws=draws)
    return compare(np.nan_to_num(a), np.nan_to_num(b), known, patients_of(new.films), plan)
