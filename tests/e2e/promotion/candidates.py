"""Releases to promote, each signed: the bundled one (or a trained one, `train.py`) under another version, and bad ones

by surgery on its network.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import helper, numpy_helper

from hilum.release import Release, read_manifest, write_release
from hilum.release.signing import SIGNATURE_FILE
from tests.e2e.cluster.kube import ROOT

BUNDLED = ROOT / "models/default"
Surgery = Callable[[onnx.ModelProto], None]


def _between(
    model: onnx.ModelProto, output: str, make: Callable[[str], onnx.NodeProto], *more: onnx.TensorProto
) -> None:
    """Put a node before `output`: `make` is given the name under which what was there comes out now."""
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == output:
                node.output[place] = f"{output}_before"
    model.graph.node.append(make(f"{output}_before"))
    model.graph.initializer.extend(more)


def reordered(model: onnx.ModelProto) -> None:
    """Every finding under the next one's name; names, width and metadata as before."""
    width = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    order = numpy_helper.from_array(np.roll(np.arange(width), 1), "order")
    for n, output in enumerate(("logits", "activation")):
        more = (order,) if n == 0 else ()
        _between(model, output, lambda b, o=output: helper.make_node("Gather", [b, "order"], [o], axis=1), *more)  # type: ignore[misc]


def shuffled(model: onnx.ModelProto) -> None:
    """As after training on shuffled labels: answers that have nothing to do with the film's findings."""
    width = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    mixed = np.random.default_rng(3).normal(size=(width, width)).astype(np.float32) / np.sqrt(width)
    mixed -= mixed.mean(axis=0, keepdims=True)
    more = numpy_helper.from_array(mixed.astype(np.float32), "mixed")
    _between(model, "logits", lambda b: helper.make_node("MatMul", [b, "mixed"], ["logits"]), more)


def constant(model: onnx.ModelProto) -> None:
    """The same answer for every film."""
    more = numpy_helper.from_array(np.float32(0.0), "nothing")
    _between(model, "logits", lambda b: helper.make_node("Mul", [b, "nothing"], ["logits"]), more)


def not_numbers(model: onnx.ModelProto) -> None:
    """Weights that are no numbers."""
    more = numpy_helper.from_array(np.float32(np.nan), "broken")
    _between(model, "logits", lambda b: helper.make_node("Mul", [b, "broken"], ["logits"]), more)


def narrower(model: onnx.ModelProto) -> None:
    """One finding fewer in the network than in the manifest."""
    width = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    some = numpy_helper.from_array(np.arange(width - 1), "some")
    _between(model, "logits", lambda b: helper.make_node("Gather", [b, "some"], ["logits"], axis=1), some)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = width - 1


def half_the_light(model: onnx.ModelProto) -> None:
    """Preprocessing changed without a word of it in the manifest."""
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == "film":
                node.input[place] = "film_inside"
    model.graph.node.insert(0, helper.make_node("Mul", ["film", "light"], ["film_inside"]))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.35), "light"))


def miscalibrated(variant: dict[str, Any]) -> None:
    """Every probability far too high, the operating points with it: the same order and the same alerts."""
    for finding in variant["findings"]:
        slope = finding["calibration"]["slope"]
        finding["calibration"]["intercept"] += 4.0 * slope
        for point in ("alert", "rule_out"):
            at = finding[point]["threshold"]
            finding[point]["threshold"] = 1 / (1 + (1 - at) / at * math.exp(-4.0 * slope))


def make(
    folder: Path,
    version: str,
    key: Ed25519PrivateKey,
    surgery: Surgery | None = None,
    *,
    golden: bool = True,
    about: Callable[[dict[str, Any]], None] | None = None,
    base: Path = BUNDLED,
) -> Release:
    """A signed release in `folder`, made of the one in `base`.

    `golden`: the golden film's answers are those of the changed network, so that only what films say can find it out.
    `about` changes what the manifest says of the variant.
    """
    shutil.copytree(base, folder)
    manifest = read_manifest(folder)
    for name in ("manifest.json", SIGNATURE_FILE):
        (folder / name).unlink()
    path = folder / manifest.variants[0].file
    if surgery is not None:
        model = onnx.load(path)
        surgery(model)
        onnx.save(model, path)
    draft = {**manifest.document(), "version": version}
    draft.pop("files")
    draft["variants"] = json.loads(json.dumps(draft["variants"]))
    if about is not None:
        about(draft["variants"][0])
    if (surgery is None and about is None) or not golden:
        return write_release(folder, draft, key)
    shown = folder.with_name(f"{folder.name}-to-ask")
    shutil.copytree(folder, shown)
    draft["variants"][0]["golden"] = _answers(write_release(shown, draft, key))
    shutil.rmtree(shown)
    return write_release(folder, draft, key)


def _answers(release: Release) -> dict[str, float]:
    """What the release answers to its golden film, whatever its manifest says of it."""
    from hilum.imaging import decode
    from services.inference.providers import Wish
    from services.inference.scorer import open_scorer

    scorer = open_scorer(release, release.manifest.default_precision, Wish("cpu", 1, 1, ""))
    score = scorer.score(decode(release.read(release.manifest.golden_film)).pixels)
    return {finding.spec.name: finding.probability for finding in score.findings}
