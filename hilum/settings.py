"""Settings shared by every service: environment variables `HILUM_*`, one object per service.

A service subclasses `ServiceSettings` and adds its own; every field has a default that works on a laptop.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent


Settings = TypeVar("Settings", bound="ServiceSettings")


class ServiceSettings(BaseSettings):
    """What every service has."""

    model_config = SettingsConfigDict(env_prefix="HILUM_", extra="ignore", frozen=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data: Path = Field(default=Path("data"), description="Folder that holds the rows and films of `make run`.")
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL (sqlite or postgresql+psycopg); empty: a SQLite file in the data folder.",
    )
    blobs_url: str = Field(
        default="",
        description="Where bytes lie: file:///folder or s3://bucket/prefix; empty: `films/` in data.",
    )
    s3_endpoint: str = Field(default="", description="S3 endpoint other than AWS's own; keys: AWS_* variables.")
    max_body_bytes: int = Field(
        default=64_000_000, gt=0, description="A request body above this is refused before it is read (64 MB)."
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    log_format: str = Field(default="auto", description="json, text, or auto: text where a person looks.")
    otlp_endpoint: str = Field(
        default="", description="Where traces go, OTLP over HTTP (http://collector:4318); empty: nowhere."
    )
    inference_url: str = Field(default="http://127.0.0.1:8000", description="Where `web` finds inference.")
    feedback_url: str = Field(default="http://127.0.0.1:8001", description="Where `web` finds feedback.")

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.lower() not in {"debug", "info", "warning", "error"}:
            raise ValueError("one of debug, info, warning, error")
        return value.lower()

    def database(self, service: str) -> str:
        """The SQLAlchemy URL of `service`'s rows."""
        return self.database_url or f"sqlite:///{(self.data / f'{service}.db').absolute()}"

    def blobs(self) -> str:
        """The URL of the byte store."""
        return self.blobs_url or (self.data / "films").absolute().as_uri()


def from_environment(kind: type[Settings], **given: Any) -> Settings:
    """The settings of one service, `given` before the environment; a wrong one ends the process with a plain line."""
    try:
        return kind(**given)
    except ValidationError as error:
        raise SystemExit("\n".join(_plain(item["loc"], item["msg"]) for item in error.errors())) from None


def _plain(where: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"HILUM_{str(where[0]).upper()}: {text}" if where else f"HILUM_* settings: {text}"
