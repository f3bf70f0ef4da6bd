"""The exported network as an MLflow model with its signature: `mlflow.onnx.load_model("runs:/RUN/model")`."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path

from hilum.release import Release
from training.tracking.place import quiet
from training.tracking.tracker import Tracker


def log_model(tracker: Tracker, release: Release, folder: str = "model") -> None:
    """Keep the ONNX file of the release's default precision under `folder`, named inputs and outputs as signature."""
    quiet()
    import mlflow.onnx  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    import onnx  # noqa: PLC0415
    from mlflow.models import ModelSignature  # noqa: PLC0415
    from mlflow.types import Schema, TensorSpec  # noqa: PLC0415

    manifest = release.manifest
    network = onnx.load_from_string(release.read(manifest.variant(manifest.default_precision).file))

    def schema(values: object) -> Schema:
        return Schema([TensorSpec(np.dtype(np.float32), _shape(value), value.name) for value in values])  # type: ignore[attr-defined]

    known = {tensor.name for tensor in network.graph.initializer}
    signature = ModelSignature(
        schema([value for value in network.graph.input if value.name not in known]), schema(network.graph.output)
    )
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / folder
        mlflow.onnx.save_model(
            network,
            str(path),
            signature=signature,
            pip_requirements=[f"{name}=={version(name)}" for name in ("onnx", "onnxruntime", "numpy")],
            metadata={"hilum.digest": release.digest, "findings": list(release.findings)},
        )
        tracker.artifact(path)


def _shape(value: object) -> tuple[int, ...]:
    dimensions = value.type.tensor_type.shape.dim  # type: ignore[attr-defined]
    return tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dimensions)
