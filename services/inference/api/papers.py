"""What a release says of itself in words and figures: model card and evaluation report."""

from __future__ import annotations

from fastapi import APIRouter, Response

from hilum.problems import Problem, documented
from hilum.wire import ReferenceOut
from services.inference import answers
from services.inference.serving import ScorerDep

router = APIRouter(prefix="/v1/model", tags=["v1"])


@router.get(
    "/card",
    summary="The release's model card",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {}}, "description": "Markdown"}},
)
def card(scorer: ScorerDep) -> Response:
    """For whom and what it was made, its limits, its data, its figures."""
    return Response(scorer.release.read(scorer.manifest.model_card), media_type="text/markdown; charset=utf-8")


@router.get(
    "/evaluation",
    summary="The release's evaluation report",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}, "description": "Figures with intervals, per population"}},
)
def evaluation(scorer: ScorerDep) -> Response:
    """The figures behind the card, measured on locked patients."""
    return Response(scorer.release.read(scorer.manifest.evaluation), media_type="application/json")


@router.get(
    "/reference",
    summary="Reference statistics for drift",
    responses=documented(_404="a release without them"),
)
def reference(scorer: ScorerDep) -> ReferenceOut:
    """What scores and films looked like where the release was made; counts, from which no film can be rebuilt."""
    found = answers.reference(scorer)
    if found is None:
        detail = "This release carries no reference statistics (releases before 1.1 have none)."
        raise Problem(404, "no-reference", detail)
    return found
