"""Whether a film is one that the release may score: the out-of-domain distance, and how the film hangs.

`DomainStatistics.judge` joins the two into one score per film, with a reason. The distance is a
Mahalanobis distance in the leading principal components plus the residual outside them (Lee et al., NeurIPS 2018,
without the class conditions; residual as in Wang et al., "ViM", CVPR 2022).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from hilum.release.pose import KINDS, PREFIX, PoseHead, head_of

Array = npt.NDArray[np.float32]
UNLIKE = "unlike"
# What a reader is told; what to do comes last.
REASONS = {
    UNLIKE: "The film does not look like the chest films that the release was trained on.",
    "turned left": "The film seems to be turned anticlockwise, or shows no frontal chest: turn it and send it again.",
    "upside down": "The film seems to be upside down, or shows no frontal chest: turn it and send it again.",
    "turned right": "The film seems to be turned clockwise, or shows no frontal chest: turn it and send it again.",
    "negative": "The film seems to be a negative (black bones, white air): send it with black air.",
    "part": "The film seems to show only a part of a chest: send the whole frame.",
}
MAYBE_MIRRORED = "The film may be mirrored, or the heart lies on the right: check the side marker."


@dataclass(frozen=True)
class Judgement:
    """What the guard says of one film.

    `score` is about 1 for a typical film; the film is out of domain where it exceeds the release's threshold. `kind`
    is then a key of REASONS, else None. `mirrored` is a warning for the reader and refuses nothing.
    """

    score: float
    kind: str | None = None
    mirrored: bool = False

    @property
    def reason(self) -> str | None:
        """One sentence for the reader; None in domain."""
        return None if self.kind is None else REASONS[self.kind]


@dataclass(frozen=True)
class DomainStatistics:
    """`mean` (E,), `components` (D, E) orthonormal rows, `scale` (D,) and `residual_scale` of the training films.

    `pose` tells how a film hangs; releases before 1.1 carry none.
    """

    mean: Array
    components: Array
    scale: Array
    residual_scale: float
    pose: PoseHead | None = None

    def distances(self, embeddings: Array) -> Array:
        """Distance of each row of `embeddings` (N, E) from the training films, (N,); about 1 for a typical film."""
        centred = embeddings.astype(np.float64) - self.mean
        projected = centred @ self.components.T
        inside = np.mean((projected / self.scale) ** 2, axis=1)
        outside = np.maximum(np.sum(centred**2, axis=1) - np.sum(projected**2, axis=1), 0.0)
        return np.asarray(np.sqrt(0.5 * inside + 0.5 * outside / self.residual_scale**2), dtype=np.float32)

    def places(self, embeddings: Array, width: int) -> Array:
        """Where each row of `embeddings` (N, E) lies in the leading `width` components, (N, width), in their scales."""
        leading = self.components[:width]
        return np.asarray((embeddings - self.mean) @ leading.T / self.scale[:width], dtype=np.float32)

    def judge(self, embeddings: Array, films: Array, threshold: float) -> list[Judgement]:
        """Judge `films` (N, 1, H, W), as the model takes them, whose embeddings are (N, E).

        The score is the larger of the distance and the pose's way to its limit, put on the distance's scale, so that
        one `threshold` serves both. A distance that is no number is refused with an infinite score.
        """
        distances = np.nan_to_num(self.distances(embeddings), nan=np.inf, posinf=np.inf)
        if self.pose is None:
            return [Judgement(float(d), UNLIKE if d > threshold else None) for d in distances]
        odds = self.pose.log_odds(films)
        excess, kinds = self.pose.excess(odds)
        mirrored = self.pose.mirrored(odds)
        judged = []
        for distance, ratio, kind, swapped in zip(distances, excess, kinds, mirrored, strict=True):
            score = float(max(distance, threshold * ratio))
            reason = KINDS[kind] if ratio > 1.0 else UNLIKE
            out = distance > threshold or ratio > 1.0
            judged.append(Judgement(score, reason if out else None, bool(swapped) and not out))
        return judged


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
        **({} if statistics.pose is None else statistics.pose.arrays()),  # type: ignore[arg-type]
    )


def read(source: Path | BinaryIO) -> DomainStatistics:
    """Read what `write` wrote; raises ValueError for anything else (pickled content is refused by numpy)."""
    try:
        with np.load(source, allow_pickle=False) as arrays:
            read_back = DomainStatistics(
                arrays["mean"],
                arrays["components"],
                arrays["scale"],
                float(arrays["residual_scale"]),
                head_of({name: arrays[name] for name in arrays.files if name.startswith(PREFIX)}),
            )
    except (KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError("the domain statistics can't be read") from error
    width = read_back.mean.shape
    if len(width) != 1 or read_back.components.shape != (len(read_back.scale), *width):
        raise ValueError("the domain statistics' arrays do not fit one another")
    return read_back
