"""`python -m services.inference`: serve on HILUM_HOST and HILUM_PORT (default 8000)."""

from __future__ import annotations

import sys

import uvicorn

from hilum import telemetry_traces
from hilum.heads import HeadGuard
from hilum.settings import from_environment
from hilum.telemetry import configure_logging
from services.inference import several
from services.inference.app import create_app
from services.inference.drain import DrainingServer
from services.inference.heap import reuse_memory_of_films
from services.inference.settings import InferenceSettings

# Longer than the clients' own (httpx: 5 s, proxies: 60 s), so that a connection is closed by who uses it.
KEEP_ALIVE_SECONDS = 75


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    reuse_memory_of_films()
    settings = from_environment(InferenceSettings)
    configure_logging(settings.log_level, settings.log_format)
    if settings.processes > 1 and not several.is_child():
        sys.exit(several.Team(settings.processes, settings.host, settings.port).run())
    if several.is_child():
        several.end_with_parent()
    telemetry_traces.configure(settings.otlp_endpoint, "inference")
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HeadGuard,
        log_config=None,
        server_header=False,
        # Behind nothing: headers that name another client are not believed.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.grace_seconds,
    )

    def draining() -> None:
        app.state.serving.drain()

    server = DrainingServer(config, settings.drain_seconds, draining)
    if several.is_child():
        server.run(sockets=[several.listener(settings.host, settings.port, shared=True)])
    else:
        server.run(sockets=[config.bind_socket()])


if __name__ == "__main__":
    main()
