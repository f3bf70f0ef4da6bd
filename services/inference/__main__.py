"""`python -m services.inference`: serve on HILUM_HOST and HILUM_PORT (default 8000)."""

from __future__ import annotations

import uvicorn

from hilum.settings import from_environment
from hilum.telemetry import configure_logging
from services.inference.app import create_app
from services.inference.settings import InferenceSettings

# On SIGTERM no new connection is taken and films under way get this long.
DRAIN_SECONDS = 30


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = from_environment(InferenceSettings)
    configure_logging(settings.log_level, settings.log_format)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


if __name__ == "__main__":
    main()
