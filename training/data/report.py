"""The data report: one HTML file that says what a model is about to learn from. It holds films: keep it like films."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from training.config import Recipe
from training.data import figures
from training.data.duplicates import NearPair, find_duplicates
from training.data.manifest import Film, label_matrix
from training.data.place import write_whole
from training.data.prepare import Prepared, SplitPart
from training.data.split import SPLITS

TEMPLATE = Path(__file__).with_name("report.html")
# How many of each are shown; all are counted.
PAIRS, ROWS, SAMPLES = 12, 40, 3


@dataclass(frozen=True)
class Shown:
    """A film on the page."""

    url: str
    caption: str
    detail: str


def write_report(prepared: Prepared, recipe: Recipe, path: Path) -> list[NearPair]:
    """Write the report to `path`; returns the near-duplicates it found. Raises BadData where it can't be written."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - slow to load

    parts = prepared.parts
    pairs = find_duplicates(
        {name: part.films for name, part in parts.items()}, {name: part.frames for name, part in parts.items()}
    )
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template(TEMPLATE.name).render(_facts(prepared, recipe, pairs))
    write_whole(path, page.encode())
    return pairs


def _facts(prepared: Prepared, recipe: Recipe, pairs: list[NearPair]) -> dict[str, Any]:
    manifest, parts = prepared.manifest, prepared.parts
    films = manifest.films
    sources = sorted({film.source for film in films})
    return {
        "recipe": recipe,
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "manifest": manifest,
        "splits": SPLITS,
        "patients": len({film.patient for film in films}),
        "sources": [_source(films, source) for source in sources],
        "totals": {name: (len(p.films), len({f.patient for f in p.films})) for name, p in parts.items()},
        "counts": _counts(parts, manifest.findings),
        "uncertain": _uncertain(films, manifest.findings),
        "co_occurrence": figures.co_occurrence(films, manifest.findings),
        "ages": figures.ages(films, sources),
        "populations": [(name, figures.shares(films, sources, name)) for name in _told(films)],
        "samples": _samples(parts["train"], manifest.findings),
        "left_out": Counter((each.source, _kind(each.reason), each.fault) for each in manifest.left_out).most_common(),
        "faults": manifest.faults[:ROWS],
        "pairs": pairs,
        "leaks": sum(pair.leaks for pair in pairs),
        "shown_pairs": [(pair, *_pair(pair, parts)) for pair in pairs[:PAIRS]],
    }


def _source(films: Sequence[Film], source: str) -> dict[str, Any]:
    own = [film for film in films if film.source == source]
    follow_up = Counter(film.patient for film in own)
    return {
        "name": source,
        "films": len(own),
        "patients": len(follow_up),
        "most": max(follow_up.values()),
        "known": sum(any(label is not None for label in film.labels) for film in own),
    }


def _counts(parts: dict[str, SplitPart], findings: Sequence[str]) -> list[dict[str, Any]]:
    """Per finding, and per split: present, absent, patients with it present."""
    rows = []
    for k, finding in enumerate(findings):
        row = {}
        for name, part in parts.items():
            labels = label_matrix(part.films).reshape(len(part.films), len(findings))[:, k]
            positive = {part.films[n].patient for n in np.flatnonzero(labels == 1).tolist()}
            row[name] = {"present": int((labels == 1).sum()), "absent": int((labels == 0).sum()), "sick": len(positive)}
        rows.append({"finding": finding, "splits": row})
    return rows


def _uncertain(films: Sequence[Film], findings: Sequence[str]) -> list[tuple[str, int, int]]:
    """Findings with uncertain labels: name, uncertain, unknown."""
    columns = list(zip(*(film.labels for film in films), strict=True))
    counted = [(name, column.count(-1), column.count(None)) for name, column in zip(findings, columns, strict=True)]
    return [each for each in counted if each[1]]


def _told(films: Sequence[Film]) -> list[str]:
    names = ("view", "sex", "site", "device")
    return [name for name in names if name in ("view", "sex") or any(getattr(film, name) for film in films)]


def _samples(part: SplitPart, findings: Sequence[str]) -> list[tuple[str, list[Shown]]]:
    """A few training films per finding, of different patients, and as many without any; always the same ones."""
    rng = np.random.default_rng(0)
    labels = label_matrix(part.films).reshape(len(part.films), len(findings))
    groups = [(name, labels[:, k] == 1) for k, name in enumerate(findings)]
    groups.append(("none of them", (labels != 1).all(axis=1) & (labels == 0).any(axis=1)))
    samples = []
    for name, mask in groups:
        rows: list[int] = []
        for row in rng.permutation(np.flatnonzero(mask)).tolist():
            if part.films[row].patient not in {part.films[other].patient for other in rows}:
                rows.append(row)
            if len(rows) == SAMPLES:
                break
        samples.append((name, [_shown(part, row, findings) for row in rows]))
    return samples


def _shown(part: SplitPart, row: int, findings: Sequence[str] = ()) -> Shown:
    film = part.films[row]
    present = [name for name, label in zip(findings, film.labels, strict=False) if label == 1]
    facts = (film.source, film.view, film.sex, f"{film.age}\u00a0y" if film.age is not None else None)
    return Shown(figures.film_url(part.frames[row]), ", ".join(filter(None, facts)), ", ".join(present))


def _pair(pair: NearPair, parts: dict[str, SplitPart]) -> tuple[Shown, Shown]:
    first, second = (
        _shown(parts[split], parts[split].films.index(film))
        for split, film in zip(pair.splits, (pair.first, pair.second), strict=True)
    )
    return first, second


def _kind(reason: str) -> str:
    """The reason without the names in it, so that a thousand of a kind are one line."""
    if reason.startswith("byte for byte"):
        return "byte for byte another film of the same patient"
    for sign in (": cannot be decoded", ": can't be used", " is empty", " can't be read"):
        if sign in reason:
            return sign.strip(": ")
    return reason.split("/", maxsplit=1)[0] if reason.startswith("no file ") else reason
