"""Tiny real releases for tests: an ONNX graph of a few nodes that sees which block of a 4 x 4 grid is bright.

Finding k fires for a film whose k-th block is bright (`pattern_film(k)`), so that a test sees at once when a name and
a probability do not belong together. Its embedding also holds how rough the film is, so that pure noise
(`noise_film()`) is out of its domain while patterns and real films are not. Everything else (hashes, signature,
calibration, domain, golden film) is real.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from hilum.findings import finding
from hilum.imaging.preprocess import preprocess
from hilum.release import InputSpec, Release, domain, write_release
from hilum.release.signing import new_key, public_text

# Not in any alphabetical or data set's order: a server that sorts is found out.
FINDINGS = ("Effusion", "Atelectasis", "Pneumothorax", "Hernia", "Cardiomegaly")
GRID = 4
SIDE = 128
GAIN = 2.0
BIAS = -3.0
ALERT = 0.6
RULE_OUT = 0.2


def pattern(block: int | None, side: int = 256) -> npt.NDArray[np.uint8]:
    """A dark film (side, side) whose `block`-th block (row by row) is bright; None: soft blotches everywhere."""
    if block is None:
        rng = np.random.default_rng(7)
        coarse = rng.integers(60, 180, (GRID, GRID), dtype=np.uint8)
        return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BILINEAR))
    film = np.full((side, side), 20, dtype=np.uint8)
    step = side // GRID
    row, column = divmod(block, GRID)
    film[row * step : (row + 1) * step, column * step : (column + 1) * step] = 230
    return film


def png(pixels: npt.NDArray[Any]) -> bytes:
    """`pixels` as a PNG file."""
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def pattern_film(block: int | None, side: int = 256) -> bytes:
    """The PNG file of `pattern(block)`: finding number `block` of a tiny release is present, no other."""
    return png(pattern(block, side))


def tiny_model(findings: Sequence[str], gain: float = GAIN, spec: InputSpec | None = None) -> bytes:
    """The ONNX file: activation = pooled film times each finding's block, logit = its mean plus bias."""
    width = len(findings)
    blocks = np.zeros((1, width, GRID, GRID), dtype=np.float32)
    for k in range(width):
        blocks[0, k, k // GRID, k % GRID] = gain * GRID * GRID
    nodes = [
        helper.make_node("AveragePool", ["film"], ["pooled"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Mul", ["pooled", "blocks"], ["activation"]),
        helper.make_node("ReduceMean", ["activation"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["mean", "bias"], ["logits"]),
        helper.make_node("AveragePool", ["film"], ["smooth"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Sub", ["film", "smooth"], ["rough"]),
        helper.make_node("Abs", ["rough"], ["roughness"]),
        helper.make_node("GlobalAveragePool", ["roughness"], ["one"]),
        helper.make_node("Mul", ["one", "gain"], ["texture"]),
        helper.make_node("Flatten", ["pooled"], ["places"], axis=1),
        helper.make_node("Flatten", ["texture"], ["grain"], axis=1),
        helper.make_node("Concat", ["places", "grain"], ["embedding"], axis=1),
    ]
    shapes = {
        "logits": ["batch", width],
        "activation": ["batch", width, GRID, GRID],
        "embedding": ["batch", GRID * GRID + 1],
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("film", TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [
            numpy_helper.from_array(blocks, "blocks"),
            numpy_helper.from_array(np.full(width, BIAS, dtype=np.float32), "bias"),
            numpy_helper.from_array(np.full((1, 1, 1, 1), 20.0, dtype=np.float32), "gain"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    spec = spec or InputSpec(height=SIDE, width=SIDE)
    helper.set_model_props(model, {"findings": json.dumps(list(findings)), "input": spec.model_dump_json()})
    return bytes(model.SerializeToString())


def _run(model: bytes, films: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
    spec = InputSpec(height=SIDE, width=SIDE)
    batch = np.stack([preprocess(film.astype(np.float32) / np.float32(255), spec) for film in films])
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return list(session.run(["logits", "embedding"], {"film": batch}))


def noise_film(side: int = 256) -> bytes:
    """The PNG file of pure noise: out of a tiny release's domain."""
    return png(np.random.default_rng(5).integers(0, 256, (side, side), dtype=np.uint8))


def _training_films(count: int) -> list[npt.NDArray[np.uint8]]:
    """Patterns and blotches, more or less grainy: what the domain statistics of a tiny release are fitted on."""
    rng = np.random.default_rng(3)
    films = []
    for k in range(count):
        coarse = rng.integers(20, 235, (GRID, GRID), dtype=np.uint8)
        blotches = Image.fromarray(coarse).resize((256, 256), Image.Resampling.BILINEAR)
        film = pattern(k // 2 % (GRID * GRID)) if k % 2 else np.asarray(blotches)
        grain = np.asarray(Image.fromarray(rng.normal(0, 1, (128, 128))).resize((256, 256)))
        films.append(np.clip(film + rng.uniform(2, 14) * grain, 0, 255).astype(np.uint8))
    return films


def tiny_draft(findings: Sequence[str], golden: dict[str, float], **variant: Any) -> dict[str, Any]:
    """The manifest of a tiny release without `files`; `variant` replaces fields of its one variant."""
    point = {
        "sensitivity": {"value": 0.9, "low": 0.8, "high": 1.0},
        "specificity": {"value": 0.95, "low": 0.9, "high": 1},
    }
    return {
        "name": "tiny",
        "version": "1.0.0",
        "created": "2026-01-01T00:00:00Z",
        "commit": "0" * 40,
        "run": "tests",
        "training_data_digest": "0" * 64,
        "findings": list(findings),
        "input": InputSpec(height=SIDE, width=SIDE).model_dump(),
        "variants": [
            {
                "file": "model-fp32.onnx",
                "precision": "fp32",
                "findings": [
                    {
                        "name": name,
                        "established": name != "Hernia",
                        "positive_patients": 3 if name == "Hernia" else 30,
                        "calibration": {"slope": 1.0, "intercept": 0.0},
                        "rule_out": {"threshold": RULE_OUT, **point},
                        "alert": {"threshold": ALERT, **point},
                    }
                    for name in findings
                ],
                "critical_margin": 1.0,
                "domain": {
                    "file": "domain.npz",
                    "threshold": 2.5,
                    "false_refusal": {"value": 0.0, "low": 0.0, "high": 0.01},
                },
                "golden": golden,
                **variant,
            }
        ],
    }


def make_tiny_release(
    folder: Path,
    findings: Sequence[str] = FINDINGS,
    *,
    key: Ed25519PrivateKey | None = None,
    onnx_findings: Sequence[str] | None = None,
    gain: float = GAIN,
    golden_shift: float = 0.0,
    onnx_input: InputSpec | None = None,
    version: str = "1.0.0",
    name: str = "tiny",
    **variant: Any,
) -> Release:
    """Write a signed release of `findings` (known names, at most 16) into `folder` and read it back.

    Defects: `onnx_findings` (other names, order or number in the ONNX file than in the manifest), `gain` NaN (broken
    weights), `golden_shift` (golden probabilities that the model does not give), `onnx_input` (another normalisation
    in the ONNX file); `variant` replaces fields of the manifest's variant.
    """
    for each in findings:
        finding(each)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model-fp32.onnx").write_bytes(tiny_model(onnx_findings or findings, gain, onnx_input))
    sound = tiny_model(findings)
    golden_film = pattern(0, 128)
    (folder / "golden.png").write_bytes(png(golden_film))
    logits, _ = _run(sound, [golden_film])
    golden = {
        each: min(float(1 / (1 + np.exp(-logit))) + golden_shift, 1.0)
        for each, logit in zip(findings, logits[0], strict=True)
    }
    domain.write(domain.fit(_run(sound, _training_films(96))[1], components=12), folder / "domain.npz")
    (folder / "evaluation.json").write_text("{}\n", encoding="utf-8")
    (folder / "MODEL_CARD.md").write_text("# A tiny release for tests\n", encoding="utf-8")
    draft = {**tiny_draft(findings, golden, **variant), "version": version, "name": name}
    return write_release(folder, draft, key or new_key())


def trust(path: Path, key: Ed25519PrivateKey) -> Path:
    """Write a file of trusted keys that holds `key`'s public half."""
    path.write_text(f"# who may release\n{public_text(key)}\n", encoding="utf-8")
    return path


__all__ = [
    "ALERT",
    "FINDINGS",
    "make_tiny_release",
    "noise_film",
    "pattern",
    "pattern_film",
    "png",
    "tiny_draft",
    "tiny_model",
    "trust",
]
