"""`python -m bench.drift_job`: the drift job over 10,000 films on one core; writes its CSV to docs/benchmarks/.

Rows are made (a body as inference gives it, 14 findings with codes and features), in SQLite; the job is the CronJob's
own process, with the bundled release's reference statistics.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import insert

from bench.machine import describe
from hilum.drift.quality import NAMES
from hilum.findings import finding
from hilum.release import read_release
from hilum.release.pose import KINDS
from hilum.storage import make_engine, session_factory, upgrade
from services.web.context import utc_now
from services.web.settings import WebSettings
from services.web.tables import Film, Prediction, Study
from services.web.work import MIGRATIONS
from tests.fixtures.processes import ServiceProcess

ROOT = Path(__file__).resolve().parent.parent
PART = 1000


def fill(database: str, count: int, digest: str, precision: str, names: tuple[str, ...]) -> None:
    """`count` films of as many patients over two weeks."""
    engine = make_engine(database)
    upgrade(engine, "web", MIGRATIONS)
    chance, now = np.random.default_rng(1), utc_now()
    codes = {name: finding(name).code for name in names}
    for start in range(0, count, PART):
        rows: dict[Any, list[dict[str, Any]]] = {Study: [], Film: [], Prediction: []}
        for k in range(start, min(start + PART, count)):
            at = now - timedelta(days=14) * (count - k) / count
            rows[Study].append(
                {"uid": f"2.25.{k}", "patient_id": f"p{k}", "site": "NORTH", "arrived_at": at, "status": "read",
                 "band": "routine", "score": 0.1, "reason": "", "due_at": at, "answer_version": 1, "blind": False,
                 "synthetic": False}
            )  # fmt: skip
            rows[Film].append(
                {"uid": f"2.25.{k}.1", "study_uid": f"2.25.{k}", "number": 1, "sha256": f"{k:064x}", "blob_key": "x",
                 "byte_count": 1, "media_type": "image/png", "file_name": "x", "view": "PA" if k % 3 else "AP",
                 "width": 1500 + 500 * (k % 4), "height": 2000 + k % 7, "bits": 8, "lossy": False,
                 "arrived_at": at, "warnings": [],
                 "state": "scored", "attempts": 1, "next_try": at}
            )  # fmt: skip
            chances = 1 / (1 + np.exp(-chance.normal(-3, 1, len(names))))
            found = [
                {"name": name, "code": {"value": codes[name].value, "scheme": codes[name].scheme,
                 "meaning": codes[name].meaning}, "probability": float(p), "rule_out": 0.05, "alert": 0.2,
                 "present": bool(p > 0.2), "established": True}
                for name, p in zip(names, chances, strict=True)
            ]  # fmt: skip
            body = {
                "findings": found,
                "domain": {"in_domain": True, "score": float(chance.normal(1, 0.1)), "threshold": 2.0, "reason": None},
                "features": {
                    "quality": dict(zip(NAMES, chance.normal(0.5, 0.05, len(NAMES)).tolist(), strict=True)),
                    "places": chance.normal(size=16).tolist(),
                    "pose": chance.normal(-5, 1, len(KINDS)).tolist(),
                },
            }
            rows[Prediction].append(
                {"film_uid": f"2.25.{k}.1", "release_digest": digest, "precision": precision, "payload": body,
                 "made_at": at}
            )  # fmt: skip
        with session_factory(engine).begin() as session:
            for table, made in rows.items():
                session.execute(insert(table), made)
    engine.dispose()


def main() -> None:
    """Fill, run, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.drift_job", description=__doc__)
    parser.add_argument("--films", type=int, default=10_000)
    parser.add_argument("--release", type=Path, default=ROOT / "models" / "default")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "drift-job-intel-xeon-1-core.csv")
    chosen = parser.parse_args()
    release = read_release(chosen.release)
    variant = release.manifest.variant(release.manifest.default_precision)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        database = WebSettings(data=folder).database("web")
        fill(database, chosen.films, release.digest, variant.precision, release.manifest.findings)
        inference = ServiceProcess("services.inference", folder / "log", release=str(chosen.release), trusted_keys="")
        inference.start()
        environment = {**os.environ, "HILUM_DATABASE_URL": database, "HILUM_INFERENCE_URL": inference.url}
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        core = str(min(os.sched_getaffinity(0)))
        try:
            _wait(inference.url)
            began = time.perf_counter()
            command = ["taskset", "-c", core, sys.executable, "-m", "services.web.drift"]
            done = subprocess.run(  # noqa: S603 - our own module
                command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
            )
            seconds = time.perf_counter() - began
        finally:
            inference.stop()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    last = done.stderr.strip().splitlines()[-1]
    print(f"{chosen.films} films: {seconds:.1f} s; {last}")  # noqa: T201
    with chosen.out.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow([f"# one core, a whole process with its start; SQLite; {describe()}"])
        writer.writerow(["films", "seconds", "largest_resident_mb_of_job_or_inference"])
        writer.writerow([chosen.films, round(seconds, 1), round(used.ru_maxrss / 1024)])


def _wait(url: str) -> None:

    for _ in range(600):
        if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
            return
        time.sleep(0.1)
    raise RuntimeError("inference is not ready")


if __name__ == "__main__":
    main()
