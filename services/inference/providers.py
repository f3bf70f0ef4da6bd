"""Which execution provider runs a variant: the one that was asked for, or among those here the fastest. Never another
precision: thresholds belong to it.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import onnxruntime as ort

from hilum.release import BadRelease, Release, Variant, check_session
from hilum.release.bundle import OUTPUTS
from services.inference.sessions import ORT_PROVIDERS, OpenVinoSession, OrtSession, Session, describe, ort_options

Name = Literal["cpu", "openvino", "cuda", "tensorrt"]
NAMES: tuple[Name, ...] = get_args(Name)
_MEASURED = 5
# What to install where a provider is asked for and not there.
_REMEDY = {
    "openvino": "install requirements/serve-openvino.txt",
    "cuda": "install requirements/serve-gpu.txt, on a machine with an NVIDIA driver",
    "tensorrt": "install requirements/serve-gpu.txt, on a machine with an NVIDIA driver and TensorRT",
}


@dataclass(frozen=True)
class Wish:
    """What the settings ask for. `streams`: calls of the model at the same time. `engine_cache`: TensorRT's folder."""

    provider: Name | Literal["auto"] = "cpu"
    threads: int = 1
    streams: int = 1
    engine_cache: str = ""


@dataclass(frozen=True, eq=False)
class Opened:
    """A session, why it is this one, what runs it, and by how much opening it raised the process's memory."""

    session: Session
    why: str
    runtime: str
    version: str
    memory_bytes: int


def available() -> tuple[Name, ...]:
    """The providers whose runtime is installed; whether a device is there shows when one is opened."""
    built = set(ort.get_available_providers())
    return tuple(
        name
        for name in NAMES
        if (importlib.util.find_spec("openvino") if name == "openvino" else ORT_PROVIDERS[name][0] in built)
    )


def resident_bytes() -> int:
    """This process's memory now; 0 where the system doesn't say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123 - not a file, read once
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def open_variant(release: Release, variant: Variant, wish: Wish) -> Opened:
    """Check the variant's model against the manifest and open it as `wish` says; raises BadRelease.

    The bytes are those whose hash was checked.
    """
    model = release.read(variant.file)
    _check(release, variant, model)
    before = resident_bytes()
    if wish.provider == "auto":
        session, why = _fastest(release, variant, model, wish)
    else:
        session, why = _open(release, variant, model, wish.provider, wish), "asked for by HILUM_PROVIDER"
    return Opened(session, why, **describe(session), memory_bytes=max(resident_bytes() - before, len(model)))


def _check(release: Release, variant: Variant, model: bytes) -> None:
    """Compare the file with the manifest, whoever runs it later; not optimised: this session only says what it is."""
    options = ort_options(1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # onnxruntime raises classes of its own native module, whose common base is Exception.
    except Exception as error:
        raise BadRelease(f"ONNX Runtime can't open {variant.file}: {error}") from error
    check_session(session, release.manifest)


def _open(release: Release, variant: Variant, model: bytes, name: Name, wish: Wish) -> Session:
    if name not in available():
        raise BadRelease(f"HILUM_PROVIDER={name} is not here: {_REMEDY.get(name, 'install onnxruntime')}")
    try:
        if name != "openvino":
            return OrtSession(model, name, wish.threads, variant.precision, wish.engine_cache)
        if variant.openvino is None:
            return OpenVinoSession(model, wish.threads, wish.streams, variant.precision)
        graph, weights = release.read(variant.openvino.xml), release.read(variant.openvino.bin)
        return OpenVinoSession(graph, wish.threads, wish.streams, variant.precision, weights)
    except BadRelease:
        raise
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        remedy = f"; {_REMEDY[name]}" if name in _REMEDY else ""
        raise BadRelease(f"{name} can't run {variant.file}: {first}{remedy}") from error


def _fastest(release: Release, variant: Variant, model: bytes, wish: Wish) -> tuple[Session, str]:
    """By the release's own speed test where it knows every provider that is here, else by a short one now."""
    here: dict[Name, Session] = {}
    for name in available():
        try:
            here[name] = _open(release, variant, model, name, wish)
        except BadRelease:
            if name == "cpu":
                raise
    if len(here) == 1:
        (name,) = here
        return here[name], f"auto: only {name} is here"
    told = _told(variant, wish.threads)
    if told.keys() >= here.keys():
        times, whose = {name: told[name] for name in here}, "the release's speed test"
    else:
        shape = (1, 1, release.manifest.input.height, release.manifest.input.width)
        film = np.zeros(shape, dtype=np.float32)
        times = {name: _milliseconds(lambda s=session: s.run(OUTPUTS, film)) for name, session in here.items()}  # type: ignore[misc]
        whose = "a measurement at the start"
    best = min(here, key=lambda name: times[name])
    listed = ", ".join(f"{name} {times[name]:.1f} ms" for name in sorted(here, key=lambda name: times[name]))
    return here[best], f"auto: the fastest by {whose} ({listed})"


def _told(variant: Variant, threads: int) -> dict[str, float]:
    """Milliseconds of one film by provider, from the rows for as many threads; none from rows for others."""
    rows = [row for row in variant.speed if row.batch == 1 and row.threads == threads]
    return {row.provider: row.ms_per_film for row in rows}


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(_MEASURED):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times) * 1e3
