"""Staging's own gate, without a cluster, over the releases of the full proof that are made here: `trained`, `load`.

    python -m tests.e2e.promotion.offline            every case; a row each in docs/benchmarks
    python -m tests.e2e.promotion.offline CASE ...   those alone, written nowhere

Each case serves two releases as two real processes of inference, as the cluster's pods do, and has
`hilum.gates.staging` judge them by the proof's plan (values.py) over its 120 labelled films.
"""

from __future__ import annotations

import asyncio
import csv
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.machine import describe, slug
from hilum.gates.film_set import FilmSet, load_set
from hilum.gates.plan import load_plan
from hilum.gates.record import GateRecord
from hilum.gates.staging import Asked, judge
from hilum.release import Release
from hilum.release.signing import new_key
from hilum.storage.files import FileBlobs
from tests.e2e.cluster.kube import ROOT, sh
from tests.e2e.promotion import candidates, surgery, train, values
from tests.fixtures.processes import ServiceProcess

COMBINING = {"workers": "16", "lanes": "1"}
OUT = ROOT / "docs/benchmarks"
FIELDS = (
    "case",
    "verdict",
    "seconds",
    "failed",
    "mean_auroc_gain",
    "acute_auroc_gain",
    "request_errors",
    "memory_growth",
    "reason",
)


@dataclass(frozen=True)
class Case:
    """Releases by version (train.WEAK, train.BETTER, else the bundled one) and a change to the candidate's network."""

    active: str
    candidate: str
    wanted: str
    change: candidates.Surgery | None = None
    settings: tuple[tuple[str, str], ...] = ()


CASES = {
    "the better one over the weak one": Case(train.WEAK, train.BETTER, "pass"),
    "the weak one over the better one": Case(train.BETTER, train.WEAK, "inconclusive"),
    "the bundled one over itself": Case("", "", "pass", settings=tuple(COMBINING.items())),
    "refuses a call of more than eight films": Case("", "", "fail", surgery.eight_at_once, tuple(COMBINING.items())),
    "another size of its work for each film": Case("", "", "pass", surgery.another_size_each_time),
    "leans on the films beside it": Case("", "", "fail", surgery.leans_on_its_neighbours, tuple(COMBINING.items())),
}


def labelled_films() -> FilmSet:
    """The proof's labelled set, packed once."""
    folder = train.KEPT / "labelled-set"
    if not (folder / "films.jsonl").is_file():
        sh(sys.executable, "-m", "services.cli", "gate-set", f"file://{folder}", "--most", "120")
    return load_set(FileBlobs(folder))


def release_of(version: str, folder: Path, change: candidates.Surgery | None) -> Release:
    """The release, signed anew in `folder`."""
    trained = version in train.PLANS
    base = train.trained(version) if trained else candidates.BUNDLED
    return candidates.make(folder, version if trained else "1.9.0", new_key(), change, base=base)


def judged(case: Case, films: FilmSet, folder: Path) -> GateRecord:
    """Staging's record of the case."""
    (folder / "plan.toml").write_text(values.PLAN, encoding="utf-8")
    sides = {
        "active": release_of(case.active, folder / "active", None),
        "candidate": release_of(case.candidate, folder / "candidate", case.change),
    }
    served = {
        name: ServiceProcess(
            "services.inference", folder / f"{name}.log", release=str(release.folder), trusted_keys="",
            **dict(case.settings),
        )
        for name, release in sides.items()
    }  # fmt: skip
    try:
        for process in served.values():
            process.start()
        urls = served["active"].url, served["candidate"].url
        asked = Asked(*urls, sides["candidate"].digest, 1)
        return asyncio.run(judge(asked, films, load_plan(folder / "plan.toml")))
    finally:
        for process in served.values():
            process.kill()


def row_of(name: str, record: GateRecord, seconds: float) -> dict[str, str]:
    """What is worth a line."""
    found = {check.name: check for check in record.checks if check.finding is None}
    failed = [check for check in record.checks if check.verdict == "fail"]
    errors = found.get("errors")

    def gain(name: str) -> str:
        check = found.get(name)
        if check is None or check.value is None or check.low is None or check.high is None:
            return ""
        return f"{-check.value:+.3f} ({-check.high:+.3f} to {-check.low:+.3f})"

    grown = found.get("memory growth")
    shares = ["" if check is None or check.value is None else f"{check.value:.3f}" for check in (errors, grown)]
    gains = gain("mean AUROC"), gain("AUROC of any acute finding")
    told = (name, record.verdict, f"{seconds:.0f}", str(len(failed)), *gains, *shares, record.reasons[0])
    return dict(zip(FIELDS, told, strict=True))


def main() -> int:
    """1 where a case ends otherwise than it must."""
    named = sys.argv[1:]
    films, rows, wrong = labelled_films(), [], 0
    for name, case in CASES.items():
        if named and name not in named:
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hilum-offline-") as folder:
            record = judged(case, films, Path(folder))
        rows.append(row_of(name, record, time.monotonic() - began))
        wrong += record.verdict != case.wanted
        print("\n".join([f"{name}: {record.verdict}", *record.reasons[:12]]), rows[-1], flush=True)
    if not named:
        with (OUT / f"promotion-offline-{slug()}.csv").open("w", newline="", encoding="utf-8") as stream:
            stream.write(f"# {describe()}: python -m tests.e2e.promotion.offline\n")
            writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
