"""The one preprocessing function: training, evaluation, serving and drift import it (DESIGN, rule 2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from hilum.release.manifest import InputSpec

Pixels = npt.NDArray[np.float32]


def squash(pixels: Pixels, height: int, width: int) -> Pixels:
    """Squash the whole frame `pixels` (H, W), values 0..1, to (`height`, `width`) with an antialiased bilinear filter.

    The aspect ratio is not kept: the bundled release was trained on squashed frames.
    """
    if pixels.shape == (height, width):
        return pixels
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32))
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, dtype=np.float32), 0.0, 1.0)


def normalise(pixels: Pixels, spec: InputSpec) -> Pixels:
    """Normalise `pixels` (..., H, W) as `spec` says; "film" takes each film's own mean and standard deviation."""
    if spec.normalisation == "fixed":
        return np.asarray((pixels - spec.mean) / spec.std, dtype=np.float32)
    mean = pixels.mean(axis=(-2, -1), keepdims=True, dtype=np.float64)
    std = pixels.std(axis=(-2, -1), keepdims=True, dtype=np.float64)
    return np.asarray((pixels - mean) / np.maximum(std, spec.min_std), dtype=np.float32)


def preprocess(pixels: Pixels, spec: InputSpec) -> Pixels:
    """Turn a decoded film (H, W), float32 in 0..1, black air and white bone, into a model input (1, height, width)."""
    if pixels.ndim != 2:
        raise ValueError(f"a film has two dimensions, not {pixels.ndim}")
    return normalise(squash(pixels, spec.height, spec.width), spec)[np.newaxis]
