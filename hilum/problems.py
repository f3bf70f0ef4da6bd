"""One shape for every error: `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

MEDIA_TYPE = "application/problem+json"
log = structlog.get_logger("hilum.problems")


class Problem(Exception):
    """An answer that refuses: `detail` says what is wrong and what to do, never a patient's data."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The problem document."""
        return {
            "type": f"urn:hilum:problem:{self.kind}",
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            **self.extra,
        }

    def response(self) -> JSONResponse:
        """The answer that carries it."""
        return JSONResponse(self.body(), status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE)


_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:hilum:problem:empty-file"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def documented(**reasons: str) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's `responses` for problems: `_413="larger than the limit"` documents status 413."""
    return {
        int(status.removeprefix("_")): {"description": reason, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
        for status, reason in reasons.items()
    }


async def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - the handler is registered for this class alone
    return error.response()


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return Problem(error.status_code, kind, str(error.detail), headers=dict(error.headers or {})).response()


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    fields = [
        {"where": ".".join(str(part) for part in item["loc"]), "problem": str(item["msg"])} for item in error.errors()
    ]
    first = fields[0] if fields else {"where": "request", "problem": "is not valid"}
    return Problem(422, "invalid-request", f"{first['where']}: {first['problem']}", fields=fields).response()


async def _left(_: Request, __: Exception) -> JSONResponse:
    """Nobody reads this answer; without it the log would call the sender's leaving an error of the service."""
    return Problem(400, "sender-left", "The sender left before the request was complete.").response()


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return Problem(500, "internal-error", "An unexpected error; it is in the service's log.").response()


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _unexpected)
