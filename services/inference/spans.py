"""A film's way as spans: upload, queue, decode, preprocess, infer."""

from __future__ import annotations

from hilum import telemetry_traces
from services.inference.assess import Assessment
from services.inference.work import Waited


def tell(done: Waited[Assessment]) -> None:
    """Tell the phases of one scored film, within the span of its request."""
    if not telemetry_traces.on():
        return
    at = done.began - done.queue_seconds
    telemetry_traces.tell_since_request("upload", at)
    phases = {
        "queue": done.queue_seconds,
        "decode": done.result.decode_seconds,
        "preprocess": done.result.score.preprocess_seconds,
        "infer": done.result.score.infer_seconds,
    }
    for name, seconds in phases.items():
        telemetry_traces.tell(name, at, at + seconds)
        at += seconds
