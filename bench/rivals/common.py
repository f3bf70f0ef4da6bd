"""What every rival serves: the same ONNX file, decoding, preprocessing and calibration; only the server differs.

Runs inside each rival's own environment. Settings: RIVAL_MODEL, a release's folder; RIVAL_PORT.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from hilum.imaging import decode
from hilum.imaging.preprocess import preprocess
from hilum.release.manifest import Manifest

Array = npt.NDArray[np.float32]
FOLDER = Path(os.environ.get("RIVAL_MODEL", "models/default"))
PORT = int(os.environ.get("RIVAL_PORT", "3000"))
# As in our service: two films at once, one thread each; batches as long as rivals' own examples have them.
WORKERS = 2
MAX_BATCH = 8
MAX_WAIT_MS = 5


class Model:
    """The release's fp32 file, opened as our service opens it: one thread, no spinning."""

    def __init__(self, folder: Path = FOLDER) -> None:
        text = (folder / "manifest.json").read_text(encoding="utf-8")
        self.manifest = Manifest.model_validate(json.loads(text))
        self.variant = self.manifest.variant("fp32")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        file = str(folder / self.variant.file)
        self.session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._slopes = np.array([spec.calibration.slope for spec in self.variant.findings])
        self._intercepts = np.array([spec.calibration.intercept for spec in self.variant.findings])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one film's tensor."""
        spec = self.manifest.input
        return (1, spec.height, spec.width)

    def film(self, data: bytes) -> Array:
        """Bytes of a PNG, JPEG or DICOM file to a tensor (1, H, W)."""
        return preprocess(decode(data).pixels, self.manifest.input)

    def tensors(self, data: bytes) -> Array:
        """Raw little-endian FP32 bytes to (n, 1, H, W)."""
        return np.frombuffer(data, dtype="<f4").reshape(-1, *self.shape)

    def run(self, films: Array) -> npt.NDArray[np.float64]:
        """Calibrated probabilities (n, K)."""
        logits = self.session.run(["logits"], {"film": films})[0]
        return np.asarray(1.0 / (1.0 + np.exp(-(logits * self._slopes + self._intercepts))))

    def named(self, probabilities: npt.NDArray[np.float64]) -> list[dict[str, Any]]:
        """One film's answer."""
        pairs = zip(self.manifest.findings, probabilities.tolist(), strict=True)
        return [{"name": name, "probability": p} for name, p in pairs]
