"""Reading request bodies: one film of a form, or JSON; both refuse other content types by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartParser

from hilum.imaging.dicom.checks import names_a_frontal, names_a_lateral
from hilum.problems import Problem, documented
from services.inference.study import VIEWS

Body = TypeVar("Body", bound=BaseModel)

# Starlette's 1 MB would send nearly every DICOM film through a file and a thread for each piece of it. Memory stays
# bounded: HILUM_MAX_BYTES_IN_FLIGHT counts the bytes of all bodies. A larger film goes through a file as before.
SPOOL_BYTES = 8_000_000
MultiPartParser.spool_max_size = SPOOL_BYTES

FILM_PROBLEMS = documented(
    _400="the bytes are empty, damaged or not whole",
    _413="more bytes or pixels than are taken",
    _415="not PNG, JPEG or DICOM, or not sent as this call takes it",
    _422="kept and shown but not scored (not-scorable), another kind of image, or an invalid request",
    _503="no release is served (not-ready), or the queue is full (busy): Retry-After says when to come back",
)

_FILM = {"type": "string", "format": "binary"}


def form(properties: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's description of a form with `file` among its `properties`."""
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


FILM_FORM = form({"file": {**_FILM, "description": "One PNG, JPEG or DICOM film."}})
FILMS_FORM = form(
    {
        "file": {
            "type": "array",
            "items": _FILM,
            "minItems": 1,
            "description": "PNG, JPEG or DICOM films of one study: the field is repeated for each.",
        },
        "view": {
            "type": "array",
            "items": {"type": "string", "enum": ["", *VIEWS]},
            "description": "View of each film, in the order of the films; without it, or empty, as the header says.",
        },
    }
)


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """`schema` with definitions in the place of their names: in a larger document the names would lead nowhere."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(value, definitions) for key, value in schema.items() if key != "$defs"}


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of `model` in one piece."""
    schema = model.model_json_schema()
    inlined: dict[str, Any] = _inlined(schema, schema.get("$defs", {}))
    return inlined


def json_body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's description of a JSON body that a worker's thread parses."""
    content = {"application/json": {"schema": json_schema(model), "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def content_type(request: Request) -> str:
    """The request's media type in small letters, without its parameters; empty without one."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class SentFilm:
    """One film of a form: read when its turn comes, so that the others lie in the temporary folder."""

    file: UploadFile
    view: str


@asynccontextmanager
async def films_of_form(request: Request, most: int) -> AsyncIterator[list[SentFilm]]:
    """The form's films, 1 to `most`, each with its view in upper case (empty: unsaid)."""
    if content_type(request) != "multipart/form-data":
        raise Problem(415, "unsupported-media-type", "Send the film as multipart/form-data, in the field 'file'.")
    async with request.form(max_files=most + 1, max_fields=most + 16) as sent:
        files = [file for file in sent.getlist("file") if isinstance(file, UploadFile)]
        if not 1 <= len(files) <= most or len(files) != len(sent.getlist("file")):
            what = "one film, as a file" if most == 1 else f"1 to {most} films of one study, as files"
            raise Problem(422, "invalid-request", f"The form needs {what} in the field 'file'.")
        yield [SentFilm(*pair) for pair in zip(files, _views(sent, len(files)), strict=True)]


def _views(sent: FormData, films: int) -> list[str]:
    views = [view.strip().upper() if isinstance(view, str) else "?" for view in sent.getlist("view")]
    if not views:
        return [""] * films
    if len(views) != films:
        detail = f"view: there are {len(views)} for {films} films; send one for each film, in the same order, or none."
        raise Problem(422, "invalid-request", detail)
    if wrong := [k for k, view in enumerate(views, 1) if view and not (names_a_lateral(view) or names_a_frontal(view))]:
        detail = f"view of film {wrong[0]}: one of {', '.join(VIEWS)}, or empty where it is not known."
        raise Problem(422, "invalid-request", detail)
    return views


async def film_of_form(request: Request) -> bytes:
    """The bytes of the form's one `file`."""
    async with films_of_form(request, most=1) as films:
        return await films[0].file.read()


async def plain_body(request: Request) -> bytes:
    """The body as it was sent; a compressed one is refused: inflated, it could be any size."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise Problem(415, "unsupported-media-type", "Content-Encoding is not taken here; send the body as it is.")
    return await request.body()


async def json_bytes(request: Request) -> bytes:
    """The raw body of a JSON request."""
    if content_type(request) != "application/json":
        raise Problem(415, "unsupported-media-type", "Send the body as application/json.")
    return await plain_body(request)


def parse(model: type[Body], data: bytes, status: int = 422) -> Body:
    """Parse `data` as `model`; raises a problem of `status` that names the first field at fault."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        detail = f"{where}: {first['msg']}" if where else str(first["msg"])
        raise Problem(status, "invalid-request", detail) from None
