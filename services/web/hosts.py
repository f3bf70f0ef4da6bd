"""Only the service's own names are answered, so that no web page elsewhere can rebind its own name to us."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.problems import Problem

# Probes ask by an address that changes with every start; nothing of a patient is there.
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})


class KnownHost:
    """Refuse a request whose Host header is none of `names` (DNS rebinding, poisoned links)."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on where its Host is one of our names."""
        if scope["type"] == "http" and scope["path"] not in PROBES:
            host = Headers(scope=scope).get("host", "")
            name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
            if name.lower() not in self.names:
                problem = Problem(421, "wrong-host", "This service does not answer to this name (HILUM_PUBLIC_URL).")
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)
