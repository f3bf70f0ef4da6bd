"""Checkpoints: whole or not at all, whatever is killed and however full the disk is."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

LAST, BEST = "last.pt", "best.pt"


class BadCheckpoint(RuntimeError):
    """A checkpoint cannot be gone on from; the text says what to do."""


class NotWritten(OSError):
    """A file of tensors could not be written; the one that stood there still stands."""


def write(path: Path, state: dict[str, Any]) -> None:
    """Write `state` to `path` by a file beside it: flushed to the disk, then renamed. Raises NotWritten."""
    beside = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, RuntimeError) as error:  # torch's writer wraps a full disk in a RuntimeError
        beside.unlink(missing_ok=True)
        free = shutil.disk_usage(path.parent).free / 2**20
        cause = error if isinstance(error, OSError) else (error.__context__ or str(error).splitlines()[0])
        raise NotWritten(f"{path.parent.name}/{path.name} was not written, {free:.0f} MiB are free: {cause}") from error


def read(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The checkpoint at `path`, None where there is none; raises BadCheckpoint where it is of another run."""
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(
            f"{path.parent.name}/{path.name} cannot be read ({error}): start without --resume"
        ) from error
    if state.get("fingerprint") != fingerprint:
        raise BadCheckpoint(
            f"{path.parent.name}/{path.name} belongs to another recipe or other data: "
            "start without --resume, or name another work folder"
        )
    return state
