"""The gRPC server: its port, its limits, its health service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.inference import several
from services.inference.rpc.service import NAME, handlers
from services.inference.serving import Serving

# How often the health service looks whether the release is ready.
WATCH_SECONDS = 0.5
# A connection without a call, and one whose other end doesn't answer a ping, is closed.
IDLE_MILLISECONDS = 300_000
PING_MILLISECONDS = 60_000
PING_TIMEOUT_MILLISECONDS = 20_000
MAX_STREAMS = 256
# Between "not serving" and the end of new calls: gRPC cuts off what it has received and not yet handed on, so callers
# are given the time to leave first.
LEAVE_SECONDS = 0.5
MAX_METADATA_BYTES = 16_384

log = structlog.get_logger("hilum.inference.rpc")


def _options(max_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_bytes),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.max_connection_idle_ms", IDLE_MILLISECONDS),
        ("grpc.keepalive_time_ms", PING_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MILLISECONDS),
        # A second process on the port is an error, not half of the traffic, unless it is one of ours.
        ("grpc.so_reuseport", int(several.is_child())),
    ]


@contextlib.asynccontextmanager
async def listening(serving: Serving, drain_seconds: float) -> AsyncIterator[int]:
    """Serve on HILUM_GRPC_PORT until the end, then let calls under way finish; gives the port.

    Raises RuntimeError where the port is taken.
    """
    settings = serving.settings
    server = grpc.aio.server(
        options=_options(settings.grpc_max_bytes),
        # Each call may hold a message of the largest size; what waits for a worker is bounded by the queue alone.
        maximum_concurrent_rpcs=settings.grpc_max_calls,
    )
    server.add_generic_rpc_handlers((handlers(serving),))
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    # Ready from the first moment a client can connect, or said not to be.
    await _tell(checks, serving)
    port = server.add_insecure_port(f"{settings.host}:{settings.grpc_port}")
    await server.start()
    log.info("gRPC", host=settings.host, port=port)
    watching = asyncio.create_task(_watch(checks, serving))
    try:
        yield port
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await checks.enter_graceful_shutdown()
        await asyncio.sleep(LEAVE_SECONDS)
        await server.stop(drain_seconds)


async def _tell(checks: health.aio.HealthServicer, serving: Serving) -> None:
    serves = health_pb2.HealthCheckResponse.SERVING
    status = serves if serving.reason is None else health_pb2.HealthCheckResponse.NOT_SERVING
    for name in ("", NAME):
        await checks.set(name, status)


async def _watch(checks: health.aio.HealthServicer, serving: Serving) -> None:
    while True:
        await _tell(checks, serving)
        await asyncio.sleep(WATCH_SECONDS)
