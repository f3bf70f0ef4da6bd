"""Settings of the inference service."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
    provider: Literal["auto", "cpu", "openvino", "cuda", "tensorrt"] = Field(
        default="cpu", description="What runs the model; auto: the fastest that is here, at the same precision."
    )
    engine_cache: str = Field(default="", description="Folder in which TensorRT keeps what it built; empty: nowhere.")
    processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes on the port, each with its own workers, queue and copy of the model.",
    )
    workers: int = Field(default=2, ge=1, le=64, description="Films decoded and scored at the same time.")
    threads: int = Field(default=1, ge=1, le=64, description="ONNX Runtime threads for one film.")
    lanes: int = Field(
        default=0, ge=0, le=64, description="Calls of the model at once; 0: one a worker, on a GPU one in all."
    )
    queue: int = Field(default=32, ge=0, description="Requests that may wait for a worker; more are told to come back.")
    deadline_seconds: float = Field(
        default=10.0, gt=0, description="A request that can't be answered within this is told at once to come back."
    )
    client_header: str = Field(
        default="",
        description="Header whose value tells clients apart, as they take turns; empty: the sender's address.",
    )
    drain_seconds: float = Field(
        default=3.0, ge=0, description="On SIGTERM: how long requests are still taken while /readyz already says no."
    )
    rest_seconds: float = Field(
        default=60.0, gt=0, description="When no film came for this long, free memory is given back to the system."
    )
    grace_seconds: int = Field(default=30, ge=1, description="How long requests under way then get to be answered.")
    max_pixels: int = Field(default=50_000_000, gt=0, description="A film of more pixels is refused before decoding.")
    max_batch_size: int = Field(default=64, ge=1, description="Tensors in one request of the Open Inference Protocol.")
    max_films: int = Field(default=16, ge=1, le=256, description="Films of one study in one request.")
    grpc_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the Open Inference Protocol over gRPC; 0: off."
    )
    grpc_max_bytes: int = Field(
        default=16_000_000, ge=1_000, le=2**31 - 1, description="A gRPC message above this is refused (16 MB)."
    )
    grpc_max_calls: int = Field(
        default=64, ge=1, description="gRPC calls at the same time; more are told to come back."
    )
    max_bytes_in_flight: int = Field(
        default=512_000_000,
        gt=0,
        description="Bytes of all bodies held at the same time; beyond it a sender is told to come back (512 MB).",
    )
