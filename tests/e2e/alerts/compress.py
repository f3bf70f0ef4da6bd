"""The same rules in faster time: every window, wait and age divided by one factor, and nothing else changed.

So that an alert on two hours or two days can be seen to fire by its real cause within minutes. What is a property of
what is watched stays as it is: a histogram's bounds, shares, counts, how long a film may wait for its score.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.e2e.cluster.kube import ROOT

CHART = ROOT / "charts/monitoring"
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# `[5m]`, `[7d]`, `offset 1d`, `for: 2m`, `interval: 30s`; and the expiry of a rule's own alerts.
DURATION = re.compile(r"(\[|offset |for: |interval: |keep_firing_for: )(\d+)(ms|s|m|h|d|w)\b")
# Ages in seconds that expressions compare with, and the reach of a trend: `2 * 86400`, `> 7200`, `> 3600`.
AGE = re.compile(r"\b(?:(\d+) \* )?(86400|7200|3600)\b")


def compressed(text: str, factor: int) -> str:
    """A rule file's text with all of its times divided by `factor`."""

    def duration(found: re.Match[str]) -> str:
        milliseconds = round(int(found[2]) * SECONDS[found[3]] * 1000 / factor)
        return f"{found[1]}{max(milliseconds, 1)}ms"

    def age(found: re.Match[str]) -> str:
        return f"{int(found[1] or 1) * int(found[2]) / factor:.10g}"

    lines = []
    for line in text.splitlines(keepends=True):
        # Comments and what people are told are not touched.
        told = line.lstrip().startswith(("#", "summary:", "description:", "runbook_url:", "record:", "- record:"))
        lines.append(line if told else AGE.sub(age, DURATION.sub(duration, line)))
    return "".join(lines)


def chart(factor: int, folder: Path, more: dict[str, str] | None = None) -> Path:
    """A copy of charts/monitoring in `folder`, its rules in time `factor`; `more`: further rule files, by name."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CHART, folder)
    for path in (folder / "rules").glob("*.yaml"):
        if factor != 1:
            path.write_text(compressed(path.read_text(encoding="utf-8"), factor), encoding="utf-8")
    for name, text in (more or {}).items():
        (folder / "rules" / name).write_text(text, encoding="utf-8")
    return folder
