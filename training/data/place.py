"""Where a source lies: a folder, or a bucket whose files are fetched once into a cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from hilum.storage.blobs import BadKey, BlobMissing, Blobs, BlobsUnavailable
from hilum.storage.open import open_blobs
from training.data.manifest import BadData


class Place(Protocol):
    """Files below one root, named by their path relative to it, with `/`. `title` is how messages call it."""

    title: str

    @property
    def names(self) -> frozenset[str]:
        """Every file's name."""

    def fetch(self, name: str) -> Path:
        """The file on this machine; raises BadData where it is missing or can't be had."""

    def table(self, name: str) -> Path:
        """The same, never from a cache: tables change, films do not."""


class FolderPlace:
    """A folder."""

    def __init__(self, folder: Path, title: str) -> None:
        self.folder = folder
        self.title = title
        if not folder.is_dir():
            raise BadData(
                f"no training data: {title} is missing from the data folder; set HILUM_TRAINING_DATA (or --data) to "
                "the folder that holds the recipe's sources"
            )

    @cached_property
    def names(self) -> frozenset[str]:
        """Every file's name."""
        return frozenset(_walk(self.folder))

    def fetch(self, name: str) -> Path:
        """The file itself."""
        path = self.folder / name
        if not path.is_file():
            raise BadData(f"{self.title}: no file {name}")
        return path

    def table(self, name: str) -> Path:
        """The file itself."""
        return self.fetch(name)


class BucketPlace:
    """`s3://bucket/prefix`, fetched below `cache`; a film is fetched once, a table each time."""

    def __init__(self, blobs: Blobs, cache: Path, title: str) -> None:
        self.blobs = blobs
        self.cache = cache
        self.title = title

    @cached_property
    def names(self) -> frozenset[str]:
        """Every key below the prefix."""
        try:
            found = frozenset(self.blobs.keys())
        except BlobsUnavailable as error:
            raise BadData(f"{self.title}: {error}") from error
        if not found:
            raise BadData(f"{self.title}: nothing lies there; look at the bucket's name and the prefix")
        return found

    def fetch(self, name: str) -> Path:
        """The cached copy, fetched if it is not there."""
        path = self.cache / name
        return path if path.is_file() else self.table(name)

    def table(self, name: str) -> Path:
        """A fresh copy in the cache, whole or not at all."""
        path = self.cache / name
        try:
            data = self.blobs.get(name)
        except (BlobMissing, BadKey) as error:
            raise BadData(f"{self.title}: no file {name}") from error
        except BlobsUnavailable as error:
            raise BadData(f"{self.title}: {name}: {error}") from error
        write_whole(path, data)
        return path


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` beside `path` and rename it to its place; raises BadData where the disk is full or read-only."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(data)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> BadData:
    """What to say where a file can't be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return BadData(f"can't write {path}: {reason}; free some space, or set HILUM_TRAINING_STORE to another folder")


def store_folder() -> Path:
    """Where fetched and decoded films are kept: HILUM_TRAINING_STORE, else the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("HILUM_TRAINING_STORE") or Path(cache) / "hilum" / "training")


def open_place(path: str, folder: Path, cache: Path) -> Place:
    """The place at `path`: relative to `folder`, absolute, or `s3://bucket/prefix` cached below `cache`.

    The S3 endpoint is HILUM_S3_ENDPOINT, keys are the AWS_* variables, as for every service.
    """
    if path.startswith("s3://"):
        below = cache / "s3" / PurePosixPath(path.removeprefix("s3://"))
        return BucketPlace(open_blobs(path, os.environ.get("HILUM_S3_ENDPOINT", "")), below, path)
    return FolderPlace(folder / path, path)


def _walk(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(root).relative_to(folder).as_posix()
        for name in files:
            if not name.startswith("."):
                yield name if below == "." else f"{below}/{name}"
