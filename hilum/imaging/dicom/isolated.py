"""GDCM at arm's length: one process for each frame, which may crash without harm."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.imaging.dicom.geometry import Geometry
from hilum.imaging.errors import DamagedFilm
from hilum.imaging.jpeg import JpegFrame

TIMEOUT_SECONDS = 90
_WORKER = Path(__file__).with_name("gdcm_worker.py")


def decode_with_gdcm(stream: bytes, frame: JpegFrame, syntax: str, geometry: Geometry) -> npt.NDArray[np.integer[Any]]:
    """Decode `stream` to (rows, columns) or (rows, columns, 3); raises DamagedFilm where GDCM fails, crashes or hangs.

    `frame` is what the stream's own header says, already found to agree with `geometry`.
    """
    asked = {
        "frame": {
            "rows": geometry.rows,
            "columns": geometry.columns,
            "samples": geometry.samples,
            "precision": frame.precision,
        },
        "syntax": syntax,
        "photometric": geometry.photometric,
    }
    try:
        # Isolated mode: neither the environment nor the working folder can put other modules in the worker's way.
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(_WORKER)],
            input=json.dumps(asked).encode() + b"\n" + stream,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DamagedFilm("The compressed pixels take too long to decode. Export or send the film again.") from None
    shape = (geometry.rows, geometry.columns) if geometry.samples == 1 else (geometry.rows, geometry.columns, 3)
    kind = np.dtype("u1") if frame.precision <= 8 else np.dtype("<u2")
    if done.returncode != 0 or len(done.stdout) != int(np.prod(shape)) * kind.itemsize:
        raise DamagedFilm("The compressed pixels can't be decoded. Export or send the film again.")
    return with_sign(np.frombuffer(done.stdout, dtype=kind).astype(np.int32).reshape(shape), geometry)


def with_sign(decoded: npt.NDArray[np.integer[Any]], geometry: Geometry) -> npt.NDArray[np.integer[Any]]:
    """Drop the bits above those stored, and read the highest stored one as the sign where the header says so."""
    bits = decoded.astype(np.int32) & ((1 << geometry.stored) - 1)
    if geometry.signed:
        bits -= (bits >> (geometry.stored - 1)) << geometry.stored
        return bits.astype(np.int16)
    return bits.astype(np.uint16 if geometry.allocated > 8 else np.uint8)
