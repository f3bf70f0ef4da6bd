"""Golden vectors of preprocessing: `python -m tests.hilum.imaging.golden` writes them, a test compares.

They are made anew only when preprocessing is changed on purpose; every release trained before is then void.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hilum.imaging import decode, preprocess
from hilum.release.manifest import InputSpec
from tests.hilum.imaging.bodies import sample

FILE = Path(__file__).parent / "data" / "golden_preprocessing.json"
# A square 8-bit film, a portrait 15-bit MONOCHROME1 one with a window, a landscape JPEG.
FILMS = ("nih_test2.dcm", "nema_rg1.dcm", "kermany_IM-0122-0001.jpeg")
SPECS = {
    "film 128": InputSpec(height=128, width=128),
    "film 224": InputSpec(height=224, width=224),
    "fixed 128": InputSpec(height=128, width=128, normalisation="fixed", mean=0.5, std=0.25),
}


def vector(name: str, spec: InputSpec) -> dict[str, object]:
    """The input's shape, its mean and standard deviation, and every sixteenth pixel of every sixteenth row."""
    made = preprocess(decode(sample(name)).pixels, spec)
    grid = made[0, 8::16, 8::16].astype(np.float64)
    return {
        "shape": list(made.shape),
        "mean": round(float(made.mean(dtype=np.float64)), 6),
        "std": round(float(made.std(dtype=np.float64)), 6),
        "grid": [[round(float(value), 5) for value in row] for row in grid],
    }


if __name__ == "__main__":
    made = {name: {key: vector(name, spec) for key, spec in SPECS.items()} for name in FILMS}
    FILE.write_text(json.dumps(made) + "\n", encoding="utf-8")
