"""The same refusals as over HTTP, as gRPC status codes (grpc.io/docs/guides/status-codes)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import grpc
import structlog

from hilum.problems import Problem
from services.inference.refusals import problem_of

Answer = TypeVar("Answer")
UNREADABLE = "The message is not one of this call; services/inference/rpc/open_inference.proto has its fields."
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    503: grpc.StatusCode.UNAVAILABLE,
}

log = structlog.get_logger("hilum.inference.rpc")


def refusing(
    method: Callable[[Any, Any, grpc.aio.ServicerContext], Awaitable[Answer]],
) -> Callable[[Any, Any, grpc.aio.ServicerContext], Awaitable[Answer]]:
    """End a call whose `method` raises with a status; `problem-type` and `retry-after` are trailing metadata."""

    async def answer(self: Any, request: Any, context: grpc.aio.ServicerContext) -> Answer:
        try:
            if request is None:
                raise Problem(400, "invalid-request", UNREADABLE)
            return await method(self, request, context)
        except Exception as error:
            problem = problem_of(error)
            if problem is None:
                log.exception("unexpected error", method=method.__name__)
                await context.abort(grpc.StatusCode.INTERNAL, "An unexpected error; it is in the service's log.")
                raise
            trailing = [("problem-type", str(problem.body()["type"]))]
            trailing += [("retry-after", value) for name, value in problem.headers.items() if name == "Retry-After"]
            code = CODES.get(problem.status, grpc.StatusCode.UNKNOWN)
            await context.abort(code, problem.detail, trailing_metadata=tuple(trailing))
            raise

    return answer
