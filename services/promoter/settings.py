"""Settings of the promoter."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from hilum.gates.plan import GatePlan
from hilum.settings import REPOSITORY, ServiceSettings
from services.promoter.rules import DEADLINES, Rules, windows, zone
from services.promoter.states import State


class PromoterSettings(ServiceSettings):
    """`HILUM_*` variables of this service."""

    port: int = Field(default=8002, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_body_bytes: int = Field(default=100_000, gt=0, description="A command is small: a larger body is refused.")
    promoter_git: str = Field(
        default="", description="Git repository that ArgoCD follows: an address that takes pushes."
    )
    promoter_branch: str = Field(default="main", description="Its branch.")
    promoter_git_token: Path | None = Field(
        default=None, description="File with the bot's token for Git; it may write argocd/environments alone."
    )
    promoter_pulls: str = Field(
        default="",
        description="API of the repository (.../repos/OWNER/NAME), for steps by pull request; empty: all are pushed.",
    )
    promoter_pulls_for: Literal["production", "all"] = Field(
        default="production", description="Steps that go by pull request: into production, or all that lead on."
    )
    promoter_mlflow: str = Field(default="http://127.0.0.1:5000", description="MLflow server.")
    promoter_mlflow_token: Path | None = Field(
        default=None, description="File with MLflow's token, or user:password; empty: none is asked for."
    )
    promoter_model: str = Field(default="hilum-default", description="Registered model whose `candidate` is promoted.")
    trusted_keys: str = Field(
        default=str(REPOSITORY / "models" / "trusted-keys.txt"),
        description="File of public keys whose signature the release must carry.",
    )
    release_store: str = Field(
        default="", description="Where releases lie: s3://bucket/prefix or file:///folder, a folder per digest."
    )
    promoter_records: str = Field(
        default="", description="Where gates keep their records: s3://bucket/prefix or file:///folder."
    )
    promoter_tokens: Path | None = Field(
        default=None, description="File of who may ask: `name rights sha256` a line; empty: nobody may change anything."
    )
    promoter_cluster: str = Field(
        default="https://kubernetes.default.svc", description="API server; read by the pod's own account."
    )
    promoter_prefix: str = Field(
        default="hilum",
        pattern=r"^[a-z][a-z0-9-]{0,40}$",
        description="Applications and namespaces: PREFIX-staging ...",
    )
    promoter_cluster_token: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"), description="File with its token."
    )
    promoter_cluster_ca: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"), description="File with its authority."
    )
    promoter_web: str = Field(
        default="", description="Production's reading room, for evidence; empty: no gate of canary's own."
    )
    promoter_web_token: Path | None = Field(default=None, description="File with its token (evidence:read).")
    promoter_prometheus: str = Field(
        default="", description="Prometheus, for canary's errors and latency; empty: rows alone are judged."
    )
    gate_plan: str = Field(
        default="", description="File (TOML) with what this site's gates do otherwise; empty: the default plan."
    )
    promoter_seconds: float = Field(default=10.0, ge=0.2, le=3600, description="How often the promoter looks.")
    promoter_exposure: str = Field(default="0.05,0.25", description="Steps of exposure, rising; empty: shadow alone.")
    promoter_approval: bool = Field(default=True, description="Whether production waits for a person.")
    promoter_analysis: bool = Field(
        default=True,
        description="Whether staging needs a gate's record and production an AnalysisRun; false: tests only.",
    )
    promoter_tries: int = Field(default=3, ge=1, le=100, description="Tries of an interrupted promotion.")
    promoter_retry_minutes: float = Field(default=10.0, ge=0, description="Pause before a try, times the tries before.")
    promoter_start_minutes: float = Field(
        default=15.0, gt=0, description="How long an environment may take to run a release before that is an error."
    )
    promoter_guard_hours: float = Field(
        default=-1.0, ge=-1, description="How long production is guarded after the switch; -1: as the plan says."
    )
    promoter_guard_gate: bool = Field(
        default=True, description="Whether the guard asks Prometheus (where one is named); false: it only waits."
    )
    promoter_staging_hours: float = Field(default=4.0, gt=0, description="Staging's deadline.")
    promoter_canary_days: float = Field(
        default=0.0, ge=0, description="Deadline of each step of canary; 0: as the plan says."
    )
    promoter_approval_days: float = Field(default=14.0, gt=0, description="How long an approval is waited for.")
    promoter_production_hours: float = Field(
        default=0.0, ge=0, description="Deadline of production's rollout; 0: as the plan says."
    )
    promoter_freeze: str = Field(
        default="", description="Nothing advances: `Fri 16:00 - Mon 07:00; 2026-12-24 - 2026-12-27`."
    )
    promoter_timezone: str = Field(default="UTC", description="Time zone of the freeze windows.")

    @field_validator("promoter_freeze")
    @classmethod
    def _windows(cls, value: str) -> str:
        windows(value)
        return value

    @field_validator("promoter_timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        zone(value)
        return value

    @field_validator("promoter_exposure")
    @classmethod
    def _steps(cls, value: str) -> str:
        Rules(exposure=_shares(value))
        return value

    def rules(self, plan: GatePlan) -> Rules:
        """The site's rules; what no setting says is the signed plan's."""
        canary = timedelta(days=self.promoter_canary_days or plan.canary.deadline_days)
        guard = timedelta(hours=plan.guard.hours if self.promoter_guard_hours < 0 else self.promoter_guard_hours)
        deadlines = {
            **DEADLINES,
            State.STAGING: timedelta(hours=self.promoter_staging_hours),
            State.CANARY_SHADOW: canary,
            State.CANARY_EXPOSED: canary,
            State.AWAITING_APPROVAL: timedelta(days=self.promoter_approval_days),
            State.PRODUCTION: timedelta(hours=self.promoter_production_hours or plan.production.deadline_minutes / 60),
        }
        return Rules(
            exposure=_shares(self.promoter_exposure),
            approval=self.promoter_approval,
            tries=self.promoter_tries,
            retry=timedelta(minutes=self.promoter_retry_minutes),
            start=timedelta(minutes=self.promoter_start_minutes),
            guard=guard,
            deadlines=deadlines,
            freeze=windows(self.promoter_freeze),
            timezone=self.promoter_timezone,
            analysis_required=self.promoter_analysis,
        )


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValueError(f"steps of exposure are numbers, separated by commas: {text!r}") from error


def secret(path: Path | None) -> str:
    """What the file holds; "" where none is named. Raises OSError."""
    return path.read_text(encoding="utf-8").strip() if path else ""
