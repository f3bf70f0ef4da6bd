"""The reading room with real inference and feedback in one process, for tests. The two can be switched off."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from services.feedback.app import create_app as create_feedback
from services.feedback.settings import FeedbackSettings
from services.inference.app import create_app as create_inference
from services.inference.settings import InferenceSettings
from services.web.app import create_app as create_web
from services.web.context import Web
from services.web.settings import WebSettings
from services.web.tables import Base

BASE_URL = "http://localhost"


class Wire(httpx.AsyncBaseTransport):
    """The line to a service; `cut` it, and nothing gets through; while it is `held`, nothing is answered.

    `target` may be exchanged while it runs.

    A request that holds the bytes `poison` is answered with 500.
    """

    def __init__(self, target: FastAPI) -> None:
        self.target = target
        self.cut = False
        self.held = False
        self.poison: bytes | None = None
        self.requests: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut:
            raise httpx.ConnectError("the line is cut", request=request)
        while self.held:
            await asyncio.sleep(0.02)
        if self.poison is not None and self.poison in await request.aread():
            return httpx.Response(500, request=request)
        self.requests.append(f"{request.method} {request.url.path}")
        transport = httpx.ASGITransport(app=self.target, raise_app_exceptions=False)
        return await transport.handle_async_request(request)


@dataclass
class Room:
    """A running reading room and the lines behind it."""

    app: FastAPI
    client: TestClient
    feedback_app: FastAPI
    to_inference: Wire
    to_feedback: Wire
    to_canary: Wire | None = None

    @property
    def web(self) -> Web:
        web: Web = self.app.state.web
        return web

    def send(self, *files: bytes | tuple[str, bytes], **fields: str) -> httpx.Response:
        """Upload films; a bare body is called film.png."""
        parts = [("file", file if isinstance(file, tuple) else ("film.png", file)) for file in files]
        return self.client.post("/v1/studies", files=parts, data=fields)

    def sent(self, *files: bytes | tuple[str, bytes], **fields: str) -> str:
        """The uid of the one new study."""
        answer = self.send(*files, **fields)
        assert answer.status_code == 201, answer.text
        uid: str = answer.json()["uid"]
        return uid

    def study(self, uid: str) -> dict[str, Any]:
        """The study's detail."""
        answer = self.client.get(f"/v1/studies/{uid}")
        assert answer.status_code == 200, answer.text
        detail: dict[str, Any] = answer.json()
        return detail

    def settled(self, uid: str, status: str = "scored") -> dict[str, Any]:
        """The study once it has this status."""
        found: dict[str, Any] = wait_for(lambda: [d for d in [self.study(uid)] if d["status"] == status])[0]
        return found

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        """One page of the list."""
        answer = self.client.get("/v1/studies", params={"limit": 200, **query})
        assert answer.status_code == 200, answer.text
        studies: list[dict[str, Any]] = answer.json()["studies"]
        return studies

    def read(self, uid: str, labels: dict[str, Any], key: str, **body: Any) -> httpx.Response:
        """Send a read."""
        return self.client.post(
            f"/v1/studies/{uid}/reads", json={"labels": labels, **body}, headers={"Idempotency-Key": key}
        )

    def ledger(self) -> list[dict[str, Any]]:
        """Every read that feedback holds."""
        with TestClient(self.feedback_app, base_url=BASE_URL) as asked:
            reads: list[dict[str, Any]] = asked.get("/v1/reads", params={"since": 0, "limit": 1000}).json()["reads"]
        return reads

    def rows(self) -> dict[str, int]:
        """How many rows each table holds."""
        with self.web.read() as session:
            return {
                table.name: session.scalar(select(func.count()).select_from(table)) or 0
                for table in Base.metadata.sorted_tables
            }

    def blobs(self, prefix: str = "films/") -> list[str]:
        """Keys in the store of bytes."""
        return list(self.web.blobs.keys(prefix))


@contextlib.contextmanager
def beside(room: Room, reader: str, **settings: Any) -> Iterator[Room]:
    """A second reading room on the same rows and films, in which `reader` reads."""
    web = create_web(
        room.web.settings.model_copy(update={"reader": reader, **settings}),
        inference=httpx.AsyncClient(transport=room.to_inference, base_url="http://inference"),
        feedback=httpx.AsyncClient(transport=room.to_feedback, base_url="http://feedback"),
    )
    with TestClient(web, base_url=BASE_URL, raise_server_exceptions=False) as client:
        wait_for(web.state.web.prepared.is_set)
        yield Room(web, client, room.feedback_app, room.to_inference, room.to_feedback)


def wait_for(look: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What `look` gives once it is true; a test that waits in vain fails here. A busy machine stands still for 20 s."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def open_room(data: Path, release: Path, *, canary: Path | None = None, **settings: Any) -> Iterator[Room]:
    """Run a reading room on `data` with `release` until the block ends. The answer is never blind unless asked for.

    `canary` is the folder of the release that canary serves; None: there is no canary.
    """
    database = settings.get("database_url", "")
    inference = create_inference(InferenceSettings(data=data, release=release, trusted_keys=""))
    feedback = create_feedback(FeedbackSettings(data=data, database_url=database))
    to_inference, to_feedback = Wire(inference), Wire(feedback)
    trial = None if canary is None else create_inference(InferenceSettings(data=data, release=canary, trusted_keys=""))
    to_canary = None if trial is None else Wire(trial)
    web = create_web(
        WebSettings.model_validate({"data": data, "blind_share": 0.0, "retry_max_seconds": 0.2, **settings}),
        inference=httpx.AsyncClient(transport=to_inference, base_url="http://inference"),
        feedback=httpx.AsyncClient(transport=to_feedback, base_url="http://feedback"),
        canary=None if to_canary is None else httpx.AsyncClient(transport=to_canary, base_url="http://canary"),
    )
    alone = web.router.lifespan_context

    @contextlib.asynccontextmanager
    async def together(app: FastAPI) -> AsyncIterator[None]:
        async with (
            feedback.router.lifespan_context(feedback),
            inference.router.lifespan_context(inference),
            trial.router.lifespan_context(trial) if trial else contextlib.nullcontext(),
            alone(app),
        ):
            yield

    web.router.lifespan_context = together
    with TestClient(web, base_url=BASE_URL, raise_server_exceptions=False) as client:
        wait_for(lambda: "loaded" not in (inference.state.serving.reason or ""))
        # On a busy machine the tables may take longer than a request waits; a database that is away is not waited for.
        if ":9/" not in database:
            web.state.web.prepared.wait(20)
        if trial is not None:
            wait_for(lambda: "loaded" not in (trial.state.serving.reason or ""))
        yield Room(web, client, feedback, to_inference, to_feedback, to_canary)
