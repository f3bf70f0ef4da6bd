"""What a release says of itself in words and figures: model card and evaluation report."""

from __future__ import annotations

from fastapi import APIRouter, Response

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
