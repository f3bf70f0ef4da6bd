"""Films in memory: each is decoded and squashed once, through `hilum.imaging.preprocess`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from hilum.imaging.preprocess import squash
from training.data.manifest import BadData, Film

# 16 bits keep a squashed frame to 8e-6 of its range at half the memory of float32.
SCALE = 65535.0
Store = npt.NDArray[np.uint16]
Pixels = npt.NDArray[np.float32]


def decode(path: Path) -> Pixels:
    """Grey pixels of a PNG or JPEG (H, W), 0..1 = 8-bit value / 255; raises BadData."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"), dtype=np.float32) / 255.0
    except (UnidentifiedImageError, OSError) as error:
        raise BadData(f"{path.name}: cannot be decoded: {error}") from error


def load(films: Sequence[Film], size: int, tick: Callable[[], None] = lambda: None) -> Store:
    """Squashed frames of `films`, (N, `size`, `size`); `tick` is called after each film."""
    store = np.empty((len(films), size, size), dtype=np.uint16)
    for position, film in enumerate(films):
        store[position] = np.rint(squash(decode(film.path), size, size) * SCALE)
        tick()
    return store


def pixels_of(store: Store) -> Pixels:
    """Back to float32, 0..1."""
    return np.asarray(store, dtype=np.float32) / np.float32(SCALE)
