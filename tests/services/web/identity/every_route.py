"""All routes of an application, whoever added them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from fastapi.routing import APIRoute

# Answers that never end.
STREAMS = {"/v1/events"}


def routes_of(app: FastAPI) -> list[tuple[str, str, APIRoute]]:
    """Method, path and route of all that `app` answers, also what its OpenAPI document does not show."""
    listed = [(m, r.path, r) for r in _below(app.routes) for m in sorted(r.methods) if m != "HEAD"]
    assert set(app.openapi()["paths"]) <= {path for _, path, _ in listed}, "a way of adding routes is not followed here"
    return listed


def _below(routes: Iterable[object]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        else:
            inner = getattr(route, "original_router", route)
            yield from _below(getattr(inner, "routes", None) or [])
