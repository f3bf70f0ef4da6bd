"""The findings that Hilum knows, their codes, and how data sets' labels relate to them.

This is a dictionary, not an order: which findings a model scores, and in which order, is said by its release alone.
The facts stand in `findings.toml` beside this file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources


class UnknownFinding(ValueError):
    """A name that is not in the dictionary."""


class Relation(StrEnum):
    """How a data set's label relates to a finding."""

    EXACT = "exact"
    BROADER = "broader"
    NARROWER = "narrower"


@dataclass(frozen=True)
class Code:
    """A coded concept. `scheme` is a DICOM coding scheme designator: SCT, RADLEX or 99HILUM."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Finding:
    """One thing that can be seen on a chest film."""

    name: str
    code: Code
    acute: bool = False
    absence: bool = False


@dataclass(frozen=True)
class LabelRelation:
    """What a label of a data set says of a finding."""

    dataset: str
    label: str
    finding: str
    relation: Relation


@dataclass(frozen=True)
class _Dictionary:
    findings: dict[str, Finding]
    labels: dict[str, tuple[str, ...]]
    relations: tuple[LabelRelation, ...]


@cache
def _dictionary() -> _Dictionary:
    text = resources.files(__package__).joinpath("findings.toml").read_text(encoding="utf-8")
    raw = tomllib.loads(text)
    findings = {
        name: Finding(
            name,
            Code(entry["code"], entry["scheme"], entry["meaning"]),
            acute=entry.get("acute", False),
            absence=entry.get("absence", False),
        )
        for name, entry in raw["findings"].items()
    }
    labels = {name: tuple(entry["labels"]) for name, entry in raw["datasets"].items()}
    stated = tuple(
        LabelRelation(r["dataset"], r["label"], r["finding"], Relation(r["relation"])) for r in raw["relations"]
    )
    renamed = {(r.dataset, r.label) for r in stated if r.relation is Relation.EXACT}
    implied = tuple(
        LabelRelation(dataset, label, label, Relation.EXACT)
        for dataset, names in labels.items()
        for label in names
        if label in findings and (dataset, label) not in renamed
    )
    return _Dictionary(findings, labels, implied + stated)


def finding(name: str) -> Finding:
    """Return the finding called `name`; raises UnknownFinding."""
    try:
        return _dictionary().findings[name]
    except KeyError:
        raise UnknownFinding(f"'{name}' is not a finding that hilum/findings/findings.toml names") from None


def known_findings() -> tuple[str, ...]:
    """Every name in the dictionary, without an order that means anything."""
    return tuple(_dictionary().findings)


def dataset_labels(dataset: str) -> tuple[str, ...]:
    """Labels of `dataset` ("nih", "chexpert", "kermany") in its own column order; raises UnknownFinding."""
    try:
        return _dictionary().labels[dataset]
    except KeyError:
        raise UnknownFinding(f"no data set '{dataset}' in hilum/findings/findings.toml") from None


def relations(dataset: str) -> tuple[LabelRelation, ...]:
    """What the labels of `dataset` say of findings; only exact ones merge with another data set's labels."""
    return tuple(r for r in _dictionary().relations if r.dataset == dataset)


def exact_finding(dataset: str, label: str) -> str | None:
    """The finding that `label` of `dataset` names exactly, or None where it is broader, narrower or unknown."""
    exact = (r.finding for r in relations(dataset) if r.label == label and r.relation is Relation.EXACT)
    return next(exact, None)
