"""What a reader wants of a run's log: each command, why it stopped, what each machine says at its end, the time."""

from __future__ import annotations

import re
from pathlib import Path

from tests.machines.machines import STATE

KEPT = re.compile(r"\$ ansible-playbook |\(\d+ s\)$|hilum-\S+ +: ok=|\[ERROR\]: Task failed: ")


def digest(log: Path) -> str:
    """Those lines, without this machine's paths and the colours' noise."""
    lines = []
    for line in log.read_text(encoding="utf-8").splitlines():
        if KEPT.match(line):
            # A secret stands in no line: the tasks that have one say nothing (no_log).
            said = line.replace(str(STATE), "STATE").replace("[ERROR]: Task failed: ", "  stopped: ")
            lines.append(
                re.sub(r"(?<=\d) +(unreachable|failed|skipped|rescued|ignored|changed)", r" \1", said).rstrip()
            )
    return "\n".join(lines).replace("\n$ ", "\n\n$ ") + "\n"
