"""Scores of the exported ONNX file, through the same preprocessing as serving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from hilum.imaging.preprocess import Pixels, preprocess
from hilum.release import InputSpec
from training.data.store import Store, pixels_of

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Logits (N, K) and embeddings (N, E) of N films."""

    logits: Array
    embeddings: npt.NDArray[np.float32]


def open_session(path: Path, threads: int = 0) -> ort.InferenceSession:
    """Open `path` on the CPU; `threads` 0 takes all cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def score(
    session: ort.InferenceSession,
    films: Store,
    spec: InputSpec,
    batch: int = 64,
    tick: Callable[[int], None] = lambda count: None,
) -> Scores:
    """Score stored `films` (N, H, W); `tick` gets the number of films after each batch."""
    logits, embeddings = [], []
    for start in range(0, len(films), batch):
        part = pixels_of(films[start : start + batch])
        answer = run(session, [preprocess(film, spec) for film in part])
        logits.append(answer.logits)
        embeddings.append(answer.embeddings)
        tick(len(part))
    return Scores(np.concatenate(logits), np.concatenate(embeddings))


def run(session: ort.InferenceSession, films: list[Pixels]) -> Scores:
    """Score preprocessed `films`, each (1, H, W)."""
    logits, embeddings = session.run(["logits", "embedding"], {"film": np.stack(films)})
    return Scores(np.asarray(logits, dtype=np.float64), np.asarray(embeddings, dtype=np.float32))
