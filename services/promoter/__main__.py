"""`python -m services.promoter`: serve on HILUM_HOST and HILUM_PORT (default 8002), and promote."""

from __future__ import annotations

import sys

import uvicorn

from hilum import telemetry_traces
from hilum.settings import from_environment
from hilum.telemetry import configure_logging
from services.promoter.app import create_app
from services.promoter.settings import PromoterSettings

DRAIN_SECONDS = 15


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = from_environment(PromoterSettings)
    configure_logging(settings.log_level, settings.log_format)
    telemetry_traces.configure(settings.otlp_endpoint, "promoter")
    if not settings.promoter_git:
        sys.exit("HILUM_PROMOTER_GIT: name the repository that ArgoCD follows")
    try:
        app = create_app(settings)
    except (ValueError, OSError) as error:
        sys.exit(
            f"the promoter can't start: {error}; HILUM_RELEASE_STORE and HILUM_PROMOTER_RECORDS name stores of bytes"
        )
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


if __name__ == "__main__":
    main()
