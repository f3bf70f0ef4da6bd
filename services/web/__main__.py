"""`python -m services.web`: serve on HILUM_HOST and HILUM_PORT (default 8080)."""

from __future__ import annotations

import socket
import sys
from types import FrameType

import uvicorn

from hilum import telemetry_traces
from hilum.collector import spare_what_stays
from hilum.settings import from_environment
from hilum.telemetry import configure_logging
from services.web.app import create_app
from services.web.identity.start import refuse_open_network
from services.web.live import end_streams
from services.web.settings import WebSettings

DRAIN_SECONDS = 10
# Longer than a proxy keeps an idle connection (Traefik 90 s), so that it is closed by who uses it. Else a film that is
# sent on it in that moment ends as 502, and no proxy sends a POST again (seen).
KEEP_ALIVE_SECONDS = 120


class _Server(uvicorn.Server):
    """uvicorn, which waits for open connections: the pages' streams, which never end by themselves, are ended first."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what that made is never looked through again."""
        await super().startup(sockets)
        spare_what_stays()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the streams, then stop."""
        end_streams()
        super().handle_exit(sig, frame)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = from_environment(WebSettings)
    configure_logging(settings.log_level, settings.log_format, settings.patient_salt)
    telemetry_traces.configure(settings.otlp_endpoint, "web")
    if reason := refuse_open_network(settings):
        sys.exit(reason)
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    _Server(config).run()


if __name__ == "__main__":
    main()
