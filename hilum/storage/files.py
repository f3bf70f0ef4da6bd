"""Blobs as files below one folder.

A blob is written beside (`.tmp/`), flushed, renamed to its place, and the folder is flushed: after a power cut the
key holds the whole old blob or the whole new one. Source of the order: rename(2), fsync(2) (a new name is durable
only after an fsync of its folder).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import structlog

from hilum.storage.blobs import BadKey, BlobMissing, BlobsUnavailable, valid_key, valid_prefix

# Below this a folder is as good as full: one large film and the database's own files must still fit.
MINIMUM_FREE_BYTES = 128_000_000
log = structlog.get_logger("hilum.storage.files")


def flush_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create `folder` and those above it, each durable."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    flush_folder(folder.parent)


class FileBlobs:
    """Blobs below `root`, which is created at the start and never again: an unmounted volume must not be papered over.

    Several processes may share the folder.
    """

    def __init__(self, root: Path, minimum_free_bytes: int = MINIMUM_FREE_BYTES) -> None:
        self.root = root.absolute()
        self.minimum_free_bytes = minimum_free_bytes
        self._durable: set[Path] = set()
        self._lock = threading.Lock()
        with self._plain("open"):
            make_folder(self.root)
            self._scratch, lock = _own_scratch(self.root / ".tmp")
            weakref.finalize(self, _release, self._scratch, lock, os.getpid())

    def put(self, key: str, data: bytes) -> None:
        """Keep `data`: temporary file, fsync, rename, fsync of the folder."""
        target = self._path(key)
        with self._plain("keep"):
            self._require_root()
            descriptor, name = tempfile.mkstemp(dir=self._scratch)
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                self._make_durable(target.parent)
                temporary.replace(target)
                flush_folder(target.parent)
            except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
                raise BadKey(f"{key!r} is the folder of another key, or the reverse") from error
            except FileNotFoundError:
                # Someone removed a folder by hand: the next attempt makes it again.
                with self._lock:
                    self._durable.clear()
                raise
            finally:
                temporary.unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        """The whole blob."""
        path = self._path(key)
        with self._plain("read"):
            try:
                return path.read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
                self._require_root()
                raise BlobMissing(key) from error

    def exists(self, key: str) -> bool:
        """Whether the blob is there."""
        path = self._path(key)
        with self._plain("look up"):
            found = path.is_file()
            if not found:
                self._require_root()
            return found

    def delete(self, key: str) -> None:
        """Remove the blob; its folder stays."""
        path = self._path(key)
        with self._plain("delete"):
            try:
                path.unlink()
                flush_folder(path.parent)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                self._require_root()

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys, folder by folder."""
        folder = valid_prefix(prefix).rpartition("/")[0]
        with self._plain("list"):
            self._require_root()
            yield from (key for key in self._walk(self.root / folder) if key.startswith(prefix))

    def check(self) -> None:
        """Write, and look at the free space."""
        with self._plain("write"):
            self._require_root()
            with tempfile.TemporaryFile(dir=self._scratch) as file:
                file.write(b"\0" * 4096)
                file.flush()
            free = shutil.disk_usage(self.root).free
        if free < self.minimum_free_bytes:
            raise BlobsUnavailable(f"{self.root}: only {free // 1_000_000} MB free")

    def _path(self, key: str) -> Path:
        return self.root / valid_key(key)

    def _require_root(self) -> None:
        if not self._scratch.is_dir():
            raise BlobsUnavailable(f"{self.root}: the folder is gone; was it unmounted or removed?")

    def _make_durable(self, folder: Path) -> None:
        """Create the folders of a blob. Another process may have made them and not flushed yet: flush each once."""
        missing: list[Path] = []
        while folder != self.root and folder not in self._durable:
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            each.mkdir(exist_ok=True)
            flush_folder(each.parent)
            with self._lock:
                self._durable.add(each)

    def _walk(self, folder: Path) -> Iterator[str]:
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                yield from self._walk(path)
            else:
                yield path.relative_to(self.root).as_posix()

    @contextlib.contextmanager
    def _plain(self, action: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise BlobsUnavailable(f"{self.root}: can't {action}: {reason}") from error


def _own_scratch(parent: Path) -> tuple[Path, int]:
    """A folder for this process's temporary files, and the lock that says its owner lives (until it ends).

    Folders that nobody locks were left by a process that was killed: they are removed.
    """
    make_folder(parent)
    for left in parent.iterdir():
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left) if left.is_dir() else left.unlink()
                log.info("removed temporary files of a process that ended", folder=left.name)
            finally:
                os.close(descriptor)
    while True:
        own = Path(tempfile.mkdtemp(dir=parent))
        try:
            descriptor = os.open(own, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another process that starts now may have removed it between the two calls.
        if own.is_dir():
            return own, descriptor
        os.close(descriptor)


def _release(scratch: Path, lock: int, owner: int) -> None:
    """Remove an empty temporary folder at the end of the process that owns it, not of one forked from it."""
    if os.getpid() == owner:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)
