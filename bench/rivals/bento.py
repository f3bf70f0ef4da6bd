"""BentoML with two workers: `python -m bench.rivals.bento` in its environment.

Films go through a `bentoml.api` as its guide has it; raw tensors through a mounted ASGI route, which is faster than its
JSON arrays.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.rivals.common import PORT, WORKERS, Model


async def _tensors(request: Request) -> Response:
    model = bentoml.get_current_service().model
    films = model.tensors(await request.body())
    answers = await asyncio.to_thread(model.run, films)
    return Response(np.asarray(answers, dtype="<f4").tobytes(), media_type="application/octet-stream")


@bentoml.service(workers=WORKERS, traffic={"timeout": 120, "max_concurrency": 512})
@bentoml.asgi_app(Starlette(routes=[Route("/", _tensors, methods=["POST"])]), path="/tensors")
class Films:
    """The release behind BentoML."""

    def __init__(self) -> None:
        self.model = Model()

    @bentoml.api(route="/films")
    def films(self, file: Path) -> list[dict[str, Any]]:
        """One film's findings."""
        film = self.model.film(file.read_bytes())
        return self.model.named(self.model.run(film[np.newaxis])[0])


if __name__ == "__main__":
    command = [sys.executable, "-m", "bentoml", "serve", "bench.rivals.bento:Films", "--port", str(PORT)]
    os.execv(sys.executable, [*command, "--host", "127.0.0.1"])  # noqa: S606 - this very program
