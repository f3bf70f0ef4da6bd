"""A whole retraining, killed on the way: `python -m bench.retrain_proof [--out docs/benchmarks]`.

Trains the tiny recipe on all films of the data folder, makes reads (bench.made_reads), asks for more reads than there
are, retrains at a tenth of the learning rates from the networks that the first training left, kills that with -9 once a
checkpoint stands, and goes on with `--resume`: the release that comes of it must be registered and the candidate. Every
step is the command line's own, in a process of its own; one that ends otherwise than it must ends the proof.
"""

from __future__ import annotations

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from rich.console import Console

from bench.machine import describe, slug
from bench.made_reads import make_reads
from training.config import CONFIGS, read_recipe
from training.fit.checkpoint import LAST

FILMS = 200


@dataclass(frozen=True)
class Proof:
    """Where it runs: `folder` is HILUM_DATA, `data` holds the films."""

    folder: Path
    data: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`hilum words` in a process group of its own."""
        environment = {**os.environ, "HILUM_DATA": str(self.folder), "COLUMNS": "200"}
        for name in ("HILUM_MLFLOW", "MLFLOW_TRACKING_URI", "HILUM_LOCKED_USES"):
            environment.pop(name, None)
        return subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "services.cli", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def step(self, name: str, must: int, *words: str) -> dict[str, str]:
        """Run `hilum words`; its row, after its exit status was checked."""
        began = time.perf_counter()
        process = self.start(*words)
        said, _ = process.communicate()
        return _row(name, must, process.returncode, time.perf_counter() - began, said)

    def killed(self, name: str, checkpoint: Path, *words: str) -> dict[str, str]:
        """Run `hilum words` and kill it with -9 as soon as `checkpoint` stands."""
        began = time.perf_counter()
        process = self.start(*words)
        while process.poll() is None and not checkpoint.exists():
            time.sleep(0.1)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        return _row(name, -signal.SIGKILL, process.returncode, time.perf_counter() - began, said)


def _row(name: str, must: int, status: int, seconds: float, said: str) -> dict[str, str]:
    if status != must:
        raise SystemExit(f"{name}: exit status {status}, not {must}\n{said}")
    last = said.strip().splitlines()[-1] if status >= 0 and said.strip() else ""
    row = {"step": name, "exit_status": str(status), "seconds": f"{seconds:.0f}", "said": last}
    Console().print(row, highlight=False)
    return row


def prove(proof: Proof) -> list[dict[str, str]]:
    """Every step's row."""
    recipe = read_recipe(CONFIGS / "tiny-retrain.yaml").changed(training__checkpoint_every=0.25)
    file = proof.folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
    base = proof.folder / "runs" / f"{recipe.name}-{recipe.version}"
    keys = base / "trusted-keys.txt"
    work = proof.folder / "retrain" / "0.0.2"
    films = ["--data", str(proof.data)]
    again = ["retrain", str(file), *films, "--feedback", str(proof.folder / "reads.jsonl"), "--version", "0.0.2"]
    again += ["--films", str(proof.folder / "films"), "--base-release", str(base / "release"), "--keys", str(keys)]
    again += ["--warm-start", str(base / "networks"), "--candidate"]
    rows = [proof.step("train and register the base", 0, "train", "tiny", *films, "--register")]
    make_reads(proof.data, recipe, FILMS, proof.folder)
    rows.append(proof.step("too few new reads", 4, *again, "--minimum-reads", "100000"))
    checkpoint = work / "networks" / "member0" / LAST
    rows.append(proof.killed("retrain, killed with -9 after a checkpoint", checkpoint, *again))
    rows.append(proof.step("the same with --resume", 0, *again, "--resume"))
    rows.append(proof.step("verify the candidate", 0, "release", "candidate", recipe.name, "0.0.2", "--keys", ""))
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_TRAINING_DATA", "../shared/data")))
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hilum-retrain-") as folder:
        rows = prove(Proof(Path(folder), asked.data.absolute()))
    with (asked.out / f"retrain-proof-{slug()}.csv").open("w", newline="", encoding="utf-8") as stream:
        stream.write(f"# {describe()}, load average {os.getloadavg()[0]:.0f}: python -m bench.retrain_proof\n")
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
