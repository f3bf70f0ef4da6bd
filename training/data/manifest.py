"""The data manifest: one row per film with patient, population, labels and sha256; its digest names the data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training import config

# In a label matrix: nobody knows, or the label is uncertain.
UNKNOWN = -1
# In Film.labels: a reader or a text was uncertain.
UNCERTAIN = -1
VERSION = 1
# Of a film's fields: those that say where it was found, and those that the digest sorts by.
NO_FACTS = frozenset({"name", "path", "source", "table", "row"})
Labels = npt.NDArray[np.int8]
Targets = npt.NDArray[np.float32]


class BadData(ValueError):
    """The data cannot be trained on; the text names the file and the remedy."""


@dataclass(frozen=True)
class Film:
    """One film as its source tells of it.

    `labels` holds 1 (present), 0 (absent), -1 (uncertain) or None (unknown) per finding, in the manifest's order.
    `patient` is unique across sources ("nih:61", "kermany:person:447"). `age` is in years, None where not known.
    `view` is PA, AP, LATERAL or None, `sex` F, M or None. `device` is the scanner; `devices` is 1 where tubes, lines or
    pacemakers are seen, 0 where not. `weight` is how much the film counts in the loss. `table` and `row` are where the
    source tells of it; they and `path` are no part of the data's version.
    """

    name: str
    path: Path
    sha256: str
    source: str
    patient: str
    labels: tuple[int | None, ...]
    view: str | None = None
    sex: str | None = None
    age: int | None = None
    study: str | None = None
    site: str | None = None
    device: str | None = None
    devices: int | None = None
    weight: float = 1.0
    table: str = ""
    row: int | None = None


@dataclass(frozen=True)
class LeftOut:
    """A film that is not in the manifest, and why. `fault` is false where it was left out by choice (a lateral)."""

    source: str
    film: str
    reason: str
    table: str = ""
    row: int | None = None
    fault: bool = True

    def __str__(self) -> str:
        where = f"{self.table}, row {self.row}: " if self.row is not None else ""
        return f"{where}{self.film}: {self.reason}"


@dataclass(frozen=True)
class Masked:
    """Labels of one finding made unknown because something other than the film gives them away."""

    source: str
    finding: str
    films: int
    reason: str

    def __str__(self) -> str:
        return f"{self.finding} made unknown in {self.films} films of {self.source}: {self.reason}"


@dataclass(frozen=True)
class Shortcut:
    """How well `attribute` alone tells the films with `finding` from those without, among `films` of known label.

    `auroc` is that of a guess from the attribute, made on other patients; `cramers_v` is bias-corrected. `source` is ""
    where sources are compared. `state`: "masked" (the labels were made unknown), "offset" (the loss takes the sources'
    different rates out), "expected" (a view says how ill a patient is) or "open".
    """

    finding: str
    attribute: str
    source: str
    films: int
    positives: int
    auroc: float
    cramers_v: float
    detail: str
    state: str = "open"

    def __str__(self) -> str:
        where = f" within {self.source}" if self.source else ""
        return (
            f"{self.finding} is given away by {self.attribute}{where}: AUROC {self.auroc:.2f}, Cramér's V "
            f"{self.cramers_v:.2f} over {self.films} films, {self.positives} positive; {self.detail} ({self.state})"
        )


@dataclass(frozen=True)
class Manifest:
    """Films of every source of a recipe, what was left out or masked, and what gives labels away."""

    findings: tuple[str, ...]
    films: tuple[Film, ...]
    left_out: tuple[LeftOut, ...] = ()
    masked: tuple[Masked, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()

    @cached_property
    def digest(self) -> str:
        """sha256 over all that is known of every film but where it lies, in order of name: the data's version."""
        rows = sorted((film.source, film.name, json.dumps(_facts(film))) for film in self.films)
        text = json.dumps([VERSION, self.findings, rows], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def faults(self) -> tuple[LeftOut, ...]:
        """Films left out because something is wrong with them, not by choice."""
        return tuple(each for each in self.left_out if each.fault)

    def without(self, left_out: Sequence[tuple[Film, str]], limit: float) -> Manifest:
        """The manifest less films that turned out to be unreadable; raises BadData above the share `limit`."""
        if not left_out:
            return self
        gone = {(film.source, film.name) for film, _ in left_out}
        more = tuple(LeftOut(film.source, film.name, reason, film.table, film.row) for film, reason in left_out)
        rest = tuple(film for film in self.films if (film.source, film.name) not in gone)
        made = replace(self, films=rest, left_out=(*self.left_out, *more))
        refuse_too_many(made.faults, len(made.films), limit)
        return made


def _facts(film: Film) -> dict[str, Any]:
    facts = {name: value for name, value in vars(film).items() if name not in NO_FACTS}
    return {name: value for name, value in sorted(facts.items()) if value is not None}


def refuse_too_many(faults: Sequence[LeftOut], kept: int, limit: float) -> None:
    """Raise BadData where more than the share `limit` of all films is missing or unreadable."""
    share = len(faults) / max(1, len(faults) + kept)
    if share > limit:
        first = "; ".join(str(fault) for fault in faults[:3])
        raise BadData(
            f"{len(faults)} of {len(faults) + kept} films ({share:.1%}) can't be used, more than data.left_out_share = "
            f"{limit:.1%}. The first: {first}. Mend the data, or raise data.left_out_share in the recipe"
        )


def sha256(path: Path) -> str:
    """sha256 of the file's bytes, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def label_matrix(films: Sequence[Film]) -> Labels:
    """Labels of `films` for evaluation, (N, K): 1, 0, and UNKNOWN for what is unknown or uncertain."""
    rows = [[UNKNOWN if label is None else label for label in film.labels] for film in films]
    return np.array(rows, dtype=np.int8)


def target_matrix(films: Sequence[Film], data: config.Data, findings: Sequence[str]) -> Targets:
    """Targets for the loss, (N, K): 0..1, NaN where unknown; -1 by `data`'s policy for the finding.

    "smoothed" draws from `data.uncertain_smoothed` (U-Ones with label smoothing, Pham et al., Neurocomputing 2021),
    by the film's own bytes, so that a resumed run sees the same targets. Raises BadData for a policy of no finding.
    """
    if strangers := set(data.uncertain_by_finding) - set(findings):
        raise BadData(f"data.uncertain_by_finding names {sorted(strangers)}, which is not among the recipe's findings")
    raw = [[np.nan if label is None else label for label in film.labels] for film in films]
    targets = np.array(raw, dtype=np.float32).reshape(len(films), len(findings))
    low, high = data.uncertain_smoothed
    for k, name in enumerate(findings):
        rows = np.flatnonzero(targets[:, k] == UNCERTAIN)
        match data.uncertain_by_finding.get(name, data.uncertain):
            case "ones":
                targets[rows, k] = 1.0
            case "zeros":
                targets[rows, k] = 0.0
            case "ignore":
                targets[rows, k] = np.nan
            case "smoothed":
                targets[rows, k] = [low + (high - low) * _place(films[row].sha256, name) for row in rows.tolist()]
    return targets


def _place(film: str, finding: str) -> float:
    return int(hashlib.sha256(f"{film}|{finding}".encode()).hexdigest()[:13], 16) / 16**13


def patients_of(films: Sequence[Film]) -> npt.NDArray[np.int64]:
    """An integer per film, (N,), equal for films of the same patient; 0..P-1."""
    return np.unique([film.patient for film in films], return_inverse=True)[1].astype(np.int64)
