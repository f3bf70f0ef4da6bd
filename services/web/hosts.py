"""On loopback only loopback names are answered, so that no web page elsewhere can rebind its own name to us."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.problems import Problem
from services.web.dicom.settings import LOOPBACK


class LoopbackHost:
    """Refuse a request whose Host header names another machine (DNS rebinding)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on where its Host is a name of this machine's loopback."""
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "")
            name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
            if name.lower() not in LOOPBACK:
                problem = Problem(421, "wrong-host", "This service answers to localhost alone.")
                await problem.response()(scope, receive, send)
                return
        await self.app(scope, receive, send)
