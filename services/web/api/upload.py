"""`POST /v1/studies`: films in."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import BinaryIO

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from hilum.problems import Problem
from services.web.blind import withheld
from services.web.candidates import Facts, Upload
from services.web.context import Web, WebDep
from services.web.identity import need
from services.web.ingest import ingest
from services.web.names import form_text
from services.web.tables import Study
from services.web.views import FilmOutcome, Ingested
from services.web.wire import FilmOutcomeOut, IngestedOut, StudyOut
from services.web.worklist import study_rows

router = APIRouter(prefix="/v1/studies", tags=["studies"])

_FIELDS = {"accession": 64, "patient_id": 64, "priority": 16, "location": 64, "site": 128}
_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        **{name: {"type": "string", "maxLength": longest} for name, longest in _FIELDS.items()},
                    },
                }
            }
        },
    }
}


def _uploads(form: FormData) -> list[Upload]:
    uploads = []
    for name, value in form.multi_items():
        if not isinstance(value, UploadFile):
            if name == "file":
                raise Problem(422, "not-a-file", "The field 'file' must carry a file with a file name.")
            continue
        if name != "file":
            raise Problem(422, "unknown-field", f"Files go in the field 'file', not in {name[:40]!r}.")
        uploads.append(Upload(value.filename or "", _reader(value.file)))
    if not uploads:
        raise Problem(422, "no-file", "Send at least one film in the field 'file' of a multipart form.")
    return uploads


def _reader(stream: BinaryIO) -> Callable[[], bytes]:
    def read() -> bytes:
        stream.seek(0)
        return stream.read()

    return read


def _facts(form: FormData) -> Facts:
    values: dict[str, str] = {}
    for name, longest in _FIELDS.items():
        given = {value for value in form.getlist(name) if isinstance(value, str)}
        if len(given) > 1:
            raise Problem(422, "invalid-field", f"{name}: given more than once, with different values.")
        values[name] = form_text(name, given.pop() if given else "", longest)
    return Facts(
        accession=values["accession"],
        patient_id=values["patient_id"],
        priority=values["priority"].upper(),
        location=values["location"],
        site=values["site"],
    )


@router.post(
    "",
    status_code=201,
    summary="Send films",
    dependencies=[Depends(need("reader", scope="films:write"))],
    openapi_extra=_SCHEMA,
    responses={201: {"model": IngestedOut}, 200: {"model": IngestedOut}, 207: {"model": IngestedOut}},
)
async def send_films(web: WebDep, request: Request) -> JSONResponse:
    """201 once every film is on disk, 200 where all were here already, 207 where some were refused.

    Where no film was taken the answer is the problem document of the first file, with all files' outcomes in `films`.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem(415, "not-multipart", "Send the films as multipart/form-data, each in the field 'file'.")
    # Parts are spooled to disk as they come: memory holds about 1 MB of each request until its films are decoded.
    try:
        form = await request.form(max_files=web.settings.max_films_per_request, max_fields=50)
    except HTTPException as error:
        said = str(error.detail)
        if said == "Invalid multipart data.":
            said = "The form is damaged, or a file's name in it has more than 4,000 characters."
        raise Problem(400, "bad-form", f"{said} Nothing was kept.") from error
    except ClientDisconnect:
        raise Problem(400, "upload-cut-off", "The upload ended before it was whole; nothing was kept.") from None
    except OSError as error:
        detail = f"The upload can't be held on disk ({error.strerror}); nothing was kept."
        raise Problem(503, "no-room-for-uploads", detail, headers={"Retry-After": "30"}) from error
    try:
        uploads, facts = _uploads(form), _facts(form)
        loop = asyncio.get_running_loop()
        ingested = await loop.run_in_executor(
            web.ingesters, contextvars.copy_context().run, ingest, web, uploads, facts
        )
    finally:
        await form.close()
    return await run_in_threadpool(_answer, web, ingested)


def _answer(web: Web, ingested: Ingested) -> JSONResponse:
    films = [FilmOutcomeOut.model_validate(film) for film in ingested.films]
    status = status_of(ingested.films)
    if status >= 400:
        first = next(film for film in ingested.films if film.status == status)
        listed = [film.model_dump(mode="json") for film in films]
        raise Problem(first.status, first.kind, first.detail, films=listed)
    with web.read() as session:
        query = select(Study, withheld(web.reader)).where(Study.uid.in_(ingested.study_uids))
        by_uid = {study.uid: (study, bool(hidden)) for study, hidden in session.execute(query)}
        rows = study_rows(session, [by_uid[uid] for uid in ingested.study_uids if uid in by_uid])
    studies = [StudyOut.model_validate(row) for row in rows]
    body = IngestedOut(studies=studies, films=films, uid=studies[0].uid if len(studies) == 1 else None)
    return JSONResponse(body.model_dump(mode="json"), status_code=status)


def status_of(films: tuple[FilmOutcome, ...]) -> int:
    """201, 200, 207, or the 4xx of the first file where nothing was taken."""
    outcomes = {film.outcome for film in films}
    if not outcomes & {"stored", "duplicate"}:
        return films[0].status
    if outcomes & {"refused", "conflict"}:
        return 207
    return 201 if "stored" in outcomes else 200
