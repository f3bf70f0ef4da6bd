"""Fit the reference statistics for drift on the calibration and validation films (`hilum.release.reference`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.release.domain import DomainStatistics
from hilum.release.reference import LEVEL_EDGES, SCORE_EDGES, SPREAD_EDGES, Reference, count
from training.data.manifest import Film
from training.release.calibrate import logit
from training.release.judge import Reading

Array = npt.NDArray[np.float64]
COMPONENTS = 16


def levels(frames: Sequence[Any]) -> tuple[Array, Array]:
    """Mean and standard deviation (N,), 0..1, of stored frames, several parts one after another."""
    means, spreads = [], []
    for part in frames:
        for start in range(0, len(part), 256):
            block = np.asarray(part[start : start + 256], dtype=np.float32) / np.float32(65535)
            means.append(block.mean(axis=(1, 2)))
            spreads.append(block.std(axis=(1, 2)))
    return np.concatenate(means).astype(np.float64), np.concatenate(spreads).astype(np.float64)


def fit_reference(
    films: Sequence[Film],
    frames: Sequence[Any],
    embeddings: npt.NDArray[np.float32],
    reading: Reading,
    domain: DomainStatistics,
) -> Reference:
    """Statistics per source, or per source and site where films name one; all arguments in the order of `films` (N)."""
    names = np.array([f"{f.source}/{f.site}" if f.site else f.source for f in films])
    populations = tuple(sorted(set(names.tolist())))
    chances = reading.probabilities
    alerts = np.array([spec.alert.threshold for spec in reading.specs])
    odds = logit(chances)
    brightness, contrast = levels(frames)
    width = min(COMPONENTS, len(domain.scale))
    places = domain.places(embeddings, width)
    masks = [names == name for name in populations]
    covariance = [np.atleast_2d(np.cov(places[m].T)) if m.sum() > 1 else np.zeros((width, width)) for m in masks]
    return Reference(
        populations=populations,
        films=np.array([m.sum() for m in masks]),
        scores=np.array([[count(odds[m, k], SCORE_EDGES) for k in range(odds.shape[1])] for m in masks]),
        alerts=np.array([(chances[m] >= alerts).mean(axis=0) for m in masks]),
        brightness=np.array([count(brightness[m], LEVEL_EDGES) for m in masks]),
        contrast=np.array([count(contrast[m], SPREAD_EDGES) for m in masks]),
        embedding_mean=np.array([places[m].mean(axis=0) for m in masks]),
        embedding_covariance=np.array(covariance),
    )
