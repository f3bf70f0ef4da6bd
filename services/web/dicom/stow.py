"""`POST /dicom-web/studies`: STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

import asyncio
import contextvars

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from hilum.problems import Problem
from services.web.api.paths import StudyUid
from services.web.candidates import Facts, Upload
from services.web.context import Web, WebDep
from services.web.dicom.dicomjson import MEDIA_TYPE, Elements, element, sequence
from services.web.dicom.multipart import read_parts
from services.web.dicom.receive import Received, receive
from services.web.dicom.statuses import status_of
from services.web.identity.access import need

router = APIRouter(
    prefix="/dicom-web/studies", tags=["DICOMweb"], dependencies=[Depends(need("reader", scope="films:write"))]
)
_BODY = {"requestBody": {"required": True, "content": {'multipart/related; type="application/dicom"': {}}}}


@router.post("", summary="Store instances (STOW-RS)", openapi_extra=_BODY)
async def store(web: WebDep, request: Request) -> JSONResponse:
    """200 where every instance is kept, 202 where some are, 409 where none is; the body says it of each."""
    return await _store(web, request, "")


@router.post("/{uid}", summary="Store instances of one study", openapi_extra=_BODY)
async def store_study(web: WebDep, request: Request, uid: StudyUid) -> JSONResponse:
    """As above; an instance of another study fails."""
    return await _store(web, request, uid)


async def _store(web: Web, request: Request, study_uid: str) -> JSONResponse:
    parts = await read_parts(request, web.settings.max_films_per_request)
    try:
        uploads = [Upload(f"instance-{n}.dcm", read) for n, read in enumerate(parts.readers(), start=1)]
        if not uploads:
            raise Problem(400, "no-instance", "The request has no part: send at least one instance.")
        loop = asyncio.get_running_loop()

        def keep() -> list[Received]:
            return receive(web, uploads, Facts(sender="STOW-RS"), "stow", study_uid=study_uid)

        received = await loop.run_in_executor(web.ingesters, contextvars.copy_context().run, keep)
    finally:
        parts.close()
    root = f"{str(request.base_url).rstrip('/')}/dicom-web/studies"
    kept = [item for item in received if item.kept]
    failed = [item for item in received if not item.kept]
    body: Elements = {}
    if kept:
        studies = sorted({item.outcome.study_uid or "" for item in kept})
        if len(studies) == 1:
            body |= element("RetrieveURL", f"{root}/{studies[0]}")
        body |= sequence("ReferencedSOPSequence", [_reference(item, root) for item in kept])
    if failed:
        body |= sequence("FailedSOPSequence", [_failure(item) for item in failed])
    status = 409 if not kept else 202 if failed else 200
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)


def _names(item: Received) -> Elements:
    facts = item.facts
    if facts is None:
        return {}
    return element("ReferencedSOPClassUID", facts.sop_class_uid) | element("ReferencedSOPInstanceUID", facts.uid)


def _reference(item: Received, root: str) -> Elements:
    facts = item.facts
    assert facts is not None  # noqa: S101 - it was kept by its names
    url = f"{root}/{facts.study_uid}/series/{facts.series_uid}/instances/{facts.uid}"
    return _names(item) | element("RetrieveURL", url)


def _failure(item: Received) -> Elements:
    # FailureReason holds what C-STORE answers; ErrorComment says it in words (an addition, as Orthanc has it).
    return _names(item) | element("FailureReason", status_of(item.outcome)) | element(
        "ErrorComment", item.outcome.detail[:64]
    )  # fmt: skip
