"""The Open Inference Protocol V2 over HTTP with JSON tensors (github.com/kserve/open-inference-protocol)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from hilum import __version__
from hilum.problems import Problem, documented
from services.inference import tensors
from services.inference.api.bodies import json_body, json_bytes, parse
from services.inference.serving import ScorerDep, ServingDep

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol V2"])
EXAMPLE = {"inputs": [{"name": "film", "shape": [1, 1, 128, 128], "datatype": "FP32", "data": [0.1, -0.4]}]}


def _named(scorer: ScorerDep, name: str) -> None:
    if name != scorer.manifest.name:
        detail = f"No model of this name is served; this is {scorer.manifest.name}."
        raise Problem(404, "unknown-model", detail, error=detail)


@router.get("", summary="The server")
async def server() -> dict[str, Any]:
    """Name, version and extensions (none)."""
    return {"name": "hilum-inference", "version": __version__, "extensions": []}


@router.get("/health/live", summary="Alive")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/health/ready", summary="Ready")
async def ready(serving: ServingDep, response: Response) -> dict[str, bool]:
    """200 once a verified release is served, else 503."""
    response.status_code = 200 if serving.reason is None else 503
    return {"ready": serving.reason is None}


@router.get("/models/{name}", summary="The model's tensors")
async def metadata(name: str, scorer: ScorerDep) -> dict[str, Any]:
    """Shapes and datatypes; `parameters` has the order of the findings."""
    _named(scorer, name)
    return tensors.metadata(scorer)


@router.get("/models/{name}/ready", summary="The model is ready")
async def model_ready(name: str, scorer: ScorerDep) -> dict[str, Any]:
    """200 for the release that is served."""
    _named(scorer, name)
    return {"name": name, "ready": True}


@router.post(
    "/models/{name}/infer",
    summary="Score preprocessed films",
    openapi_extra=json_body(tensors.InferenceRequest, EXAMPLE),
    responses=documented(_400="not the tensors that the model takes", _404="another model", _503="not ready, or busy"),
)
async def infer(name: str, request: Request, serving: ServingDep, scorer: ScorerDep) -> dict[str, Any]:
    """Calibrated probabilities of films that the caller preprocessed (hilum.imaging.preprocess), in `film`."""
    _named(scorer, name)
    if "inference-header-content-length" in request.headers:
        detail = "Binary tensors are not taken here; send JSON."
        raise Problem(415, "unsupported-media-type", detail, error=detail)
    body = await json_bytes(request)

    def work() -> dict[str, Any]:
        asked = parse(tensors.InferenceRequest, body, status=400)
        return tensors.infer(scorer, asked, serving.settings.max_batch_size)

    try:
        return (await serving.run(work)).result
    except tensors.BadTensor as error:
        raise Problem(400, "bad-tensor", str(error), error=str(error)) from None
