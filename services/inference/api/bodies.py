"""Reading request bodies: one film of a form, or JSON; both refuse other content types by name."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from hilum.problems import Problem, documented

Body = TypeVar("Body", bound=BaseModel)

FILM_PROBLEMS = documented(
    _400="the bytes are empty, damaged or not whole",
    _413="more bytes or pixels than are taken",
    _415="not PNG, JPEG or DICOM, or not sent as this call takes it",
    _422="kept and shown but not scored (not-scorable), another kind of image, or an invalid request",
    _503="no release is served (not-ready), or the queue is full (busy): Retry-After says when to come back",
)

FILM_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "One PNG, JPEG or DICOM film."}
                    },
                }
            }
        },
    }
}


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


async def film_of_form(request: Request) -> bytes:
    """The bytes of the form's one `file`."""
    if content_type(request) != "multipart/form-data":
        raise Problem(415, "unsupported-media-type", "Send the film as multipart/form-data, in the field 'file'.")
    async with request.form(max_files=2, max_fields=16) as form:
        files = form.getlist("file")
        if len(files) != 1 or not isinstance(files[0], UploadFile):
            raise Problem(422, "invalid-request", "The form needs one film, as a file in the field 'file'.")
        return await files[0].read()


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
