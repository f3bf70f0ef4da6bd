"""`POST /predict`: the contract that older clients have."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from hilum.problems import Problem
from services.inference import answers, metrics
from services.inference.api.bodies import FILM_PROBLEMS, json_body, json_bytes, parse
from services.inference.api.leaving import unless_left
from services.inference.assess import Assessment, assess
from services.inference.scorer import NotScorable
from services.inference.serving import ScorerDep, ServingDep

router = APIRouter(tags=["older clients"])


class ImageIn(BaseModel):
    """A film in base64, with or without a `data:` prefix; other fields are ignored, as they always were."""

    model_config = ConfigDict(extra="ignore")

    image: str


class PredictionsOut(BaseModel):
    """Names of the findings that are present, and every finding's probability in the release's order."""

    predictions: list[str]
    probabilities: list[float]


def film_bytes(image: str) -> bytes:
    """The bytes behind base64 text; line breaks are allowed, anything else that is not base64 is a 422 problem."""
    text = image.partition(",")[2] if image.startswith("data:") else image
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Problem(422, "invalid-request", "image: this is not base64.") from None


@router.post(
    "/predict",
    summary="Score one film (older clients)",
    openapi_extra=json_body(ImageIn, {"image": "iVBORw0KGgo..."}),
    responses=FILM_PROBLEMS,
)
async def predict(request: Request, serving: ServingDep, scorer: ScorerDep) -> PredictionsOut:
    """Score a film in base64. A film that can't be scored is a 422 problem, never an empty list of findings."""
    body = await json_bytes(request)

    def work() -> Assessment:
        return assess(scorer, film_bytes(parse(ImageIn, body).image), serving.limits)

    async with unless_left(request):
        done = await serving.run(work, client=serving.client_of(request))
    answer = answers.prediction(scorer, done.result, done.queue_seconds)
    metrics.observe(answer)
    if not answer.domain.in_domain:
        raise NotScorable(answer.domain.reason or "The film is out of the release's domain.")
    return PredictionsOut(
        predictions=[f.name for f in answer.findings if f.present],
        probabilities=[f.probability for f in answer.findings],
    )
