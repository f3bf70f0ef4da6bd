"""Errors of the stores as problem documents: the film or read was not kept, and may be sent again."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from hilum.problems import Problem
from hilum.storage import BlobsUnavailable, DatabaseUnavailable


def no_such_study() -> Problem:
    """The answer for a study that is not here."""
    return Problem(404, "no-such-study", "There is no such study here.")


async def _database(_: Request, error: Exception) -> JSONResponse:
    return Problem(503, "database-unavailable", f"Nothing was kept: {error}.", headers={"Retry-After": "5"}).response()


async def _blobs(_: Request, error: Exception) -> JSONResponse:
    return Problem(503, "films-unavailable", f"Nothing was kept: {error}.", headers={"Retry-After": "5"}).response()


def install(app: FastAPI) -> None:
    """Add the handlers to `app`."""
    app.add_exception_handler(DatabaseUnavailable, _database)
    app.add_exception_handler(BlobsUnavailable, _blobs)
