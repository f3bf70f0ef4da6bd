"""The core's errors as problem documents: one small handler each."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from hilum.imaging import BadFilm
from hilum.problems import Problem
from services.inference.scorer import NotScorable
from services.inference.work import Busy


async def _bad_film(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BadFilm)  # noqa: S101 - the handler is registered for this class alone
    return Problem(error.status, error.kind, str(error)).response()


async def _not_scorable(_: Request, error: Exception) -> JSONResponse:
    return Problem(422, "not-scorable", str(error)).response()


async def _busy(_: Request, __: Exception) -> JSONResponse:
    detail = "Every worker is taken and the queue is full; send the film again."
    return Problem(503, "busy", detail, headers={"Retry-After": "1"}).response()


def install(app: FastAPI) -> None:
    """Add the handlers to `app`."""
    app.add_exception_handler(BadFilm, _bad_film)
    app.add_exception_handler(NotScorable, _not_scorable)
    app.add_exception_handler(Busy, _busy)
