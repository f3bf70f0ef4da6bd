"""KServe's Python server with two workers: `python -m bench.rivals.kserve_server` in its environment."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import kserve
import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, ModelServer

from bench.rivals.common import PORT, WORKERS, Model


class Films(kserve.Model):
    """The release behind KServe: a film in base64 by its V1 protocol, a tensor by V2."""

    def __init__(self) -> None:
        super().__init__("films")
        self.model: Model | None = None

    def load(self) -> bool:
        """Open the model in this worker."""
        self.model = Model()
        self.ready = True
        return True

    async def predict(
        self, payload: InferRequest | dict[str, Any], headers: Any = None, response_headers: Any = None
    ) -> InferResponse | dict[str, Any]:
        """Answer one request."""
        if self.model is None:
            self.load()
        model = self.model
        if isinstance(payload, dict):
            data = base64.b64decode(payload["instances"][0]["b64"])
            film = await asyncio.to_thread(model.film, data)
            answer = await asyncio.to_thread(model.run, film[np.newaxis])
            return {"predictions": model.named(answer[0])}
        answer = (await asyncio.to_thread(model.run, payload.inputs[0].as_numpy())).astype(np.float32)
        output = InferOutput("probabilities", list(answer.shape), "FP32")
        output.set_data_from_numpy(answer, binary_data=True)
        return InferResponse(payload.id or "", "films", [output])


if __name__ == "__main__":
    films = Films()
    # Workers are spawned: a session does not travel to them, so each opens its own at its first request.
    films.ready = True
    ModelServer(http_port=PORT, workers=WORKERS, enable_grpc=False, access_log_format=None).start([films])
