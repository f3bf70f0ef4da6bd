"""A release as a model repository for NVIDIA's Triton: NAME/config.pbtxt, NAME/labels.txt, NAME/1/model.onnx.

Triton gives logits; calibration, operating points and the domain check stay with whoever reads the release's manifest,
which lies beside the model. Fields as in Triton's `model_config.proto`.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import onnxruntime as ort

from hilum.release import BadRelease, Release, Variant, check_session

MAX_BATCH_SIZE = 64
PREFERRED_BATCHES = (8, 16, 32)
# How long a film may wait for company: a fraction of what a film costs, so that a lone film loses little.
QUEUE_DELAY_MICROSECONDS = 2000


def _text(value: str) -> str:
    # JSON's escapes are those of protobuf's text format for the characters that a name may have.
    return json.dumps(value)


def _dims(shape: list[int | str | None]) -> str:
    """Sizes behind the batch; one that the file leaves open is -1."""
    return ", ".join(str(size if isinstance(size, int) else -1) for size in shape[1:])


def config(release: Release, variant: Variant, session: ort.InferenceSession) -> str:
    """The text of config.pbtxt."""
    manifest = release.manifest
    inputs = [
        f"  {{ name: {_text(i.name)} data_type: TYPE_FP32 dims: [ {_dims(i.shape)} ] }}" for i in session.get_inputs()
    ]
    outputs = [
        f"  {{ name: {_text(o.name)} data_type: TYPE_FP32 dims: [ {_dims(o.shape)} ]"
        + (' label_filename: "labels.txt" }' if o.name == "logits" else " }")
        for o in session.get_outputs()
    ]
    facts = {
        "hilum.release": release.digest,
        "hilum.version": manifest.version,
        "hilum.precision": variant.precision,
        "hilum.input": manifest.input.model_dump_json(),
    }
    lines = [
        f"name: {_text(manifest.name)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {MAX_BATCH_SIZE}",
        "input [",
        ",\n".join(inputs),
        "]",
        "output [",
        ",\n".join(outputs),
        "]",
        "dynamic_batching {",
        f"  preferred_batch_size: [ {', '.join(map(str, PREFERRED_BATCHES))} ]",
        f"  max_queue_delay_microseconds: {QUEUE_DELAY_MICROSECONDS}",
        "}",
        *(
            f"parameters {{ key: {_text(key)} value: {{ string_value: {_text(value)} }} }}"
            for key, value in facts.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def write_repository(release: Release, precision: str, out: Path) -> Path:
    """Write the repository's folder for this release under `out` and return it; raises BadRelease.

    Nothing is left where it cannot be written whole, and a folder that is there already is never changed.
    """
    try:
        variant = release.manifest.variant(precision or release.manifest.default_precision)
    except KeyError as error:
        raise BadRelease(str(error.args[0])) from None
    target = out / release.manifest.name
    if target.exists():
        raise BadRelease(f"{target.name} is already in the repository: remove it, or name another folder")
    model = release.read(variant.file)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    check_session(session, release.manifest)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            folder = Path(scratch) / "model"
            (folder / "1").mkdir(parents=True)
            (folder / "config.pbtxt").write_text(config(release, variant, session), encoding="utf-8")
            (folder / "labels.txt").write_text("\n".join(release.findings) + "\n", encoding="utf-8")
            (folder / "1" / "model.onnx").write_bytes(model)
            shutil.copy(release.folder / "manifest.json", folder / "manifest.json")
            folder.rename(target)
    except OSError as error:
        raise BadRelease(f"the repository can't be written to {out.name}: {error.strerror or error}") from error
    return target
