"""The Open Inference Protocol V2 over HTTP (github.com/kserve/open-inference-protocol), with binary tensors."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from hilum import __version__
from hilum.problems import Problem, documented
from services.inference import tensors
from services.inference.api import v2_bodies
from services.inference.api.bodies import content_type, json_schema, plain_body
from services.inference.api.leaving import unless_left
from services.inference.refusals import problem_of
from services.inference.serving import ScorerDep, ServingDep, serving_of

SERVER = "hilum-inference"
EXTENSIONS = (v2_bodies.EXTENSION,)


class _Route(APIRoute):
    """Every refusal also has the protocol's own field `error`, beside those of a problem document."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of one route."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                problem = problem_of(error)
                if problem is None:
                    raise
                problem.extra.setdefault("error", problem.detail)
                raise problem from None

        return handler


router = APIRouter(prefix="/v2", tags=["Open Inference Protocol V2"], route_class=_Route)
UNKNOWN = documented(_404="another model or version", _503="no release is served (not-ready)")
INFER_PROBLEMS = documented(
    _400="not the tensors that the model takes, or not whole",
    _404="another model or version",
    _408="the body came too slowly",
    _413="the body is above the limit",
    _415="neither application/json nor, with Inference-Header-Content-Length, application/octet-stream",
    _422="the model gave no finite number (not-scorable)",
    _503="no release is served (not-ready), or the queue is full (busy): Retry-After says when to come back",
)
EXAMPLE = {
    "id": "42",
    "inputs": [{"name": "film", "shape": [1, 1, 128, 128], "datatype": "FP32", "data": [0.1, -0.4]}],
    "outputs": [{"name": "probabilities"}],
}
_SCHEMA = json_schema(v2_bodies.InferenceRequest)
INFER: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _SCHEMA,
                "examples": {"json": {"summary": "`data` (shortened here) flat or in rows", "value": EXAMPLE}},
            },
            "application/octet-stream": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "JSON without `data`, then the tensors' little-endian bytes; the request header "
                    "Inference-Header-Content-Length says how long the JSON is.",
                }
            },
        },
    },
    "parameters": [
        {
            "name": "Inference-Header-Content-Length",
            "in": "header",
            "required": False,
            "description": "Length of the JSON, where tensors' bytes stand behind it.",
            "schema": {"type": "integer", "minimum": 0},
        }
    ],
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The outputs, as JSON or (`binary_data`, `binary_data_output`) as bytes behind it",
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["model_name", "model_version", "outputs"]},
                "example": {
                    "model_name": "hilum-default",
                    "model_version": "1.0.2",
                    "id": "42",
                    "outputs": [
                        {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [0.031, 0.702]},
                    ],
                },
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    **INFER_PROBLEMS,
}


async def _infer(request: Request, name: str, version: str = "") -> Response:
    serving = serving_of(request)
    scorer, client = serving.scorer, serving.client_of(request)
    tensors.check_name(scorer, name, version)
    header = request.headers.get(v2_bodies.HEADER)
    # Triton's client names no content type.
    allowed = {"", "application/json"} if header is None else {"", "application/json", "application/octet-stream"}
    if content_type(request) not in allowed:
        detail = (
            "Send the tensors as application/json, or with Inference-Header-Content-Length as application/octet-stream."
        )
        raise Problem(415, "unsupported-media-type", detail)
    body = await plain_body(request)

    def work() -> tuple[bytes, int | None]:
        asked_for, asked = v2_bodies.read(scorer, body, header, serving.settings.max_batch_size)
        return v2_bodies.write(scorer, asked_for, tensors.answer(scorer, asked))

    async with unless_left(request):
        content, size = (await serving.run(work, client=client, kind="tensor")).result
    if size is None:
        return Response(content, media_type="application/json")
    return Response(content, media_type="application/octet-stream", headers={v2_bodies.HEADER: str(size)})


@router.post(
    "/models/{name}/infer",
    summary="Score preprocessed films",
    openapi_extra=INFER,
    response_class=Response,
    responses=ANSWERS,
)
async def infer(name: str, request: Request) -> Response:
    """Calibrated probabilities of films that the caller preprocessed (hilum.imaging.preprocess), in `film`."""
    return await _infer(request, name)


@router.post(
    "/models/{name}/versions/{version}/infer",
    summary="Score preprocessed films with one version",
    openapi_extra=INFER,
    response_class=Response,
    responses=ANSWERS,
)
async def infer_version(name: str, version: str, request: Request) -> Response:
    """The same, where the version is the one that is served; 404 otherwise, never another version's answer."""
    return await _infer(request, name, version)


def metadata_of(scorer: ScorerDep) -> dict[str, Any]:
    """Body of `GET /v2/models/NAME`; `parameters` has the order of the findings."""
    manifest = scorer.manifest
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": "onnxruntime_onnx",
        "inputs": [_described(t) for t in tensors.inputs_of(scorer)],
        "outputs": [_described(t) for t in tensors.outputs_of(scorer)],
        "parameters": {
            "findings": list(manifest.findings),
            "release": scorer.release.digest,
            "precision": scorer.variant.precision,
            "domain_threshold": scorer.variant.domain.threshold,
        },
    }


def _described(tensor: tensors.TensorInfo) -> dict[str, Any]:
    return {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}


@router.get("", summary="The server")
async def server() -> dict[str, Any]:
    """Name, version and extensions."""
    return {"name": SERVER, "version": __version__, "extensions": list(EXTENSIONS)}


@router.get("/health/live", summary="Alive")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/health/ready", summary="Ready", responses={503: {"description": "no verified release is served"}})
async def ready(serving: ServingDep, response: Response) -> dict[str, bool]:
    """200 once a verified release is served, else 503."""
    response.status_code = 200 if serving.reason is None else 503
    return {"ready": serving.reason is None}


@router.get("/models/{name}", summary="The model's tensors", responses=UNKNOWN)
async def metadata(name: str, scorer: ScorerDep) -> dict[str, Any]:
    """Shapes and datatypes; `parameters` has the order of the findings."""
    tensors.check_name(scorer, name)
    return metadata_of(scorer)


@router.get("/models/{name}/versions/{version}", summary="The tensors of one version", responses=UNKNOWN)
async def metadata_of_version(name: str, version: str, scorer: ScorerDep) -> dict[str, Any]:
    """The same, where the version is the one that is served."""
    tensors.check_name(scorer, name, version)
    return metadata_of(scorer)


@router.get("/models/{name}/ready", summary="The model is ready", responses=UNKNOWN)
async def model_ready(name: str, scorer: ScorerDep) -> dict[str, Any]:
    """200 for the release that is served."""
    tensors.check_name(scorer, name)
    return {"name": name, "ready": True}


@router.get("/models/{name}/versions/{version}/ready", summary="One version is ready", responses=UNKNOWN)
async def version_ready(name: str, version: str, scorer: ScorerDep) -> dict[str, Any]:
    """200 for the version that is served."""
    tensors.check_name(scorer, name, version)
    return {"name": name, "ready": True}
