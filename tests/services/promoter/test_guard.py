"""The guard's questions, asked of a real Prometheus whose past was written for the test."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from hilum.gates import GateRecord
from hilum.gates.plan import load_plan
from services.promoter.bundle import Bundle
from services.promoter.guard import Guard
from services.promoter.prometheus import Prometheus
from services.promoter.promotion import Candidate, Promotion
from services.promoter.states import State
from tests.fixtures.ports import free_ports
from tests.fixtures.real import cannot_start

OLD, NEW = "a" * 64, "b" * 64
MINUTES = 60
# Of a release: counts a minute of reads that agree and disagree, of alerts and of findings scored.
Rates = tuple[int, int, int, int]


def past(since: datetime, old: Rates, new: Rates | None, drift: int | None = None) -> str:
    """An hour of the release before, then an hour of the new one; None: nothing of it. `drift`: the job's alarm."""
    values: dict[str, list[str]] = {"reads": [], "findings_present": [], "prediction_probability_count": []}
    for release, rates, start in ((OLD, old, since - timedelta(hours=1)), (NEW, new, since)):
        if rates is None:
            continue
        place = f'environment="production",release="{release}",finding="Effusion"'
        for minute in range(MINUTES):
            at = (start + timedelta(minutes=minute)).timestamp()
            for said, rate in zip(("agree", "disagree"), rates[:2], strict=True):
                labels = f'{place},blind="true",agreement="{said}"'
                values["reads"].append(f"hilum_reads_total{{{labels}}} {rate * minute} {at}")
            for name, rate in zip(("findings_present", "prediction_probability_count"), rates[2:], strict=True):
                suffix = "_total" if name == "findings_present" else ""
                values[name].append(f"hilum_{name}{suffix}{{{place}}} {rate * minute} {at}")
    lines = []
    if drift is not None:
        minutes = [(since + timedelta(minutes=minute)).timestamp() for minute in range(MINUTES + 1)]
        place = f'environment="production",site="north",release="{NEW}"'
        lines = ["# TYPE hilum_drift_alarm gauge", *(f"hilum_drift_alarm{{{place}}} {drift} {at}" for at in minutes)]
    for name, samples in values.items():
        kind = "counter" if name != "prediction_probability_count" else "unknown"
        lines += [f"# TYPE hilum_{name} {kind}", *sorted(samples, key=lambda line: line.rsplit(" ", 2)[0])]
    return "\n".join([*lines, "# EOF", ""])


@contextmanager
def prometheus(folder: Path, text: str) -> Iterator[str]:
    """A Prometheus that knows `text` (OpenMetrics) and scrapes nothing; its address."""
    for needed in ("prometheus", "promtool"):
        if shutil.which(needed) is None:
            cannot_start(needed, FileNotFoundError("apt-get install prometheus"))
    (folder / "past").write_text(text, encoding="utf-8")
    (folder / "none.yml").write_text("scrape_configs: []\n", encoding="utf-8")
    data = folder / "data"
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "past"), str(data)]
    subprocess.run(command, check=True, capture_output=True)
    (port,) = free_ports(1)
    running = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={folder / 'none.yml'}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                if httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        yield url
    finally:
        running.terminate()
        running.wait(20)


@pytest.fixture
def asked(tmp_path: Path) -> Callable[[Rates, Rates | None], GateRecord]:
    def ask(old: Rates, new: Rates | None, drift: int | None = None) -> GateRecord:
        now = datetime.now(UTC)
        since = now - timedelta(hours=1)
        with prometheus(tmp_path, past(since, old, new, drift)) as url:
            return guarded(url, since, now)

    return ask


def guarded(url: str, since: datetime, now: datetime) -> GateRecord:
    plan = load_plan()
    base = {"production": Bundle(OLD, "fp32", (), "main")}
    candidate = Candidate("hilum-default", "7", "1.2.0", NEW, "fp32")
    promotion = Promotion(1, candidate, State.GUARDED, 3, since, since, base)
    return Guard(Prometheus(url, plan), plan)(promotion, now)


def test_a_release_that_agrees_as_the_one_before_passes(asked: Callable[..., GateRecord]) -> None:
    record = asked((45, 5, 5, 100), (45, 5, 5, 100))
    assert [(check.verdict, check.n > 2_000) for check in record.checks[:3]] == [("pass", True)] * 3
    assert (record.checks[3].name, record.checks[3].verdict) == ("drift", "reported")
    assert record.verdict == "pass"


def test_a_release_that_readers_contradict_more_often_fails(asked: Callable[..., GateRecord]) -> None:
    record = asked((45, 5, 5, 100), (35, 15, 5, 100))
    assert record.verdict == "fail"
    assert [check.verdict for check in record.checks[:3]] == ["fail", "pass", "pass"]


def test_a_release_that_calls_far_more_films_fails(asked: Callable[..., GateRecord]) -> None:
    record = asked((45, 5, 5, 100), (45, 5, 40, 100))
    assert [check.verdict for check in record.checks[:3]] == ["pass", "fail", "pass"]


def test_an_alarm_of_the_drift_job_waits_for_a_person_and_rejects_nothing(asked: Callable[..., GateRecord]) -> None:
    record = asked((45, 5, 5, 100), (45, 5, 5, 100), 1)
    assert [check.verdict for check in record.checks] == ["pass", "pass", "pass", "inconclusive"]
    assert record.verdict == "inconclusive"


def test_silence_since_the_switch_is_neither_pass_nor_fail(asked: Callable[..., GateRecord]) -> None:
    assert asked((45, 5, 5, 100), None).verdict == "inconclusive"


def test_a_prometheus_that_is_away_is_an_error_and_no_rejection() -> None:
    now, (nobody,) = datetime.now(UTC), free_ports(1)
    assert guarded(f"http://127.0.0.1:{nobody}", now - timedelta(hours=1), now).verdict == "error"
