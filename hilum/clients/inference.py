"""The typed client of the inference service; the same over a network and in one process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from hilum.clients.base import Refused, Unavailable, request
from hilum.wire import ModelInfo, Prediction, Readiness, ReferenceOut, StudyPrediction

Answer = TypeVar("Answer", bound=BaseModel)


def _parsed(model: type[Answer], response: httpx.Response) -> Answer:
    """The body as `model`; raises Unavailable where it is something else (a proxy's page, another version)."""
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        raise Unavailable(f"{response.request.url.path} answered something else than {model.__name__}") from error


class InferenceClient:
    """Asks one inference service. Every call raises Unavailable (send it again later) or Refused (do not)."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def predict(self, data: bytes, filename: str = "film", *, features: bool = False) -> Prediction:
        """Score one film; Refused with kind `not-scorable` where it is kept and shown but not scored.

        `features`: with what drift is judged by, where the service can tell it.
        """
        asked = {"features": "true"} if features else None
        response = await request(self._client, "POST", "/v1/predict", params=asked, files={"file": (filename, data)})
        return _parsed(Prediction, response)

    async def predict_study(self, films: Sequence[bytes], views: Sequence[str] | None = None) -> StudyPrediction:
        """Score two or more films of one study; `views` (PA, AP, LATERAL, or empty for unsaid) has one for each film.

        Refused where one of the films is bad (`problem["film"]` is its number, from 1) or they are of several studies.
        """
        if len(films) < 2:
            raise ValueError("predict_study takes two or more films; one film is predict's")
        response = await request(
            self._client,
            "POST",
            "/v1/predict",
            files=[("file", (f"film-{number}", data)) for number, data in enumerate(films, 1)],
            data={} if views is None else {"view": list(views)},
        )
        return _parsed(StudyPrediction, response)

    async def explain(self, data: bytes, finding: str, digest: str) -> bytes:
        """The heat map of `finding` as PNG; Refused (409) where another release than `digest` is served."""
        response = await request(
            self._client,
            "POST",
            "/v1/explain",
            params={"finding": finding, "release": digest},
            files={"file": ("film", data)},
        )
        return response.content

    async def model(self) -> ModelInfo:
        """The release that is served."""
        return _parsed(ModelInfo, await request(self._client, "GET", "/v1/model"))

    async def golden_film(self) -> bytes:
        """The release's built-in film, whose probabilities `model().golden` gives."""
        return (await request(self._client, "GET", "/v1/model/golden-film")).content

    async def card(self) -> str:
        """The release's model card, Markdown."""
        return (await request(self._client, "GET", "/v1/model/card")).text

    async def reference(self) -> ReferenceOut | None:
        """What drift is judged against; None where the release (or an older service) has none."""
        try:
            return _parsed(ReferenceOut, await request(self._client, "GET", "/v1/model/reference"))
        except Refused as error:
            if error.status == 404:
                return None
            raise

    async def ready(self) -> Readiness:
        """Whether the service is ready, with its reasons; one that can't be asked is not ready."""
        try:
            response = await self._client.get("/readyz")
            return Readiness.model_validate_json(response.content)
        except (httpx.HTTPError, ValidationError) as error:
            return Readiness(ready=False, reasons=[f"inference does not answer: {type(error).__name__}"])


__all__ = ["InferenceClient", "Refused", "Unavailable"]
