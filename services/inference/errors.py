"""The core's errors as problem documents; which is which says `services.inference.refusals`."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from hilum.imaging import BadFilm
from services.inference.refusals import problem_of
from services.inference.scorer import ModelFailed, NotScorable
from services.inference.tensors import BadTensor, UnknownModel
from services.inference.work import Busy


async def _refused(_: Request, error: Exception) -> JSONResponse:
    problem = problem_of(error)
    assert problem is not None  # noqa: S101 - registered for the classes that it knows
    return problem.response()


def install(app: FastAPI) -> None:
    """Add the handler to `app`."""
    for kind in (BadFilm, ModelFailed, NotScorable, BadTensor, UnknownModel, Busy):
        app.add_exception_handler(kind, _refused)
