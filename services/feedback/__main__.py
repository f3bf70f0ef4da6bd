"""`python -m services.feedback`: serve on HILUM_HOST and HILUM_PORT (default 8001)."""

from __future__ import annotations

import uvicorn

from hilum import telemetry_traces
from hilum.settings import from_environment
from hilum.telemetry import configure_logging
from services.feedback.app import create_app
from services.feedback.settings import FeedbackSettings

# On SIGTERM no new connection is taken and requests under way get this long.
DRAIN_SECONDS = 15
# Longer than web keeps an idle connection: it is closed by who uses it.
KEEP_ALIVE_SECONDS = 75


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = from_environment(FeedbackSettings)
    configure_logging(settings.log_level, settings.log_format)
    telemetry_traces.configure(settings.otlp_endpoint, "feedback")
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


if __name__ == "__main__":
    main()
