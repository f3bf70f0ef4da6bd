"""The store on disk: shards of frames, each beside an index that says whose they are. A shard never changes.

    <folder>/128px-1/<id>.npy    uint16 (n, 128, 128)
    <folder>/128px-1/<id>.json   {"films": [sha256 of n films], "unreadable": {sha256: reason}, "sha256": the array's}

The id is a hash of what was asked for, the index is written last: a shard without one does not count. So a build that
was broken off goes on at the next shard, and a lock lets one process build while another waits and then finds it done.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from training.data.manifest import BadData, Film, sha256
from training.data.place import unwritable
from training.data.store import SCALE, Store, StoredFrames, frame

# Goes up when decoding or squashing changes what a frame holds.
VERSION = 1
SHARD_BYTES = 64_000_000
# What must be left on the disk beside the frames.
SPARE_BYTES = 64_000_000
# numpy's own, for an array of three dimensions.
NPY_HEADER_BYTES = 128
Tick = Callable[[int], None]


class FrameStore:
    """Frames of `size` x `size` below `folder`, by the sha256 of the film's file."""

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self.folder = folder / f"{size}px-{VERSION}"
        self.shard_films = max(32, SHARD_BYTES // (size * size * 2))

    def build(
        self, films: Sequence[Film], tick: Tick = lambda count: None, say: Callable[[str], None] = lambda text: None
    ) -> list[tuple[Film, str]]:
        """Decode what is not there yet; returns the films that can't be read, each with the reason.

        `tick` gets the number of films done, those found included. Raises BadData where the disk is full.
        """
        with self._locked(say):
            found, unreadable = self._index()
            done = found | unreadable.keys()
            waiting = {film.sha256: film for film in films if film.sha256 not in done}
            tick(len(films) - len(waiting))
            self._need(len(waiting))
            todo = list(waiting.values())
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                for start in range(0, len(todo), self.shard_films):
                    unreadable |= self._build_shard(todo[start : start + self.shard_films], pool, tick)
        return [(film, unreadable[film.sha256]) for film in films if film.sha256 in unreadable]

    def frames(self, films: Sequence[Film]) -> StoredFrames:
        """Frames of `films` in their order; raises BadData where one is not in the store."""
        shards, place = self._places()
        missing = [film.name for film in films if film.sha256 not in place]
        if missing:
            raise BadData(f"{len(missing)} films are not in the store {self.folder}, {missing[0]} among them: build it")
        at = np.array([place[film.sha256] for film in films], dtype=np.int32).reshape(-1, 2)
        return StoredFrames(shards, at[:, 0], at[:, 1], self.size)

    def files(self) -> list[Path]:
        """Every file of every whole shard, data before index."""
        indices = sorted(self.folder.glob("*.json"))
        return [path for index in indices for path in (index.with_suffix(".npy"), index)]

    def _build_shard(self, films: Sequence[Film], pool: ThreadPoolExecutor, tick: Tick) -> dict[str, str]:
        frames: list[Store] = []
        readable: list[str] = []
        unreadable: dict[str, str] = {}
        for film, made in zip(films, pool.map(lambda film: _try(film, self.size), films), strict=True):
            if isinstance(made, str):
                unreadable[film.sha256] = made
            else:
                frames.append(made)
                readable.append(film.sha256)
            tick(1)
        wanted = "".join(film.sha256 for film in films)
        stem = hashlib.sha256(f"{self.size}|{wanted}".encode()).hexdigest()[:24]
        stored = np.stack(frames) if frames else np.empty((0, self.size, self.size), dtype=np.uint16)
        data, label = self.folder / f"{stem}.npy", self.folder / f"{stem}.json"
        with whole(data) as part:
            with part.open("wb") as stream:
                np.save(stream, stored)
            check = sha256(part)
        index = {"films": readable, "unreadable": unreadable, "scale": SCALE, "sha256": check}
        with whole(label) as part:
            part.write_text(json.dumps(index), encoding="utf-8")
        return unreadable

    def _index(self) -> tuple[set[str], dict[str, str]]:
        """Films that have a frame, and those that can't be read; a shard of the wrong length is removed."""
        found: set[str] = set()
        unreadable: dict[str, str] = {}
        for path in sorted(self.folder.glob("*.json")):
            films, bad = self._read_index(path)
            if films is None:
                path.unlink()
                continue
            found |= set(films)
            unreadable |= bad
        return found, unreadable

    def _read_index(self, path: Path) -> tuple[list[str] | None, dict[str, str]]:
        data = path.with_suffix(".npy")
        try:
            index = json.loads(path.read_text(encoding="utf-8"))
            films: list[str] = index["films"]
            bad: dict[str, str] = index["unreadable"]
            whole = data.stat().st_size == NPY_HEADER_BYTES + len(films) * self.size * self.size * 2
        except (OSError, ValueError, KeyError, TypeError):
            return None, {}
        return (films, bad) if whole else (None, {})

    def _places(self) -> tuple[list[Path], dict[str, tuple[int, int]]]:
        shards: list[Path] = []
        place: dict[str, tuple[int, int]] = {}
        for path in sorted(self.folder.glob("*.json")):
            films, _ = self._read_index(path)
            if films:
                place |= {sha: (len(shards), row) for row, sha in enumerate(films)}
                shards.append(path.with_suffix(".npy").absolute())
        return shards, place

    def _need(self, films: int) -> None:
        need = films * self.size * self.size * 2 + SPARE_BYTES
        free = shutil.disk_usage(self.folder).free
        if films and free < need:
            raise BadData(
                f"the store needs {need / 1e9:.1f} GB in {self.folder}, {free / 1e9:.1f} GB are free: free some space, "
                "or set HILUM_TRAINING_STORE to another folder"
            )

    @contextlib.contextmanager
    def _locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Hold the folder's lock; it falls with the process that holds it, however that ends."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            stream = (self.folder / ".lock").open("a")
        except OSError as error:
            raise unwritable(self.folder, error) from error
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say(f"another process builds the store in {self.folder}; waiting for it")
                fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _try(film: Film, size: int) -> Store | str:
    try:
        return frame(film.path, size)
    except BadData as error:
        return str(error)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A file beside `path` that takes its place when the block ends well; raises BadData where it can't be written."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
