"""Releases that go wrong as real ones do: one that fails on most films, one whose second precision is no good."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import helper

from hilum.imaging import decode
from hilum.release import BadRelease, Release, read_manifest, write_release
from hilum.release.signing import SIGNATURE_FILE
from services.inference.providers import Wish
from services.inference.scorer import open_scorer
from tests.e2e.promotion.candidates import BUNDLED
from tests.e2e.promotion.surgery import add, fails, logits, work

# Rows of matrices whose product takes a second and more.
SIDE = 2200


def slow_and_shuffled(model: onnx.ModelProto) -> None:
    """Answers that have nothing to do with the film's findings, each after a second or more."""
    before = logits(model)
    width = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    mixed = np.random.default_rng(3).normal(size=(width, width)).astype(np.float32) / np.sqrt(width)
    mixed -= mixed.mean(axis=0, keepdims=True)
    add(
        model,
        helper.make_node("MatMul", [before, "mixed"], ["logits_mixed"]),
        helper.make_node("Add", ["logits_mixed", work(model, SIDE)], ["logits"]),
        mixed=mixed.astype(np.float32),
    )


def failing(folder: Path, key: Ed25519PrivateKey) -> Release:
    """The release that fails on most films, and not on its golden one."""
    from tests.e2e.promotion import candidates

    for digits in (9_973, 9_967, 9_949, 9_941, 9_931, 9_929, 9_923, 9_907):
        try:
            for used in (folder, folder.with_name(f"{folder.name}-to-ask")):
                shutil.rmtree(used, ignore_errors=True)
            # About two films in three, by the last digits of their mean; the rest is called far too often.
            return candidates.make(folder, "2.0.0", key, fails(0.35, 4.0, digits))
        except Exception as error:
            kept = error
    raise BadRelease(f"no release of this kind scores its own golden film: {kept}")


def two_precisions(folder: Path, key: Ed25519PrivateKey) -> Release:
    """fp32 is the bundled network; what calls itself int8 is slow and shuffled. One manifest, so one digest."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(BUNDLED, folder)
    manifest = read_manifest(folder)
    for name in ("manifest.json", SIGNATURE_FILE):
        (folder / name).unlink()
    model = onnx.load(folder / manifest.variants[0].file)
    slow_and_shuffled(model)
    onnx.save(model, folder / "model.int8.onnx")
    draft = {**manifest.document(), "version": "2.1.0"}
    draft.pop("files")
    good = json.loads(json.dumps(draft["variants"][0]))
    bad = {**json.loads(json.dumps(good)), "precision": "int8", "file": "model.int8.onnx"}
    draft["variants"] = [good, bad]
    # Asked once, so that the release says of itself what it answers: only labelled films can find it out.
    asked = folder.with_name(f"{folder.name}-to-ask")
    shutil.rmtree(asked, ignore_errors=True)
    shutil.copytree(folder, asked)
    release = write_release(asked, draft, key)
    scorer = open_scorer(release, "int8", Wish("cpu", 1, 1, ""))
    score = scorer.score(decode(release.read(release.manifest.golden_film)).pixels)
    bad["golden"] = {finding.spec.name: finding.probability for finding in score.findings}
    shutil.rmtree(asked)
    return write_release(folder, draft, key)
