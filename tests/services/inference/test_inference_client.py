"""The typed client, over a network and in one process alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from hilum.clients.base import Refused, Unavailable, in_process, over_network
from hilum.clients.inference import InferenceClient
from hilum.release import Release
from services.inference.app import create_app
from tests.releases import FINDINGS, pattern_film
from tests.servers import Served
from tests.services.inference.conftest import settings_for

T = TypeVar("T")
Asker = Callable[[Callable[[InferenceClient], Awaitable[T]]], T]


async def _until_ready(client: InferenceClient) -> None:
    for _ in range(500):
        if (await client.ready()).ready:
            return
        await asyncio.sleep(0.01)
    raise RuntimeError("not ready in time")


@pytest.fixture(params=["network", "one process"])
def ask(request: pytest.FixtureRequest, release: Release, server: Served) -> Iterator[Asker[object]]:
    """Run a coroutine with a client of a ready service."""

    def run(work: Callable[[InferenceClient], Awaitable[object]]) -> object:
        async def main() -> object:
            if request.param == "network":
                async with over_network(server.url) as http:
                    client = InferenceClient(http)
                    await _until_ready(client)
                    return await work(client)
            app = create_app(settings_for(release.folder))
            async with app.router.lifespan_context(app), in_process(app) as http:
                client = InferenceClient(http)
                await _until_ready(client)
                return await work(client)

        return asyncio.run(main())

    yield run


def test_predict_explain_and_model(ask: Asker[object], release: Release) -> None:
    async def work(client: InferenceClient) -> None:
        info = await client.model()
        assert info.release.digest == release.digest
        answer = await client.predict(pattern_film(1), "film.png")
        assert [f.name for f in answer.findings if f.present] == [FINDINGS[1]]
        png = await client.explain(pattern_film(1), FINDINGS[1], info.release.digest)
        assert png.startswith(b"\x89PNG")
        golden = await client.predict(await client.golden_film())
        assert {f.name: f.probability for f in golden.findings} == pytest.approx(info.golden, abs=1e-3)

    ask(work)


def test_several_films_of_one_study(ask: Asker[object]) -> None:
    async def work(client: InferenceClient) -> None:
        answer = await client.predict_study([pattern_film(1), pattern_film(0), pattern_film(2)], ["", "AP", "LATERAL"])
        assert [film.status for film in answer.films] == ["scored", "scored", "not_scored"]
        assert [f.name for f in answer.combined.findings if f.present] == [FINDINGS[0], FINDINGS[1]]
        with pytest.raises(Refused) as error:
            await client.predict_study([pattern_film(1), b"no film"])
        assert error.value.problem["film"] == 2
        with pytest.raises(ValueError, match="two or more"):
            await client.predict_study([pattern_film(1)])

    ask(work)


def test_a_bad_film_is_refused_for_good(ask: Asker[object]) -> None:
    async def work(client: InferenceClient) -> None:
        with pytest.raises(Refused) as error:
            await client.predict(b"no film", 'name"with\r\nodd characters.png')
        assert (error.value.status, error.value.kind) == (415, "not-an-image")
        with pytest.raises(Refused) as error:
            await client.explain(pattern_film(0), FINDINGS[0], "0" * 64)
        assert error.value.status == 409

    ask(work)


def test_a_service_without_a_release_is_unavailable_and_not_ready(tmp_path: Path) -> None:
    async def main() -> None:
        app = create_app(settings_for(tmp_path / "nothing"))
        async with app.router.lifespan_context(app), in_process(app) as http:
            client = InferenceClient(http)
            with pytest.raises(Unavailable) as error:
                await client.predict(pattern_film(0))
            assert error.value.retry_after_seconds == 5
            assert not (await client.ready()).ready

    asyncio.run(main())


def test_a_service_that_is_away_is_unavailable_and_not_ready() -> None:
    async def main() -> None:
        async with over_network("http://127.0.0.1:9") as http:
            client = InferenceClient(http)
            with pytest.raises(Unavailable):
                await client.model()
            readiness = await client.ready()
            assert not readiness.ready
            assert "does not answer" in readiness.reasons[0]

    asyncio.run(main())


def test_an_answer_of_something_else_is_unavailable() -> None:
    async def main() -> None:
        page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>a proxy's page</html>"))
        async with httpx.AsyncClient(transport=page, base_url="http://x") as http:
            client = InferenceClient(http)
            with pytest.raises(Unavailable):
                await client.predict(b"film")
            assert not (await client.ready()).ready

    asyncio.run(main())
