"""Reference statistics that drift is judged against: what scores and films looked like where the release was made.

Histograms are counts; no film can be rebuilt from them. `hilum.release` reads the file, `training.release` writes it.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
# Edges in log odds: probabilities of rare findings crowd near nought. The outer bins are open.
SCORE_EDGES = np.linspace(-8.0, 8.0, 65)
LEVEL_EDGES = np.linspace(0.0, 1.0, 33)
SPREAD_EDGES = np.linspace(0.0, 0.5, 33)


def count(values: Array, edges: Array) -> npt.NDArray[np.int64]:
    """Counts of `values` (N,) between `edges` (B + 1,), (B,); what lies outside falls into the outer bins."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Reference:
    """Statistics of S populations ("source" or "source/site") and K findings, on films held apart from training.

    `scores` (S, K, 64) counts of log odds in SCORE_EDGES; `alerts` (S, K) share of films at or above the alert point;
    `brightness` and `contrast` (S, 32) counts of the frame's mean and standard deviation; `embedding_mean` (S, D) and
    `embedding_covariance` (S, D, D) in the leading components of the domain check; `films` (S,).
    """

    populations: tuple[str, ...]
    films: npt.NDArray[np.int64]
    scores: npt.NDArray[np.int64]
    alerts: Array
    brightness: npt.NDArray[np.int64]
    contrast: npt.NDArray[np.int64]
    embedding_mean: Array
    embedding_covariance: Array


def write(reference: Reference, path: Path) -> None:
    """Write `reference` to `path` (.npz)."""
    np.savez_compressed(
        path,
        populations=np.array(reference.populations),
        films=reference.films,
        scores=reference.scores.astype(np.int32),
        alerts=reference.alerts.astype(np.float32),
        brightness=reference.brightness.astype(np.int32),
        contrast=reference.contrast.astype(np.int32),
        embedding_mean=reference.embedding_mean.astype(np.float32),
        embedding_covariance=reference.embedding_covariance.astype(np.float32),
    )


def read(source: Path | BinaryIO) -> Reference:
    """Read what `write` wrote; raises ValueError for anything else (pickled content is refused by numpy)."""
    try:
        with np.load(source, allow_pickle=False) as arrays:
            answer = Reference(
                populations=tuple(str(name) for name in arrays["populations"]),
                films=arrays["films"],
                scores=arrays["scores"],
                alerts=arrays["alerts"],
                brightness=arrays["brightness"],
                contrast=arrays["contrast"],
                embedding_mean=arrays["embedding_mean"],
                embedding_covariance=arrays["embedding_covariance"],
            )
    except (KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError("the reference statistics can't be read") from error
    count_of = len(answer.populations)
    if any(len(part) != count_of for part in (answer.films, answer.scores, answer.alerts, answer.embedding_mean)):
        raise ValueError("the reference statistics' arrays do not fit one another")
    return answer
