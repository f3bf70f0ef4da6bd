"""A canary that misbehaves on demand, on a real socket: it forwards to a real inference process, or does harm."""

from __future__ import annotations

import asyncio
from typing import Literal

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Mode = Literal["well", "hangs", "errs", "slow", "talks nonsense"]


class FaultyCanary:
    """`mode` says what it does from now on; `asked` counts the scores asked of it."""

    def __init__(self, target: str, slow_seconds: float) -> None:
        self.target = target
        self.slow_seconds = slow_seconds
        self.mode: Mode = "well"
        self.asked = 0
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        """Whatever the mode says."""
        body = await request.body()
        self.asked += request.method == "POST"
        while self.mode == "hangs":
            await asyncio.sleep(0.05)
        if self.mode == "errs":
            return Response("broken", 500)
        if self.mode == "talks nonsense":
            return Response("<html>Sign in to the proxy</html>", 200)
        if self.mode == "slow":
            await asyncio.sleep(self.slow_seconds)
        headers = {"content-type": request.headers.get("content-type", "")}
        async with httpx.AsyncClient(base_url=self.target, trust_env=False, timeout=20) as client:
            path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            said = await client.request(request.method, path, content=body, headers=headers)
        return Response(said.content, said.status_code, media_type=said.headers.get("content-type"))
