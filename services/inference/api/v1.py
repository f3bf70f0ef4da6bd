"""`/v1`: predict, explain, model."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from hilum.problems import Problem, documented
from hilum.wire import ModelInfo, Prediction
from services.inference import answers, metrics
from services.inference.api.bodies import FILM_FORM, FILM_PROBLEMS, film_of_form
from services.inference.serving import ClientDep, ScorerDep, ServingDep

router = APIRouter(prefix="/v1", tags=["v1"])


@router.post("/predict", summary="Score one film", openapi_extra=FILM_FORM, responses=FILM_PROBLEMS)
async def predict(request: Request, serving: ServingDep, scorer: ScorerDep, client: ClientDep) -> Prediction:
    """Score one PNG, JPEG or DICOM film. Out of domain, `findings` is empty and `domain.reason` says why."""
    serving.check_room(client)
    data = await film_of_form(request)
    done = await serving.predict(data, client=client)
    answer = answers.prediction(scorer, done.result, done.queue_seconds)
    metrics.observe(answer)
    return answer


@router.post(
    "/explain",
    summary="Heat map of one finding",
    openapi_extra=FILM_FORM,
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "RGBA, 256 x 256, for the whole frame"},
        **FILM_PROBLEMS,
        **documented(_404="not a finding of the release", _409="another release is served"),
    },
)
async def heat(
    request: Request,
    serving: ServingDep,
    scorer: ScorerDep,
    client: ClientDep,
    finding: Annotated[str, Query(description="A finding of the release.", examples=["Effusion"])],
    release: Annotated[str, Query(description="Digest of the release whose answer is explained.")],
) -> Response:
    """Where in the film a finding's score comes from: to be stretched over the whole frame, transparent where nothing
    speaks for the finding. 409 where another release than `release` is served: its map would explain another answer.
    """
    if release != scorer.release.digest:
        raise Problem(
            409, "another-release", "Another release is served here; its heat map would explain another answer."
        )
    if finding not in scorer.manifest.findings:
        raise Problem(404, "unknown-finding", "The release does not score this finding; GET /v1/model lists them.")
    data = await film_of_form(request)
    done = await serving.explain(data, finding, client=client)
    return Response(done.result, media_type="image/png")


@router.get("/model", summary="The release that is served")
async def model(scorer: ScorerDep) -> ModelInfo:
    """Name, digest, ordered findings with their operating points, and the golden film's probabilities."""
    return answers.model_info(scorer)


@router.get(
    "/model/golden-film",
    summary="The release's built-in film",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}, "description": "The film whose probabilities GET /v1/model gives"}},
)
def golden_film(scorer: ScorerDep) -> Response:
    """The film by which a client can see that the whole path gives the release's own probabilities."""
    return Response(scorer.release.read(scorer.manifest.golden_film), media_type="image/png")
