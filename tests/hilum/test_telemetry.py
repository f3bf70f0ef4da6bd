"""Logs and request metrics tell what happened and never of whom."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hilum import problems, telemetry


@pytest.fixture
def client() -> TestClient:
    inner = FastAPI()
    problems.install(inner)

    @inner.get("/studies/{uid}")
    def study(uid: str) -> str:
        return uid

    @inner.get("/broken")
    def broken() -> None:
        raise RuntimeError("broken")

    telemetry.add_metrics_page(inner)
    inner.add_middleware(telemetry.RequestTelemetry, service="testing")
    outer = FastAPI()
    outer.mount("/inner", inner)
    return TestClient(outer, raise_server_exceptions=False)


def test_a_request_is_counted_by_its_route_also_where_the_application_is_mounted(client: TestClient) -> None:
    client.get("/inner/studies/1.2.3")
    client.get("/inner/nowhere/1.2.3")
    client.get("/inner/broken")
    page = client.get("/inner/metrics").text
    counts = [line for line in page.splitlines() if line.startswith('hilum_requests_total{method="GET"')]
    testing = sorted(line for line in counts if 'service="testing"' in line)
    assert [line.rpartition("route=")[2].split('"')[1] for line in testing if "metrics" not in line] == [
        "/broken",
        "/studies/{uid}",
        "unmatched",
    ]
    assert any('status="500"' in line and "/broken" in line for line in testing)
    assert "1.2.3" not in page


LOGGING = """
import logging, structlog
from hilum.telemetry import configure_logging
configure_logging("info", "json")
patient = "Doe^Jane"
logging.getLogger("uvicorn.error").info("started")
logging.getLogger("httpx").info("GET http://x/studies/1.2.3")
structlog.get_logger("hilum.test").warning("odd film", reason="blank")
structlog.get_logger("hilum.test").debug("not shown")
try:
    raise ValueError("broken")
except ValueError:
    structlog.get_logger("hilum.test").exception("unexpected")
"""


def test_every_line_is_json_with_level_time_and_no_local_variables() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["started", "odd film", "unexpected"]
    assert all(line["timestamp"].endswith("Z") and line["level"] for line in lines)
    assert "ValueError: broken" in lines[2]["exception"]
    assert "Doe" not in done.stderr.replace('patient = "Doe^Jane"', "")


def test_in_text_a_traceback_shows_no_local_variables() -> None:
    text = LOGGING.replace('"json"', '"text"')
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert "ValueError" in done.stderr
    assert "Doe" not in done.stderr


@pytest.mark.parametrize("library", ["urllib3.connectionpool", "botocore.endpoint", "httpcore.http11", "httpx"])
def test_at_debug_no_library_tells_the_address_of_a_film_in_the_object_store(library: str) -> None:
    """An object's key holds the SOPInstanceUID; found by `python -m tests.e2e.drift` on a cluster."""
    text = (
        "import logging; from hilum.telemetry import configure_logging; configure_logging('debug', 'json')\n"
        f"logging.getLogger({library!r}).debug('PUT /hilum-films/films/1.2.826.0.1/x')\n"
        "logging.getLogger('hilum.test').debug('shown')\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert "shown" in done.stderr
    assert "1.2.826" not in done.stderr


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("hilum").setLevel(logging.WARNING)
