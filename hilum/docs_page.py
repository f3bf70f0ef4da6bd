"""`GET /docs`: the service's calls as a plain page, drawn here from its OpenAPI document. Nothing comes from outside.

FastAPI's own page loads scripts from a CDN, which a closed network has not and the content security policy forbids.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment

_METHODS = ("get", "post", "put", "patch", "delete")


def _text(name: str) -> str:
    return resources.files("hilum").joinpath(name).read_text(encoding="utf-8")


_TEMPLATE = Environment(autoescape=True, trim_blocks=True).from_string(_text("docs_page.html"))


def _example(method: str, url: str, operation: dict[str, Any]) -> str:
    """A command that can be tried as it stands, once the words in capitals are filled in."""
    content = operation.get("requestBody", {}).get("content", {})
    needed = [p for p in operation.get("parameters", []) if p.get("required")]
    query = "&".join(f"{p['name']}={p['name'].upper()}" for p in needed if p["in"] == "query")
    headers = "".join(f" -H '{p['name']}: {p['name'].upper()}'" for p in needed if p["in"] == "header")
    words = ["curl" if method == "GET" else f"curl -X {method}"]
    if "multipart/form-data" in content:
        words.append("-F file=@film.png")
    elif "application/json" in content:
        body = json.dumps(content["application/json"].get("example", {}), separators=(",", ":"))
        words.append(f"-H 'Content-Type: application/json' -d '{body}'")
    return " ".join(words) + headers + f" '{url}{'?' + query if query else ''}'"


def _paragraphs(text: str) -> list[list[tuple[str, bool]]]:
    """Paragraphs of a docstring as pieces of text, each with whether it stood between backticks."""
    parts = [part for part in text.split("\n\n") if part]
    return [[(piece, k % 2 == 1) for k, piece in enumerate(part.split("`"))] for part in parts]


def _calls(document: dict[str, Any], base: str) -> list[dict[str, Any]]:
    calls = []
    for path, operations in document["paths"].items():
        for method in (m for m in _METHODS if m in operations):
            operation = operations[method]
            calls.append(
                {
                    "id": operation["operationId"],
                    "method": method.upper(),
                    "path": path,
                    "summary": operation.get("summary", ""),
                    "text": _paragraphs(operation.get("description", "")),
                    "parameters": operation.get("parameters", []),
                    "example": _example(method.upper(), base + path, operation),
                    "answers": [
                        (status, answer.get("description", "")) for status, answer in operation["responses"].items()
                    ],
                }
            )
    return calls


def add(app: FastAPI) -> None:
    """Serve `/docs` and its style sheet in `app`, which was made with `docs_url=None, redoc_url=None`."""

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        document = app.openapi()
        # `base_url` leaves out where this application is mounted in another.
        base = f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '').rstrip('/')}"
        return HTMLResponse(_TEMPLATE.render(info=document["info"], calls=_calls(document, base)))

    @app.get("/docs/style.css", include_in_schema=False)
    def style() -> Response:
        return Response(_text("docs_page.css"), media_type="text/css")
