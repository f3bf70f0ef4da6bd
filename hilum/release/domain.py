"""How far a film's embedding lies from those of the training films: the out-of-domain distance.

The distance is a Mahalanobis distance in the leading principal components plus the residual outside them
(Lee et al., NeurIPS 2018, without the class conditions; residual as in Wang et al., "ViM", CVPR 2022).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DomainStatistics:
    """`mean` (E,), `components` (D, E) orthonormal rows, `scale` (D,) and `residual_scale` of the training films."""

    mean: Array
    components: Array
    scale: Array
    residual_scale: float

    def distances(self, embeddings: Array) -> Array:
        """Distance of each row of `embeddings` (N, E) from the training films, (N,); about 1 for a typical film."""
        centred = embeddings.astype(np.float64) - self.mean
        projected = centred @ self.components.T
        inside = np.mean((projected / self.scale) ** 2, axis=1)
        outside = np.maximum(np.sum(centred**2, axis=1) - np.sum(projected**2, axis=1), 0.0)
        return np.asarray(np.sqrt(0.5 * inside + 0.5 * outside / self.residual_scale**2), dtype=np.float32)


def fit(embeddings: Array, components: int = 64) -> DomainStatistics:
    """Fit the statistics on `embeddings` (N, E) of training films; N must exceed `components`."""
    mean = embeddings.mean(axis=0, dtype=np.float64)
    centred = embeddings - mean
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    kept = rows[:components]
    scale = singular[:components] / np.sqrt(len(embeddings) - 1)
    residual = np.sum(centred**2, axis=1) - np.sum((centred @ kept.T) ** 2, axis=1)
    return DomainStatistics(
        mean.astype(np.float32),
        kept.astype(np.float32),
        np.maximum(scale, 1e-6).astype(np.float32),
        float(np.float32(np.sqrt(max(residual.mean(), 1e-12)))),  # as `write` keeps it
    )


def write(statistics: DomainStatistics, path: Path) -> None:
    """Write the arrays to `path` (.npz)."""
    np.savez_compressed(
        path,
        mean=statistics.mean,
        components=statistics.components,
        scale=statistics.scale,
        residual_scale=np.float32(statistics.residual_scale),
    )


def read(source: Path | BinaryIO) -> DomainStatistics:
    """Read what `write` wrote; raises ValueError for anything else (pickled content is refused by numpy)."""
    try:
        with np.load(source, allow_pickle=False) as arrays:
            read_back = DomainStatistics(
                arrays["mean"], arrays["components"], arrays["scale"], float(arrays["residual_scale"])
            )
    except (KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError("the domain statistics can't be read") from error
    width = read_back.mean.shape
    if len(width) != 1 or read_back.components.shape != (len(read_back.scale), *width):
        raise ValueError("the domain statistics' arrays do not fit one another")
    return read_back
