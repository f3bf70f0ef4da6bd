"""The ratios of a `rivals-*.csv`: `python -m bench.rivals.ratios docs/benchmarks/rivals-....csv` prints Markdown.

Row by row: throughput of our service over the bare loop's and over the best rival's, its p99 over the lowest p99 of a
rival, its processor time of a film over the lowest of a rival.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

OURS, BARE = "hilum", "bare ONNX Runtime"
HEAD = (
    "| model | payload | connections | films/s: hilum | bare loop | best rival | hilum / bare | hilum / best rival | "
    "p99 / lowest rival p99 | CPU per film / lowest rival |"
)


def table(path: Path) -> str:
    """The Markdown table."""
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    lines = [HEAD, "|---" * HEAD.count(" | ") + "|---|"]
    for cell in dict.fromkeys((row["model"], row["payload"], row["concurrency"]) for row in rows):
        by = {row["server"]: row for row in rows if (row["model"], row["payload"], row["concurrency"]) == cell}
        ours, bare = by.pop(OURS), by.pop(BARE)
        best = max(by.values(), key=lambda row: float(row["films_per_second"]))
        speed = float(ours["films_per_second"])
        p99 = float(ours["p99_ms"]) / min(float(row["p99_ms"]) for row in by.values())
        cpu = float(ours["cpu_ms_per_film"]) / min(float(row["cpu_ms_per_film"]) for row in by.values())
        figures = [
            f"{speed:.0f}",
            f"{float(bare['films_per_second']):.0f}",
            f"{float(best['films_per_second']):.0f} ({best['server']})",
            f"{speed / float(bare['films_per_second']):.2f}",
            f"{speed / float(best['films_per_second']):.2f}",
            f"{p99:.2f}",
            f"{cpu:.2f}",
        ]
        lines.append("| " + " | ".join([*cell, *figures]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1])) + "\n")
