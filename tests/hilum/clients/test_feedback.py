"""The client of feedback: the same over a socket and in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from fastapi import FastAPI, Response

from hilum.clients.base import Refused, Unavailable, in_process, over_network
from hilum.clients.feedback import FeedbackClient
from services.feedback.app import create_app
from services.feedback.settings import FeedbackSettings
from tests.fixtures.ports import free_ports
from tests.fixtures.reads import a_read
from tests.servers import serve

T = TypeVar("T")
Ask = Callable[[Callable[[FeedbackClient], Awaitable[T]]], T]


@asynccontextmanager
async def _client(how: str, app: FastAPI) -> AsyncIterator[FeedbackClient]:
    if how == "network":
        with serve(app) as served:
            client = FeedbackClient(over_network(served.url))
            yield client
            await client.aclose()
        return
    async with app.router.lifespan_context(app):
        client = FeedbackClient(in_process(app))
        yield client
        await client.aclose()


@pytest.fixture(params=["network", "in process"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask[object]:
    """Run a question against feedback with an empty ledger."""
    app = create_app(FeedbackSettings(database_url=f"sqlite:///{tmp_path / 'feedback.db'}", archive_seconds=0))

    async def run(question: Callable[[FeedbackClient], Awaitable[object]]) -> object:
        async with _client(request.param, app) as client:
            return await question(client)

    return lambda question: asyncio.run(run(question))


def test_a_read_is_appended_once_and_paged(ask: Ask[object]) -> None:
    async def question(client: FeedbackClient) -> None:
        first = await client.append(a_read(1, labels={"Effusion": 1}), "key-1")
        again = await client.append(a_read(1, labels={"Effusion": 1}), "key-1")
        second = await client.append(a_read(2), "key-2")
        assert first == again
        page = await client.reads_since(0, limit=1)
        assert (page.reads, page.next) == ([first], 1)
        assert (await client.reads_since(1)).reads == [second]

    ask(question)


def test_a_synthetic_read_is_not_kept(ask: Ask[object]) -> None:
    async def question(client: FeedbackClient) -> None:
        tried = await client.append(a_read(1), "self-test", synthetic=True)
        assert tried.sequence == 1
        assert (await client.reads_since(0)).reads == []

    ask(question)


def test_a_refusal_says_why(ask: Ask[object]) -> None:
    async def question(client: FeedbackClient) -> None:
        await client.append(a_read(1), "key-1")
        with pytest.raises(Refused) as conflict:
            await client.append(a_read(2), "key-1")
        assert (conflict.value.status, conflict.value.kind) == (409, "idempotency-key-conflict")
        with pytest.raises(Refused, match="labels names what findings does not: Fracture") as invalid:
            await client.append(a_read(3, labels={"Fracture": 1}), "key-2")
        assert invalid.value.status == 422

    ask(question)


def test_a_ready_service_is_ready(ask: Ask[object]) -> None:
    async def question(client: FeedbackClient) -> None:
        assert (await client.ready()).ready

    ask(question)


@pytest.mark.parametrize("how", ["network", "in process"])
def test_a_service_without_its_database_is_unavailable_and_says_when_to_come_back(how: str) -> None:
    url = f"postgresql://hilum@127.0.0.1:{free_ports(1)[0]}/hilum"

    async def question() -> None:
        async with _client(how, create_app(FeedbackSettings(database_url=url, archive_seconds=0))) as client:
            with pytest.raises(Unavailable, match="the database can't be used") as away:
                await client.append(a_read(1), "key-1")
            assert away.value.retry_after_seconds == 5
            ready = await client.ready()
            assert not ready.ready
            assert "the database can't be used" in ready.reasons[0]

    asyncio.run(question())


def test_a_dead_address_is_unavailable() -> None:
    async def question() -> None:
        client = FeedbackClient(over_network(f"http://127.0.0.1:{free_ports(1)[0]}"))
        with pytest.raises(Unavailable, match="ConnectError"):
            await client.append(a_read(1), "key-1")
        ready = await client.ready()
        assert ready.reasons == ["feedback can't be reached: ConnectError"]
        await client.aclose()

    asyncio.run(question())


@pytest.mark.parametrize("how", ["network", "in process"])
@pytest.mark.parametrize("status", [200, 201, 408, 429, 500, 502])
def test_a_page_of_something_else_is_never_taken_for_an_acknowledgement(how: str, status: int) -> None:
    stranger = FastAPI()

    @stranger.api_route("/{path:path}", methods=["GET", "POST"])
    def anything(path: str) -> Response:
        return Response("<h1>a proxy's page</h1>", status_code=status)

    async def question() -> None:
        async with _client(how, stranger) as client:
            with pytest.raises(Unavailable):
                await client.append(a_read(1), "key-1")
            assert not (await client.ready()).ready

    asyncio.run(question())


def test_an_error_inside_the_application_is_unavailable_in_one_process_too() -> None:
    broken = FastAPI()

    @broken.post("/v1/reads")
    def fails() -> None:
        raise RuntimeError("a defect")

    async def question() -> None:
        with pytest.raises(Unavailable, match="500"):
            await FeedbackClient(in_process(broken)).append(a_read(1), "key-1")

    asyncio.run(question())
