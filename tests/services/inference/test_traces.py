"""Traces, as a collector receives them from a real process."""

from __future__ import annotations

import asyncio
import itertools
import signal

import httpx

from hilum import telemetry_traces
from hilum.clients.base import over_network
from hilum.clients.inference import InferenceClient
from hilum.release import Release
from tests.fixtures.collector import collector
from tests.releases import pattern_film
from tests.services.inference.test_over_http import process, wait_until_ready

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def test_a_film_is_one_trace_from_the_caller_to_the_model_and_names_no_patient(release: Release) -> None:
    with (
        collector() as (endpoint, spans),
        process(release.folder, HILUM_OTLP_ENDPOINT=endpoint, HILUM_DRAIN_SECONDS="0") as (running, url),
    ):
        wait_until_ready(url)
        answer = httpx.post(
            f"{url}/v1/predict?patient=DOE",
            files={"file": ("DOE^JOHN.png", pattern_film(0))},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Patient": "DOE"},
            trust_env=False,
        )
        assert answer.status_code == 200
        telemetry_traces.configure(endpoint, "caller")
        try:
            asyncio.run(_ask(url))
        finally:
            telemetry_traces.flush()
        running.send_signal(signal.SIGTERM)
        running.wait(20)
    mine = {span.name: span for _, span in spans if span.trace_id.hex() == TRACE}
    assert set(mine) == {"POST /v1/predict", "upload", "queue", "decode", "preprocess", "infer"}
    request = mine.pop("POST /v1/predict")
    assert request.parent_span_id.hex() == PARENT
    order = [mine[name] for name in ("upload", "queue", "decode", "preprocess", "infer")]
    for before, after in itertools.pairwise(order):
        assert before.end_time_unix_nano <= after.start_time_unix_nano + 1_000_000
    for span in order:
        assert span.parent_span_id == request.span_id
        assert request.start_time_unix_nano - 1_000_000 <= span.start_time_unix_nano <= span.end_time_unix_nano
    (call,) = [span for service, span in spans if service == "hilum-caller"]
    children = [(service, span.name) for service, span in spans if span.parent_span_id == call.span_id]
    assert children == [("hilum-inference", "POST /v1/predict")]
    assert "DOE" not in str(spans)


async def _ask(url: str) -> None:
    client = InferenceClient(over_network(url))
    await client.predict(pattern_film(1))


def test_without_an_endpoint_no_header_is_sent_and_nothing_of_opentelemetry_is_imported() -> None:
    import subprocess
    import sys

    code = (
        "import sys, services.inference.__main__\n"
        "from hilum import telemetry_traces as t\n"
        "t.configure('', 'x')\n"
        "with t.calling('GET') as carried: assert carried == {}\n"
        "with t.serving('GET', {}) as span: assert span is None\n"
        "assert not [m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
