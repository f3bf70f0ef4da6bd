"""Which findings a recipe trains, and whether the films can teach them."""

from __future__ import annotations

from collections.abc import Sequence

from hilum.findings import UnknownFinding, dataset_labels, exact_finding, finding
from training.config import Data
from training.data.manifest import BadData, Film, label_matrix


def dataset_findings(dataset: str) -> tuple[str, ...]:
    """The findings of `dataset` in its column order, by Hilum's names, without the absence.

    Raises BadData where a label has no exact finding.
    """
    names = []
    for label in dataset_labels(dataset):
        name = exact_finding(dataset, label)
        if name is None:
            raise BadData(f"{dataset}'s label '{label}' names no finding of hilum/findings exactly")
        if not finding(name).absence:
            names.append(name)
    return tuple(names)


def nih_findings() -> tuple[str, ...]:
    """The 14 findings in NIH's column order, by Hilum's names."""
    return dataset_findings("nih")


def findings_of(data: Data) -> tuple[str, ...]:
    """The recipe's findings in order; raises BadData for an unknown name, a repeated one, or the absence."""
    if isinstance(data.findings, str):
        return dataset_findings(data.findings)
    for name in data.findings:
        try:
            if finding(name).absence:
                raise BadData(f"data.findings: '{name}' is the absence of findings, never a finding")
        except UnknownFinding as error:
            raise BadData(f"data.findings: {error}") from error
    if len(set(data.findings)) < len(data.findings) or not data.findings:
        raise BadData("data.findings: name each finding once, and at least one")
    return data.findings


def check_findings(train: Sequence[Film], data: Data, findings: Sequence[str]) -> None:
    """Raise BadData naming every finding that the training films can't teach: no positives, or too few negatives."""
    labels = label_matrix(train).reshape(len(train), len(findings))
    poor = []
    for k, name in enumerate(findings):
        positives, negatives = int((labels[:, k] == 1).sum()), int((labels[:, k] == 0).sum())
        if positives < data.minimum_positives:
            poor.append(f"{name} has {positives} positive training films, fewer than {data.minimum_positives}")
        if negatives < data.minimum_negatives:
            poor.append(f"{name} has {negatives} known negative training films, fewer than {data.minimum_negatives}")
    if poor:
        raise BadData(
            "; ".join(poor) + ": add a source that knows them, leave them out of data.findings, or change "
            "data.minimum_positives or data.minimum_negatives"
        )
