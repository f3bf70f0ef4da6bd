"""Settings of the reading room: `HILUM_*` environment variables."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field, model_validator

from hilum.triage import TriagePolicy
from services.web.identity.settings import IdentitySettings
from services.web.skip_policy import SkipPolicy

# No study is due later after its arrival, whatever a site sets: a search by date of arrival relies on it.
LONGEST_WAIT = timedelta(days=31)


class WebSettings(IdentitySettings):
    """What the reading room can be told."""

    blind_share: float = Field(
        default=0.2, ge=0.0, le=1.0, description="Share of patients whose studies are read before the answer shows."
    )
    blind_salt: str = Field(default="hilum", description="Salt of the patient hash that chooses the blind share.")
    second_read_share: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Share of studies (by hash) that a second reader reads, unasked."
    )
    undo_seconds: float = Field(
        default=120.0,
        ge=0.0,
        le=86_400.0,
        description="How long a reader may take a saved read back; then it is edited.",
    )
    patient_salt: str = Field(
        default="hilum", description="Salt of the pseudonym that stands for a patient in the ledger; keep yours secret."
    )
    max_films_per_request: int = Field(default=1000, gt=0, description="Files that one upload may hold.")
    decode_threads: int = Field(default=2, gt=0, le=64, description="Films decoded at once (memory grows with it).")
    ingest_threads: int = Field(default=8, gt=0, le=64, description="Uploads worked on at once; more wait.")
    scoring_parallel: int = Field(default=2, gt=0, le=64, description="Films asked of inference at once.")
    lease_seconds: float = Field(
        default=60.0, gt=0, description="How long a film stays with the replica that scores it before another may."
    )
    retry_max_seconds: float = Field(
        default=30.0, gt=0, description="Longest pause between two tries at inference or feedback."
    )
    poll_seconds: float = Field(
        default=2.0, gt=0, description="How often workers look for rows that another replica wrote."
    )
    inference_timeout_seconds: float = Field(default=60.0, gt=0, description="Longest wait for one score.")
    feedback_timeout_seconds: float = Field(default=10.0, gt=0, description="Longest wait for feedback to keep a read.")
    canary_url: str = Field(
        default="", description="Where canary's inference answers; its answers are shadow. Empty: no shadow answers."
    )
    canary_timeout_seconds: float = Field(
        default=10.0, gt=0, le=600, description="Longest wait for one score of canary's; the live path never waits so."
    )
    gate_plan: str = Field(
        default="", description="File (TOML) with what this site's gates do otherwise; empty: the default plan."
    )
    promoter_url: str = Field(default="", description="Where the promoter answers; empty: no page of promotions.")
    promoter_token: Path | None = Field(
        default=None, description="File with the reading room's token at the promoter (rights read, for)."
    )
    exposure_share: float = Field(
        default=0.0, ge=0.0, le=1.0, description="Share of patients whose live answer is canary's (exposure)."
    )
    exposure_salt: str = Field(default="hilum", description="Salt of the patient hash that chooses the exposed share.")
    exposure_wait_seconds: float = Field(
        default=2.0, gt=0, le=60, description="Longest wait of an exposed study for canary, then production answers."
    )
    canary_gone_minutes: float = Field(
        default=5.0, gt=0, description="Canary away for so long: its unread studies go back to production's release."
    )
    shadow_queue: int = Field(
        default=200, gt=0, le=100_000, description="Studies that may wait in memory for canary; more are asked later."
    )
    shadow_backfill_hours: float = Field(
        default=168.0, gt=0, description="How far back studies that canary missed are asked again."
    )
    wait_critical_minutes: float = Field(default=15.0, gt=0, description="Target wait of a critical study.")
    wait_urgent_minutes: float = Field(default=240.0, gt=0, description="Target wait of an urgent study.")
    wait_routine_minutes: float = Field(
        default=1440.0, gt=0, le=LONGEST_WAIT / timedelta(minutes=1), description="Target wait of a routine study."
    )
    claim_seconds: float = Field(
        default=600.0, ge=5, le=86400, description="How long a claim on a study lasts unless it is renewed."
    )
    skip_readers: int = Field(default=3, gt=0, description="A study that so many readers skipped is escalated.")
    skip_times: int = Field(default=5, gt=0, description="A study that was skipped so often is escalated.")
    list_poll_seconds: float = Field(
        default=1.0, gt=0, le=60, description="How often a process looks for changes of the list, for open pages."
    )
    list_listeners: int = Field(
        default=200, ge=0, description="Pages that one process tells of changes; further ones ask by themselves."
    )

    drift_baseline_films: int = Field(
        default=1000,
        ge=100,
        le=20_000,
        description="So many of a site's first films are its baseline for drift.",
    )
    drift_most_films: int = Field(
        default=20_000, ge=1000, le=200_000, description="Films that a drift report looks at."
    )
    drift_days_between_alarms: float = Field(
        default=30.0, ge=1, le=3650, description="Mean time between false drift alarms of one site, at least."
    )
    drift_fewest_a_day: float = Field(
        default=10.0, ge=0, description="A site with fewer films a day has no drift alarm: not enough data."
    )
    drift_reads_days: float = Field(default=90.0, gt=0, description="How far back blind reads count for calibration.")
    drift_day_begins: int = Field(default=7, ge=0, le=23, description="Hour (UTC) at which the day shift begins.")
    drift_day_ends: int = Field(default=19, ge=1, le=24, description="Hour (UTC) at which the day shift ends.")

    @model_validator(mode="after")
    def _waits_fit_together(self) -> WebSettings:
        _ = self.policy  # refuses waits under which an order could make a study due later
        return self

    @property
    def policy(self) -> TriagePolicy:
        """The site's target waits."""
        return TriagePolicy(
            wait_critical=timedelta(minutes=self.wait_critical_minutes),
            wait_urgent=timedelta(minutes=self.wait_urgent_minutes),
            wait_routine=timedelta(minutes=self.wait_routine_minutes),
        )

    @property
    def skips(self) -> SkipPolicy:
        """How much skipping escalates a study."""
        return SkipPolicy(self.skip_readers, self.skip_times)
