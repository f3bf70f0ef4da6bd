"""How well the source of a film can be guessed from its scores; what a model knows of it may be its shortcut.

Two populations that differ in age and disease are told apart by an honest model too, so this is no gate: a high
figure for the score of one finding alone is the one to look into.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
FEWEST_PATIENTS = 20


def guess(logits: Array, is_one: npt.NDArray[np.bool_], patients: Places, seed: int = 3) -> float | None:
    """AUROC with which a logistic regression on `logits` (N, K) tells one source, learnt and judged on other patients.

    None where either half of the patients lacks a source.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    half = (np.random.default_rng(seed).random(int(patients.max()) + 1) < 0.5)[patients]
    if any(len(np.unique(is_one[part])) < 2 for part in (half, ~half)):
        return None
    centre, spread = logits[half].mean(axis=0), logits[half].std(axis=0) + 1e-9
    judge = LogisticRegression(max_iter=2000).fit((logits[half] - centre) / spread, is_one[half])
    found = roc_auc_score(is_one[~half], judge.decision_function((logits[~half] - centre) / spread))
    return round(float(found), 4)


def report(logits: Array, sources: Sequence[str], patients: Places, names: Sequence[str]) -> dict[str, Any]:
    """For each pair of sources with enough patients: the guess from all scores, and from each finding's score alone."""
    source = np.asarray(sources)
    large = [s for s in sorted(set(sources)) if len(np.unique(patients[source == s])) >= FEWEST_PATIENTS]
    answer: dict[str, Any] = {}
    for one, other in combinations(large, 2):
        among = np.isin(source, (one, other))
        place = np.unique(patients[among], return_inverse=True)[1]
        is_one = source[among] == one
        answer[f"{one} or {other}"] = {
            "from_all_scores": guess(logits[among], is_one, place),
            "from_one_score": {name: guess(logits[among][:, [k]], is_one, place) for k, name in enumerate(names)},
        }
    return answer
