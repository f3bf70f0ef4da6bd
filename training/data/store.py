"""Frames: films decoded and squashed once, through the door and the preprocessing that serving uses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hilum.imaging import BadFilm
from hilum.imaging import decode as decode_film
from hilum.imaging.preprocess import squash
from training.data.manifest import BadData

# 16 bits keep a squashed frame to 8e-6 of its range at half the memory of float32.
SCALE = 65535.0
Store = npt.NDArray[np.uint16]
Pixels = npt.NDArray[np.float32]
Index = npt.NDArray[np.integer[Any]]
# Each open map holds a file descriptor; a process may have 1,024.
OPEN_MAPS = 128


class Frames(Protocol):
    """Frames of films, in the films' order: a plain array, or StoredFrames. Values 0..65535 for 0..1."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Store:
        """Frames (n, H, W) of an integer array or a slice, (H, W) of one integer."""


class StoredFrames:
    """Frames that lie in memory-mapped shards. Pickles as paths and places, so that a worker opens the files itself.

    `shards` are `.npy` files (n, size, size); frame i is row `rows[i]` of shard `shard_of[i]`.
    """

    def __init__(self, shards: Sequence[Path], shard_of: Index, rows: Index, size: int) -> None:
        self.shards = tuple(shards)
        self.shard_of = np.asarray(shard_of, dtype=np.int32)
        self.rows = np.asarray(rows, dtype=np.int32)
        self.size = size
        self._open: OrderedDict[int, Store] = OrderedDict()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, size, size)."""
        return len(self.rows), self.size, self.size

    @property
    def dtype(self) -> np.dtype[np.uint16]:
        """uint16."""
        return np.dtype(np.uint16)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Store:
        if isinstance(index, (int, np.integer)):
            one: Store = self._read(np.array([index]))[0]
            return one
        if isinstance(index, slice):
            return self._read(np.arange(len(self))[index])
        chosen = np.asarray(index)
        return self._read(np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    def select(self, index: Index) -> StoredFrames:
        """The frames at `index`, without reading them."""
        return StoredFrames(self.shards, self.shard_of[index], self.rows[index], self.size)

    def _read(self, index: Index) -> Store:
        out = np.empty((len(index), self.size, self.size), dtype=np.uint16)
        shard_of, rows = self.shard_of[index], self.rows[index]
        for shard in np.unique(shard_of):
            here = np.flatnonzero(shard_of == shard)
            out[here] = self._map(int(shard))[rows[here]]
        return out

    def _map(self, shard: int) -> Store:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        try:
            opened: Store = np.load(self.shards[shard], mmap_mode="r")
        except (OSError, ValueError) as error:
            raise BadData(f"{self.shards[shard]}: a shard of the store is gone or damaged: {error}") from error
        self._open[shard] = opened
        if len(self._open) > OPEN_MAPS:
            self._open.popitem(last=False)
        return opened


def decode(path: Path) -> Pixels:
    """Grey pixels of a PNG, JPEG or DICOM film (H, W), 0..1, black air; raises BadData naming the file."""
    try:
        film = decode_film(path.read_bytes())
    except (BadFilm, OSError) as error:
        raise BadData(f"{path.name}: cannot be decoded: {error}") from error
    if film.unscorable:
        raise BadData(f"{path.name}: can't be used: {film.unscorable}")
    return film.pixels


def frame(path: Path, size: int) -> Store:
    """The film at `path`, squashed to (`size`, `size`); raises BadData."""
    squashed: Store = np.rint(squash(decode(path), size, size) * SCALE).astype(np.uint16)
    return squashed


def pixels_of(store: Store) -> Pixels:
    """Back to float32, 0..1."""
    return np.asarray(store, dtype=np.float32) / np.float32(SCALE)
