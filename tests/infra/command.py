"""Running terraform as a person would, with its words at hand when it fails."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    """What a command said: exit status, standard output, and both streams together with line breaks taken out."""

    status: int
    output: str
    text: str


@dataclass(frozen=True)
class Terraform:
    """terraform in one folder. `binary`: its path; `environment`: all variables it sees."""

    binary: str
    folder: Path
    environment: dict[str, str]

    def ask(self, *arguments: str, timeout_seconds: float = 1500) -> Answer:
        """Run a command and return its answer, whatever the status."""
        done = subprocess.run(
            [self.binary, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
        # Terraform wraps its messages at the terminal's width and draws a frame around them.
        text = " ".join((done.stdout + done.stderr).replace("│", " ").split())
        return Answer(done.returncode, done.stdout, text)

    def do(self, *arguments: str) -> str:
        """Run a command that must succeed; its standard output."""
        answer = self.ask(*arguments)
        assert answer.status == 0, f"terraform {' '.join(arguments)}: {answer.text}"
        return answer.output
