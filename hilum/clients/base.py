"""What every client of a service shares: two errors, one request. The same over a network and in one process."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.types import ASGIApp

from hilum import telemetry_traces

# A service that doesn't accept a connection in this time is away; an answer may take longer (a film is scored in it).
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 30.0
_LATER = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS})


class Unavailable(Exception):
    """The service can't answer now (no connection, no answer in time, 5xx, 408, 429): send the same again later.

    `retry_after_seconds` is what the service asked for, None where it didn't say.
    """

    def __init__(self, detail: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_seconds = retry_after_seconds


class Refused(Exception):
    """The service refuses this request (4xx, or a redirect): sending it again changes nothing.

    `status` is the HTTP status, `kind` the last part of the problem's type, `detail` its sentence,
    `problem` the whole document.
    """

    def __init__(self, status: int, detail: str, kind: str = "", problem: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.kind = kind
        self.problem = problem or {}


def over_network(base_url: str, *, answer_seconds: float = ANSWER_SECONDS) -> httpx.AsyncClient:
    """A client of the service at `base_url`. Proxy variables are ignored: services talk inside one network.

    Each request has a connection of its own. A Service balances connections, not requests: a kept one would go on to
    the pod that blue-green switched away from, for as long as that pod stays warm (seen: a prober asked the previous
    release for minutes).
    """
    timeout = httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS)
    # Closed on this side, after the answer: a server told to close would cut a body off that it refuses unread.
    fresh = httpx.Limits(max_connections=100, max_keepalive_connections=0)
    return httpx.AsyncClient(base_url=base_url, timeout=timeout, trust_env=False, limits=fresh)


def in_process(app: ASGIApp, base_url: str = "http://in-process") -> httpx.AsyncClient:
    """A client of `app` in this process; an error inside it is a 500, as over a network.

    Who mounts the app runs its lifespan: this transport doesn't.
    """
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(base_url=base_url, transport=transport)


def _seconds(value: str | None) -> float | None:
    return float(value) if value is not None and value.isdigit() else None


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


async def request(client: httpx.AsyncClient, method: str, url: str, **kw: Any) -> httpx.Response:
    """Send one request (`kw` as httpx takes it) and return its 2xx answer, read to the end.

    Raises Unavailable where the same request may be sent later, Refused where it may not.
    """
    try:
        with telemetry_traces.calling(method) as carried:
            if carried:
                kw["headers"] = {**(kw.get("headers") or {}), **carried}
            response = await client.request(method, url, **kw)
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise Unavailable(f"{method} {url}: {type(error).__name__} {error}".strip()) from error
    if response.is_success:
        return response
    problem = _problem(response)
    detail = str(problem.get("detail") or f"{method} {url} answered {response.status_code}")
    if response.is_server_error or response.status_code in _LATER:
        raise Unavailable(detail, _seconds(response.headers.get("retry-after")))
    raise Refused(response.status_code, detail, str(problem.get("type", "")).rpartition(":")[2], problem)
