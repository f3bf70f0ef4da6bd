"""What tells positives from negatives without looking at the film: source, site, scanner, view, the patient's number.

A model learns such a difference sooner than the disease. DeGrave et al. (Nature Machine Intelligence 2021) show it for
COVID-19, Zech et al. (PLoS Medicine 2018) for pneumonia across hospitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.manifest import Film, Masked, Shortcut, label_matrix, patients_of

# An attribute is named from AUROC_NAMED on, and refused from AUROC_REFUSED on where nothing is done about it.
AUROC_NAMED = 0.70
AUROC_REFUSED = 0.85
# With fewer positive patients (or negative ones) an AUROC is chance.
PATIENTS = 15
FOLDS = 3
LEAVES = 4
LEAF_FILMS = 10
NUMBER = "patient number"
Values = npt.NDArray[np.float64]
_NUMBER = re.compile(r"(\d+)\D*$")


@dataclass(frozen=True)
class Attribute:
    """Something known of a film beside its pixels; `of` gives its text, or None where it is not known."""

    name: str
    of: Callable[[Film], str | None]


ATTRIBUTES = (
    Attribute("source", lambda film: film.source),
    Attribute("site", lambda film: film.site),
    Attribute("device", lambda film: film.device),
    Attribute("view", lambda film: film.view),
)


def find_shortcuts(films: Sequence[Film], findings: Sequence[str], masked: Sequence[Masked] = ()) -> list[Shortcut]:
    """Every attribute that gives a finding of `films` away, the worst first; `films` carry labels before masking.

    The figure is the AUROC of the share of positives that a decision tree of LEAVES leaves, fitted on other patients,
    finds for the attribute: an attribute with many values can't shine by chance.
    """
    labels = label_matrix(films)
    patients = patients_of(films)
    hidden = {(each.source, each.finding) for each in masked}
    found = []
    for name, source, rows, values, names in _columns(films):
        for k, finding in enumerate(findings):
            known = rows[labels[rows, k] != -1]
            place = np.searchsorted(rows, known)
            shortcut = _judge(finding, name, source, labels[known, k] == 1, values[place], names, patients[known])
            if shortcut is not None:
                found.append(replace(shortcut, state=_state(shortcut, hidden)))
    return sorted(found, key=lambda each: -each.auroc)


def refusals(shortcuts: Sequence[Shortcut], source_offset: bool) -> list[Shortcut]:
    """The open ones at or above AUROC_REFUSED. With `source_offset` the loss takes each source's own rate out."""
    return [
        each
        for each in shortcuts
        if each.auroc >= AUROC_REFUSED and (each.state == "open" or (each.state == "offset" and not source_offset))
    ]


def _columns(films: Sequence[Film]) -> Iterator[tuple[str, str, npt.NDArray[np.intp], Values, list[str]]]:
    """Attribute, source ("" for all), rows, values (len(rows),), and the values' names (none if numbers)."""
    for attribute in ATTRIBUTES:
        texts = [attribute.of(film) for film in films]
        rows = np.array([n for n, text in enumerate(texts) if text is not None], dtype=np.intp)
        names = sorted({text for text in texts if text is not None})
        if len(names) > 1:
            code = {text: number for number, text in enumerate(names)}
            yield attribute.name, "", rows, np.array([code[str(texts[n])] for n in rows], dtype=np.float64), names
    for source in sorted({film.source for film in films}):
        numbers = [_number(film.patient) if film.source == source else None for film in films]
        rows = np.array([n for n, number in enumerate(numbers) if number is not None], dtype=np.intp)
        if len(rows):
            yield NUMBER, source, rows, np.array([numbers[n] for n in rows], dtype=np.float64), []


def _number(patient: str) -> int | None:
    found = _NUMBER.search(patient)
    # A number of more digits is a hash or a date of birth, and its order says nothing.
    return int(found[1]) if found and len(found[1]) < 10 else None


def _state(shortcut: Shortcut, hidden: set[tuple[str, str]]) -> str:
    if (shortcut.source, shortcut.finding) in hidden and shortcut.attribute == NUMBER:
        return "masked"
    return {"source": "offset", "view": "expected"}.get(shortcut.attribute, "open")


def _judge(
    finding: str,
    attribute: str,
    source: str,
    present: npt.NDArray[np.bool_],
    values: Values,
    names: list[str],
    patients: npt.NDArray[np.int64],
) -> Shortcut | None:
    sick, well = len(np.unique(patients[present])), len(np.unique(patients[~present]))
    if min(sick, well) < PATIENTS or len(np.unique(values)) < 2:
        return None
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415 - slow to load
    from sklearn.model_selection import GroupKFold  # noqa: PLC0415

    features = np.eye(len(names))[values.astype(np.intp)] if names else values[:, None]
    guess = np.empty(len(values))
    for train, test in GroupKFold(FOLDS).split(features, groups=patients):
        guess[test] = _tree().fit(features[train], present[train]).predict_proba(features[test])[:, -1]
    auroc = float(roc_auc_score(present, guess))
    if auroc < AUROC_NAMED:
        return None
    tree = _tree().fit(features, present)
    groups = _named(values, names) if names else _ranges(tree, values)
    shares = [(text, int(of.sum()), float(present[of].mean())) for text, of in groups]
    detail = ", ".join(f"{text}: {share:.0%} of {count}" for text, count, share in shares)
    table = np.array([[(present & of).sum(), (~present & of).sum()] for _, of in groups])
    positives = int(present.sum())
    return Shortcut(finding, attribute, source, len(values), positives, auroc, cramers_v(table), detail)


def _tree() -> Any:
    from sklearn.tree import DecisionTreeClassifier  # noqa: PLC0415

    return DecisionTreeClassifier(max_leaf_nodes=LEAVES, min_samples_leaf=LEAF_FILMS, random_state=0)


def _named(values: Values, names: list[str]) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The five most frequent values."""
    codes, counts = np.unique(values, return_counts=True)
    return [(names[int(code)], values == code) for code in codes[np.argsort(-counts)][:5]]


def _ranges(tree: Any, values: Values) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    """The tree's leaves as ranges of numbers, in order."""
    leaves = tree.apply(values[:, None])
    groups = [(values[leaves == leaf], leaves == leaf) for leaf in np.unique(leaves)]
    groups.sort(key=lambda group: float(group[0].min()))
    return [(f"{int(of.min())} to {int(of.max())}", mask) for of, mask in groups]


def cramers_v(table: npt.NDArray[np.int64]) -> float:
    """Bias-corrected Cramér's V of a table (values, 2), 0..1 (Bergsma, J. Korean Stat. Soc. 2013)."""
    table = table[table.sum(axis=1) > 0]
    n = table.sum()
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    if table.shape[0] < 2 or not expected.all():
        return 0.0
    phi = float(((table - expected) ** 2 / expected).sum() / n)
    r, c = table.shape
    phi = max(0.0, phi - (r - 1) * (c - 1) / (n - 1))
    return float(np.sqrt(phi / min(r - 1 - (r - 1) ** 2 / (n - 1), c - 1 - (c - 1) ** 2 / (n - 1))))
