"""The pages of the reading room: made on the server from the service layer's views; small modules in the browser."""

from __future__ import annotations

from fastapi import FastAPI

from services.web.pages import drift, errors, finding, informative, numbers, plain, promotion, reviews, study, worklist
from services.web.pages.errors import shown

__all__ = ["install", "shown"]


def install(app: FastAPI) -> None:
    """Add the pages to `app`, whose `state.web` is the running service; call after its error handlers are set."""
    for part in (worklist, study, informative, reviews, finding, numbers, drift, promotion, plain):
        app.include_router(part.router)
    errors.install(app)
