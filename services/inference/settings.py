"""Settings of the inference service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from hilum.settings import REPOSITORY, ServiceSettings


class InferenceSettings(ServiceSettings):
    """What the inference service reads from the environment."""

    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    release: Path = Field(
        default=REPOSITORY / "models" / "default", description="Folder of the release that is served."
    )
    precision: str = Field(default="", description="Precision to serve (fp32, int8 ...); empty: the release's default.")
    trusted_keys: str = Field(
        default=str(REPOSITORY / "models" / "trusted-keys.txt"),
        description="File of public keys whose signature a release must carry; empty: hashes are checked alone.",
    )
    workers: int = Field(default=2, ge=1, le=64, description="Films decoded and scored at the same time.")
    threads: int = Field(default=1, ge=1, le=64, description="ONNX Runtime threads for one film.")
    queue: int = Field(default=32, ge=0, description="Requests that may wait for a worker; more are told to come back.")
    max_pixels: int = Field(default=50_000_000, gt=0, description="A film of more pixels is refused before decoding.")
    max_batch_size: int = Field(default=64, ge=1, description="Tensors in one request of the Open Inference Protocol.")
