"""What Prometheus reads of the model. Every series carries release (digest) and precision."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import Counter, Gauge, Histogram

from hilum import telemetry_traces
from hilum.wire import Prediction
from services.inference import several
from services.inference.scorer import Scorer
from services.inference.work import REASONS, Reason, WorkQueue

BEGAN = time.monotonic()
# `multiprocess_mode`: how the values of several processes become one (HILUM_PROCESSES).
MODEL_READY = Gauge("hilum_model_ready", "1 while a verified release is served, else 0.", multiprocess_mode="livemin")
MODEL_INFO = Gauge(
    "hilum_model_info",
    "1 for the release that is served.",
    ["release", "precision", "name", "version"],
    multiprocess_mode="livemax",
)
PROBABILITY = Histogram(
    "hilum_prediction_probability",
    "Calibrated probability of each scored film.",
    ["finding", "release", "precision"],
    buckets=(0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
)
PRESENT = Counter(
    "hilum_findings_present", "Films on which the finding reached its alert point.", ["finding", "release", "precision"]
)
SECONDS = Histogram(
    "hilum_predict_seconds",
    "Time of one film, by phase.",
    ["phase", "release", "precision"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0),
)
OUT_OF_DOMAIN = Counter(
    "hilum_films_out_of_domain",
    "Films that do not look like those the release was trained on.",
    ["release", "precision"],
)
QUEUE_DEPTH = Gauge("hilum_queue_depth", "Requests that wait for a worker.", multiprocess_mode="livesum")
WORKERS_BUSY = Gauge("hilum_workers_busy", "Workers that decode or score.", multiprocess_mode="livesum")
WORKERS = Gauge("hilum_workers", "Films that can be decoded or scored at once.", multiprocess_mode="livesum")
SHEDS = Counter("hilum_sheds", "Requests told to come back, by reason.", ["reason"])
BATCH = Histogram(
    "hilum_batch_films",
    "Films in one call of the model.",
    ["release", "precision"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
MODEL_MEMORY = Gauge(
    "hilum_model_memory_bytes",
    "By how much opening the model raised the process's resident memory.",
    ["release", "precision"],
    multiprocess_mode="livesum",
)
START = Gauge(
    "hilum_start_seconds",
    "Seconds from the process's start to the first served release.",
    multiprocess_mode="livemax",
)
PROVIDER = Gauge(
    "hilum_provider_info",
    "1 for the execution provider that runs the model.",
    ["release", "precision", "provider", "runtime", "version"],
    multiprocess_mode="livemax",
)
SAMPLE_SECONDS = 1.0
PHASES = ("decode", "preprocess", "queue", "infer")


def watch(queue: WorkQueue) -> None:
    """Let the gauges of the queue follow `queue`, and start every reason of a refusal at 0."""
    if not several.is_child():
        QUEUE_DEPTH.set_function(lambda: queue.waiting)
        WORKERS_BUSY.set_function(lambda: queue.running)
    WORKERS.set(queue.workers)
    for reason in REASONS:
        SHEDS.labels(reason)


async def sample(queue: WorkQueue) -> None:
    """Where several processes share their counts, functions can't be asked: write the queue's gauges each second."""
    while True:
        QUEUE_DEPTH.set(queue.waiting)
        WORKERS_BUSY.set(queue.running)
        await asyncio.sleep(SAMPLE_SECONDS)


def shed(reason: Reason) -> None:
    """Count one request that was told to come back."""
    SHEDS.labels(reason).inc()


def announce(scorer: Scorer) -> None:
    """Start every series of `scorer`'s release at 0, so that its first count is seen as an increase."""
    digest, precision = scorer.release.digest, scorer.variant.precision
    for name in scorer.manifest.findings:
        PROBABILITY.labels(name, digest, precision)
        PRESENT.labels(name, digest, precision)
    for phase in PHASES:
        SECONDS.labels(phase, digest, precision)
    OUT_OF_DOMAIN.labels(digest, precision)
    MODEL_INFO.labels(digest, precision, scorer.manifest.name, scorer.manifest.version).set(1)
    BATCH.labels(digest, precision)
    opened = scorer.opened
    MODEL_MEMORY.labels(digest, precision).set(opened.memory_bytes)
    PROVIDER.labels(digest, precision, opened.session.provider, opened.runtime, opened.version).set(1)
    START.set(time.monotonic() - BEGAN)
    MODEL_READY.set(1)


def observe(answer: Prediction) -> None:
    """Count one answer."""
    labels = (answer.release.digest, answer.release.precision)
    for item in answer.findings:
        PROBABILITY.labels(item.name, *labels).observe(item.probability)
        if item.present:
            PRESENT.labels(item.name, *labels).inc()
    if not answer.domain.in_domain:
        OUT_OF_DOMAIN.labels(*labels).inc()
    exemplar = telemetry_traces.exemplar()
    for phase in PHASES:
        SECONDS.labels(phase, *labels).observe(getattr(answer.timings, f"{phase}_seconds"), exemplar)
