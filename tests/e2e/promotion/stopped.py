"""Parts of the harness's cluster that run beside it on this host, stopped for a while and let go on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

ARGOCD = ("argocd-application-controller", "argocd-applicationset-controller", "argocd-repo-server")
GIT = ("git",)


def _process(part: str) -> int:
    """Its number, as the harness keeps it beside the KUBECONFIG. Raises where the part is no process of this host."""
    kept = Path(os.environ["KUBECONFIG"]).parent / "run" / f"{part}.pid"
    assert kept.is_file(), f"{part} is no process of this host: only the harness's cluster lets it be stopped"
    number = int(kept.read_text(encoding="utf-8"))
    command = Path(f"/proc/{number}/cmdline").read_text(encoding="utf-8")
    assert part.split("-", maxsplit=1)[0] in command, f"{kept} names another process: {command[:80]}"
    return number


@contextlib.contextmanager
def stopped(*parts: str) -> Iterator[None]:
    """They answer nobody until the block ends: connections are taken by the kernel and nothing comes."""
    numbers = [_process(part) for part in parts]
    for number in numbers:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in numbers:
            os.kill(number, signal.SIGCONT)
