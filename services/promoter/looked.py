"""What the cluster shows of an environment, as plain values: `services.promoter.kubernetes` fills it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class ClusterUnavailable(Exception):
    """The API server does not answer: nothing is known, and nothing is concluded."""


@dataclass(frozen=True)
class Measured:
    """A metric of an AnalysisRun. `value` is its last measurement's, "" where there is none."""

    run: str
    metric: str
    phase: str
    value: str
    message: str = ""


@dataclass(frozen=True)
class Looked:
    """One environment.

    `asked_digest` and `asked_attempt` are what ArgoCD was told by the bundle; `serving` is the release of the active
    pods, all of them ready; `wanted` that of the Rollout's newest revision. `phase` is the Rollout's. `analysis` are
    the metrics of the newest revision's runs. `crash` says why pods of the newest revision end, "" where they don't.
    """

    environment: str
    synced: bool = False
    healthy: bool = False
    asked_digest: str = ""
    asked_attempt: int = 0
    serving: str = ""
    wanted: str = ""
    phase: str = ""
    aborted: bool = False
    message: str = ""
    ready: int = 0
    analysis: tuple[Measured, ...] = ()
    crash: str = ""

    def runs(self, digest: str) -> bool:
        """Whether `digest` serves here, everything being as Git has it."""
        return self.synced and self.healthy and self.phase == "Healthy" and self.serving == self.wanted == digest

    def rests(self) -> bool:
        """Whether no pod runs here, as Git has it."""
        return self.synced and self.healthy and self.ready == 0 and not self.serving


class Cluster(Protocol):
    """Who looks at the cluster."""

    def look(self, environment: str) -> Looked:
        """How `environment` stands now. Raises ClusterUnavailable."""
        ...
