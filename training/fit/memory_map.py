"""Frames by the path of their file: a worker maps them instead of getting a copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from training.fit.sets import TrainingSet, ValidationSet

Set = TypeVar("Set", TrainingSet, ValidationSet)


class MappedFrames:
    """Frames (N, H, W) of a `.npy` file; pickled by its path, mapped when it is first read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._frames: npt.NDArray[np.uint16] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_frames": None}

    def _opened(self) -> npt.NDArray[np.uint16]:
        if self._frames is None:
            self._frames = np.load(self.path, mmap_mode="r")
        return self._frames

    def __getitem__(self, index: Any) -> npt.NDArray[np.uint16]:
        return np.asarray(self._opened()[index])

    def __len__(self) -> int:
        return len(self._opened())


def mapped(data: Set, path: Path) -> Set:
    """`data` with frames that are cheap to pickle: those in memory are written to `path`, the rest stay as they are."""
    if not isinstance(data.frames, np.ndarray):
        return data
    np.save(path, data.frames)
    return replace(data, frames=MappedFrames(path))
