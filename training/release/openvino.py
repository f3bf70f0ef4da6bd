"""A variant as OpenVINO's intermediate representation: graph (.xml) and weights (.bin)."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.imaging import decode
from hilum.imaging.preprocess import preprocess
from hilum.release import BadRelease, Release

Array = npt.NDArray[np.float32]
# As the service's own check of the golden film.
GOLDEN_TOLERANCE = 1e-3
F32 = {"INFERENCE_PRECISION_HINT": "f32"}


class NoOpenVino(RuntimeError):
    """OpenVINO is not installed; the text says what to install."""


def _openvino() -> Any:
    try:
        import openvino  # noqa: PLC0415 - optional
    except ImportError as error:
        raise NoOpenVino("openvino is not installed: install requirements/train.txt") from error
    return openvino


def convert(model: Path, xml: Path) -> Path:
    """Write `model` (ONNX) to `xml` and its weights beside it; returns the .bin's path.

    Weights keep their type: rounded to 16 bits throughout, probabilities moved by more than the golden film may.

    Findings and input geometry travel along in the graph's runtime information.
    """
    import onnx  # noqa: PLC0415 - heavy

    ov = _openvino()
    graph = ov.convert_model(str(model))
    for entry in onnx.load(str(model)).metadata_props:
        graph.set_rt_info(entry.value, ["hilum", entry.key])
    try:
        ov.save_model(graph, str(xml), compress_to_fp16=False)
    except RuntimeError as error:
        # OpenVINO's word for a full disk or a folder that may not be written.
        raise OSError(str(error).strip().partition("\n")[0]) from error
    return xml.with_suffix(".bin")


def logits_of(xml: Path, films: Array) -> npt.NDArray[np.float64]:
    """Logits (N, K) of preprocessed `films` (N, 1, H, W) by OpenVINO's runtime, in fp32 arithmetic."""
    compiled = _openvino().Core().compile_model(str(xml), "CPU", F32)
    parts = [compiled({"film": films[n : n + 64]})["logits"] for n in range(0, len(films), 64)]
    return np.concatenate(parts).astype(np.float64)


def write_form(release: Release, precision: str, out: Path) -> tuple[Path, float]:
    """Write a release's variant to `out`; the .xml's path, and how far the golden film lies from the manifest.

    Raises BadRelease, also where the form gives the golden film other probabilities: then nothing is written.
    """
    try:
        variant = release.manifest.variant(precision or release.manifest.default_precision)
    except KeyError as error:
        raise BadRelease(str(error.args[0])) from None
    grey = decode(release.read(release.manifest.golden_film)).pixels
    film = preprocess(grey, release.manifest.input)[np.newaxis]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            model = Path(scratch) / variant.file
            model.write_bytes(release.read(variant.file))
            xml = model.with_suffix(".xml")
            weights = convert(model, xml)
            logits = logits_of(xml, film)[0]
            given = [
                1 / (1 + math.exp(-(spec.calibration.slope * value + spec.calibration.intercept)))
                for spec, value in zip(variant.findings, logits, strict=True)
            ]
            gap = max(abs(variant.golden[s.name] - p) for s, p in zip(variant.findings, given, strict=True))
            if gap > GOLDEN_TOLERANCE:
                raise BadRelease(f"OpenVINO gives the golden film probabilities {gap:.4f} from what the release says")
            for made in (xml, weights):
                made.replace(out / made.name)
    except OSError as error:
        raise BadRelease(f"OpenVINO's files can't be written to {out.name}: {error.strerror or error}") from error
    return out / xml.name, gap
