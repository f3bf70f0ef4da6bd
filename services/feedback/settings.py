"""Settings of feedback."""

from __future__ import annotations

from pydantic import Field

from hilum.settings import ServiceSettings


class FeedbackSettings(ServiceSettings):
    """`HILUM_*` variables of this service."""

    port: int = Field(default=8001, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_body_bytes: int = Field(
        default=1_000_000, gt=0, description="A read is a few kB: a body above this is refused before it is read."
    )
