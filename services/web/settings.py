"""Settings of the reading room: `HILUM_*` environment variables."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from hilum.triage import TriagePolicy
from services.web.dicom.settings import LOOPBACK, DicomSettings


class WebSettings(DicomSettings):
    """What the reading room can be told."""

    reader: str = Field(
        default="reader",
        min_length=1,
        max_length=128,
        description="The one person whom `make run` signs in by itself while no users file or provider is set.",
    )
    users_file: str = Field(
        default="", description="Users of a small site, made by `hilum users`; its mode lets nobody else in."
    )
    public_url: str = Field(
        default="", description="Address that people type (https://reading.example.org); needed beyond loopback."
    )
    allowed_hosts: str = Field(
        default="", description="More names that requests may ask for, with commas (the service's own in a cluster)."
    )
    trusted_proxies: str = Field(
        default="127.0.0.1", description="Proxies whose word about a client's address is taken, with commas."
    )
    requests_per_second: float = Field(
        default=50.0, gt=0, description="Requests of one session or token; ten times as many at once. More get 429."
    )
    session_idle_minutes: float = Field(default=30.0, gt=0, description="A session without any act is over.")
    session_longest_hours: float = Field(default=12.0, gt=0, description="A session is over, however busy.")
    blind_share: float = Field(
        default=0.2, ge=0.0, le=1.0, description="Share of patients whose studies are read before the answer shows."
    )
    blind_salt: str = Field(default="hilum", description="Salt of the patient hash that chooses the blind share.")
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
    shadow_queue: int = Field(
        default=200, gt=0, le=100_000, description="Studies that may wait in memory for canary; more are asked later."
    )
    shadow_backfill_hours: float = Field(
        default=168.0, gt=0, description="How far back studies that canary missed are asked again."
    )
    wait_critical_minutes: float = Field(default=15.0, gt=0, description="Target wait of a critical study.")
    wait_urgent_minutes: float = Field(default=240.0, gt=0, description="Target wait of an urgent study.")
    wait_routine_minutes: float = Field(default=1440.0, gt=0, description="Target wait of a routine study.")

    @model_validator(mode="after")
    def _waits_fit_together(self) -> WebSettings:
        _ = self.policy  # refuses waits under which an order could make a study due later
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK

    @property
    def signs_in(self) -> bool:
        """Whether people have to sign in; else the one person of `make run` is signed in by itself."""
        return bool(self.users_file)

    @property
    def behind_tls(self) -> bool:
        """Whether browsers reach the service by https."""
        return self.public_url.lower().startswith("https://")

    @property
    def host_names(self) -> frozenset[str]:
        """Names that a request's Host may have."""
        more = {name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip()}
        public = urlsplit(self.public_url).hostname
        return frozenset(more | ({public} if public else set()) | (LOOPBACK if self.on_loopback else set()))

    @property
    def policy(self) -> TriagePolicy:
        """The site's target waits."""
        return TriagePolicy(
            wait_critical=timedelta(minutes=self.wait_critical_minutes),
            wait_urgent=timedelta(minutes=self.wait_urgent_minutes),
            wait_routine=timedelta(minutes=self.wait_routine_minutes),
        )
