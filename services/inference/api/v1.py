"""`/v1`: predict, explain, model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from hilum.imaging import BadFilm
from hilum.problems import Problem, documented
from hilum.wire import FilmOfStudy, ModelInfo, Prediction, StudyPrediction
from services.inference import answers, metrics, study
from services.inference.api.bodies import (
    FILM_FORM,
    FILM_PROBLEMS,
    FILMS_FORM,
    SentFilm,
    film_of_form,
    films_of_form,
)
from services.inference.api.examples import EXAMPLES
from services.inference.api.leaving import unless_left
from services.inference.heat import LABEL
from services.inference.scorer import NotScorable, Scorer
from services.inference.serving import ScorerDep, Serving, serving_of

SCORED = "Of one film its answer; of several each film's, and `combined`"

# Read from the request itself: FastAPI's own parameters cost as much as half a small film.
FEATURES = {
    "name": "features",
    "in": "query",
    "description": "Of one film: tell also what drift is judged by.",
    "schema": {"type": "boolean", "default": False},
}
# A film that is no patient's (the prober's golden film) counts in no statistic of films.
SYNTHETIC = "Hilum-Synthetic"

router = APIRouter(prefix="/v1", tags=["v1"])


@router.post(
    "/predict",
    summary="Score the films of one study",
    openapi_extra={**FILMS_FORM, "parameters": [FEATURES]},
    response_model=Prediction | StudyPrediction,
    responses={200: {"description": SCORED, "content": {"application/json": {"examples": EXAMPLES}}}, **FILM_PROBLEMS},
)
async def predict(request: Request) -> Response:
    """Score one PNG, JPEG or DICOM film, or several films of one study in one call.

    One film: its answer. Out of domain, `findings` is empty and `domain.reason` says why. Several: each film's answer,
    or why it is shown and not scored, and `combined`, the maximum over the frontal films.
    """
    serving = serving_of(request)
    scorer, client = serving.scorer, serving.client_of(request)
    serving.check_room(client)
    async with films_of_form(request, most=serving.settings.max_films) as films:
        if len(films) == 1 and not films[0].view:
            data = await films[0].file.read()
            async with unless_left(request):
                done = await serving.predict(data, client=client, features=_asked(request))
            answer = answers.prediction(scorer, done.result, done.queue_seconds)
            if not request.headers.get(SYNTHETIC):
                metrics.observe(answer)
            return _json(answer)
        async with unless_left(request):
            looked = [await _look(serving, scorer, client, films, k) for k in range(1, len(films) + 1)]
    if len(looked) == 1:
        if looked[0].prediction is None:
            raise NotScorable(looked[0].reason or study.NONE_SCORED)
        return _json(looked[0].prediction)
    try:
        study.check_one_study(looked)
    except study.SeveralStudies as error:
        raise Problem(422, "several-studies", str(error)) from None
    combined = study.combine(looked, scorer.variant.critical_margin)
    return _json(StudyPrediction(release=answers.release_ref(scorer), films=looked, combined=combined))


async def _look(serving: Serving, scorer: Scorer, client: str, films: Sequence[SentFilm], number: int) -> FilmOfStudy:
    """Film `number` of the call. A bad one refuses the whole call: a maximum over the others isn't the study's."""
    sent = films[number - 1]
    data = await sent.file.read()
    try:
        done = await serving.run(partial(study.look, scorer, data, serving.limits, sent.view, number), client=client)
    except BadFilm as error:
        where = f"Film {number} of {len(films)}: " if len(films) > 1 else ""
        raise Problem(error.status, error.kind, f"{where}{error}", film=number) from None
    film = study.waited(done.result, done.queue_seconds)
    if film.prediction is not None:
        metrics.observe(film.prediction)
    return film


def _asked(request: Request) -> bool:
    return request.query_params.get("features", "") in {"true", "1"}


def _json(answer: Prediction | StudyPrediction) -> Response:
    """Written by pydantic once; FastAPI would check and walk it a second time."""
    # Who did not ask for features may be older than they are, and refuse a field that it does not know.
    left: Any = (
        {"films": {"__all__": {"prediction": {"features"}}}}
        if isinstance(answer, StudyPrediction)
        else {"features"}
        if answer.features is None
        else None
    )
    return Response(answer.model_dump_json(exclude=left), media_type="application/json")


@router.post(
    "/explain",
    summary="Heat map of one finding",
    openapi_extra=FILM_FORM,
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": f"RGBA, 256 x 256, for the whole frame: {LABEL}"},
        **FILM_PROBLEMS,
        **documented(_404="not a finding of the release", _409="another release is served"),
    },
)
async def heat(
    request: Request,
    finding: Annotated[str, Query(description="A finding of the release.", examples=["Effusion"])],
    release: Annotated[str, Query(description="Digest of the release whose answer is explained.")],
) -> Response:
    """How much each place of the film speaks for a finding: influence, not location. To be stretched over the whole
    frame, transparent where nothing
    speaks for the finding. 409 where another release than `release` is served: its map would explain another answer.
    """
    serving = serving_of(request)
    scorer = serving.scorer
    if release != scorer.release.digest:
        raise Problem(
            409, "another-release", "Another release is served here; its heat map would explain another answer."
        )
    if finding not in scorer.manifest.findings:
        raise Problem(404, "unknown-finding", "The release does not score this finding; GET /v1/model lists them.")
    data = await film_of_form(request)
    async with unless_left(request):
        done = await serving.explain(data, finding, client=serving.client_of(request))
    return Response(done.result, media_type="image/png", headers={"Hilum-Explanation": LABEL})


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
