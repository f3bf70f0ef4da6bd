"""Reading request bodies: one film of a form, or JSON; both refuse other content types by name."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from hilum.problems import Problem

Body = TypeVar("Body", bound=BaseModel)

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


def json_body(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's description of a JSON body that a worker's thread parses."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def film_of_form(request: Request) -> bytes:
    """The bytes of the form's one `file`."""
    if _content_type(request) != "multipart/form-data":
        raise Problem(415, "unsupported-media-type", "Send the film as multipart/form-data, in the field 'file'.")
    async with request.form(max_files=2, max_fields=16) as form:
        files = form.getlist("file")
        if len(files) != 1 or not isinstance(files[0], UploadFile):
            raise Problem(422, "invalid-request", "The form needs one film, as a file in the field 'file'.")
        return await files[0].read()


async def json_bytes(request: Request) -> bytes:
    """The raw body of a JSON request."""
    if _content_type(request) != "application/json":
        raise Problem(415, "unsupported-media-type", "Send the body as application/json.")
    return await request.body()


def parse(model: type[Body], data: bytes, status: int = 422) -> Body:
    """Parse `data` as `model`; raises a problem of `status` that names the first field at fault."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        detail = f"{where}: {first['msg']}" if where else str(first["msg"])
        raise Problem(status, "invalid-request", detail) from None
