"""KServe's Python server with two workers: `python -m bench.rivals.kserve_server` in its environment."""

from __future__ import annotations

import asyncio
from typing import Any

import kserve
import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, ModelServer

from bench.rivals.common import PORT, WORKERS, Model


class Films(kserve.Model):
    """The release behind KServe: a film as BYTES or a tensor as FP32, by the Open Inference Protocol."""

    def __init__(self) -> None:
        super().__init__("films")
        self.model: Model | None = None

    def load(self) -> bool:
        """Open the model in this worker."""
        self.model = Model()
        self.ready = True
        return True

    def start(self) -> None:
        """KServe calls it in each worker."""
        self.load()

    async def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> InferResponse:
        """Answer one request."""
        if self.model is None:
            self.load()
        model = self.model
        given = payload.inputs[0]
        if given.datatype == "BYTES":
            film = await asyncio.to_thread(model.film, bytes(given.as_numpy().ravel()[0]))
            films = film[np.newaxis]
        else:
            films = given.as_numpy()
        answer = (await asyncio.to_thread(model.run, films)).astype(np.float32)
        output = InferOutput("probabilities", list(answer.shape), "FP32")
        output.set_data_from_numpy(answer, binary_data=True)
        return InferResponse(payload.id or "", "films", [output])


if __name__ == "__main__":
    films = Films()
    films.load()
    ModelServer(http_port=PORT, workers=WORKERS, enable_grpc=False, access_log_format=None).start([films])
