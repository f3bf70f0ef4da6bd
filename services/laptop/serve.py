"""Run the laptop's application until Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import typer
import uvicorn

from hilum.collector import spare_what_stays
from hilum.telemetry import configure_logging
from services.laptop.app import create_app
from services.laptop.lock import FolderInUse, locked
from services.web.identity.start import refuse_open_network
from services.web.live import end_streams
from services.web.settings import WebSettings

GRACE_SECONDS = 3


class CannotStart(Exception):
    """Why not, and what to do about it."""


class _Server(uvicorn.Server):
    """A server that ends with status 0 when it is asked to stop; uvicorn would raise the signal once more."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; what that made is never looked through again."""
        await super().startup(sockets)
        spare_what_stays()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End what would never end by itself, then stop as uvicorn does."""
        end_streams()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"port {port} of {host} can't be used: {error.strerror}. "
            "Choose another: `hilum run --port 8081`, or HILUM_PORT=8081 make run."
        ) from None
    listener.listen(2048)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(settings: WebSettings, *, samples: bool) -> None:
    """Serve until stopped. Raises CannotStart."""
    if reason := refuse_open_network(settings):
        raise CannotStart(reason)
    configure_logging(settings.log_level, settings.log_format, settings.patient_salt)
    data = settings.data.absolute()
    try:
        with locked(data):
            _serve(settings, data, samples=samples)
    except FolderInUse as error:
        raise CannotStart(f"{error}; stop it first, or choose another folder with --data.") from None
    except OSError as error:
        raise CannotStart(f"{data} can't be used: {error.strerror}.") from error


def _serve(settings: WebSettings, data: Path, *, samples: bool) -> None:
    with _listen(settings.host, settings.port) as listener:

        def started() -> None:
            typer.echo(f"Hilum's reading room: {_address(listener)}")
            typer.echo(f"Films and reads lie in {data}. Stop with Ctrl-C. Not for primary diagnosis.")

        app = create_app(settings, samples=samples, started=started)
        config = uvicorn.Config(
            app,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            # Behind nothing, headers that name another client are not believed.
            proxy_headers=bool(settings.public_url),
            forwarded_allow_ips=settings.trusted_proxies,
        )
        server = _Server(config)
        server.run(sockets=[listener])
        if not server.started:
            raise CannotStart("the service did not start; the log above says why.")
    typer.echo("Stopped; everything is kept.")
