"""Settings of feedback."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from hilum.settings import ServiceSettings


class FeedbackSettings(ServiceSettings):
    """`HILUM_*` variables of this service."""

    port: int = Field(default=8001, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_body_bytes: int = Field(
        default=1_000_000, gt=0, description="A read is a few kB: a body above this is refused before it is read."
    )
    newdata_url: str = Field(
        default="",
        description="Where objects, heads and training data go: file:///folder or s3://bucket; empty: `newdata/`.",
    )
    ledger_key: str = Field(
        default="", description="PEM file of the Ed25519 key that signs heads; empty: made in the data folder."
    )
    archive_seconds: float = Field(
        default=5.0, ge=0, description="How often reads are written as objects and heads are signed; 0: never."
    )
    # Twice within the hour that the objective gives (docs/monitoring.md).
    compaction_seconds: float = Field(
        default=1800.0,
        ge=0,
        description="How often new_data.csv and feedback_images/ are brought up to date; 0: never.",
    )

    @property
    def on_laptop(self) -> bool:
        """Whether rows lie in a SQLite file: then the data folder stays, and objects and the key may lie beside it."""
        return not self.database_url or self.database_url.startswith("sqlite")

    def newdata(self) -> str:
        """The URL of the bucket `newdata`."""
        return self.newdata_url or (self.data / "newdata").absolute().as_uri()

    def signing_key(self) -> Path:
        """The file of the key that signs heads."""
        return Path(self.ledger_key) if self.ledger_key else self.data / "ledger-key.pem"
