"""WADO-RS: instances as they came, their headers as DICOM JSON, their pictures."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pydicom
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydicom.encaps import get_frame
from python_multipart.multipart import parse_options_header
from sqlalchemy import select

from hilum.problems import Problem
from hilum.storage import BlobMissing
from services.web import images
from services.web.api.paths import StudyUid
from services.web.context import Web, WebDep
from services.web.dicom.dicomjson import MEDIA_TYPE
from services.web.dicom.instances import FILM
from services.web.dicom.multipart import DICOM, related
from services.web.dicom.paths import InstanceUid, SeriesUid, no_such_instance
from services.web.dicom.query import not_withdrawn
from services.web.dicom.tables import Instance
from services.web.identity.access import need

router = APIRouter(
    prefix="/dicom-web/studies/{uid}",
    tags=["DICOMweb"],
    dependencies=[Depends(need("reader", scope="studies:read"))],
)
_ANY = {"*/*", "multipart/*", "multipart/related", "application/*"}
MAX_METADATA = 500


@router.get("", summary="Retrieve a study (WADO-RS)", response_class=Response)
def study(web: WebDep, request: Request, uid: StudyUid) -> Response:
    """Its instances, byte for byte, as multipart/related."""
    return _files(web, request, _found(web, uid))


@router.get("/series/{series}", summary="Retrieve a series", response_class=Response)
def one_series(web: WebDep, request: Request, uid: StudyUid, series: SeriesUid) -> Response:
    """As above."""
    return _files(web, request, _found(web, uid, series))


@router.get("/series/{series}/instances/{instance}", summary="Retrieve an instance", response_class=Response)
def one_instance(web: WebDep, request: Request, uid: StudyUid, series: SeriesUid, instance: InstanceUid) -> Response:
    """As multipart/related, or bare where `application/dicom` is asked for. A withdrawn film is here too."""
    found = _found(web, uid, series, instance)
    accepted = [kind for kind, _ in _accepted(request)]
    if DICOM in accepted and not _ANY & set(accepted):
        _check_syntax(request, found)
        return Response(_bytes(web, found[0]), media_type=DICOM)
    return _files(web, request, found)


@router.get("/metadata", summary="Headers of a study")
def study_metadata(web: WebDep, uid: StudyUid) -> JSONResponse:
    """DICOM JSON without pixels."""
    return _metadata(web, _found(web, uid))


@router.get("/series/{series}/metadata", summary="Headers of a series")
def series_metadata(web: WebDep, uid: StudyUid, series: SeriesUid) -> JSONResponse:
    """DICOM JSON without pixels."""
    return _metadata(web, _found(web, uid, series))


@router.get("/series/{series}/instances/{instance}/metadata", summary="Header of an instance")
def instance_metadata(web: WebDep, uid: StudyUid, series: SeriesUid, instance: InstanceUid) -> JSONResponse:
    """DICOM JSON without pixels."""
    return _metadata(web, _found(web, uid, series, instance))


@router.get("/series/{series}/instances/{instance}/rendered", summary="The film as PNG", response_class=Response)
def rendered(web: WebDep, uid: StudyUid, series: SeriesUid, instance: InstanceUid) -> Response:
    """8 bits, the header's window applied, as the reading room shows it."""
    (found,) = _found(web, uid, series, instance)
    if found.kind != FILM:
        raise Problem(406, "no-picture", "The instance is a document and has no picture.")
    return Response(images.display_png(web, images.find_film(web, uid, instance)), media_type="image/png")


@router.get("/series/{series}/instances/{instance}/frames/{frames}", summary="Pixels", response_class=Response)
def pixels(web: WebDep, uid: StudyUid, series: SeriesUid, instance: InstanceUid, frames: str) -> Response:
    """The one frame as it is stored: uncompressed, or its compressed stream."""
    (found,) = _found(web, uid, series, instance)
    if frames != "1" or found.kind != FILM:
        raise Problem(404, "no-such-frame", "A film has one frame, number 1; a document has none.")
    film = pydicom.dcmread(BytesIO(_bytes(web, found)), force=True)
    data = bytes(film.PixelData)
    if pydicom.uid.UID(found.transfer_syntax_uid).is_compressed:
        data = get_frame(data, 0, number_of_frames=1)
    kind = f"application/octet-stream; transfer-syntax={found.transfer_syntax_uid}"
    return _multipart("application/octet-stream", iter([(kind, data)]))


def _found(web: Web, study_uid: str, series_uid: str = "", uid: str = "") -> list[Instance]:
    """The instances; raises a 404 problem where there is none."""
    query = select(Instance).where(Instance.study_uid == study_uid)
    if series_uid:
        query = query.where(Instance.series_uid == series_uid)
    # A note withdraws a film from its study and series; who names it still gets it.
    query = query.where(Instance.uid == uid) if uid else query.where(not_withdrawn())
    with web.read() as session:
        found = list(session.scalars(query.order_by(Instance.series_uid, Instance.uid)))
    if not found:
        raise no_such_instance()
    return found


def _accepted(request: Request) -> list[tuple[str, dict[bytes, bytes]]]:
    """The media types that the request accepts, with their parameters."""
    parts = [part for part in request.headers.get("accept", "*/*").split(",") if part.strip()]
    parsed = [parse_options_header(part) for part in parts]
    return [(kind.decode("latin-1").lower(), options) for kind, options in parsed]


def _check_syntax(request: Request, found: list[Instance]) -> None:
    """Instances are given as stored; raises a 406 problem where another transfer syntax alone is asked for."""
    asked = {options[b"transfer-syntax"].decode("latin-1") for _, options in _accepted(request)
             if b"transfer-syntax" in options}  # fmt: skip
    if asked and "*" not in asked and not {item.transfer_syntax_uid for item in found} <= asked:
        raise Problem(406, "other-encoding", "Instances are given as they were stored; ask for transfer-syntax=*.")


def _files(web: Web, request: Request, found: list[Instance]) -> Response:
    accepted = _accepted(request)
    fits = any(
        (kind in _ANY or kind == DICOM) and options.get(b"type", DICOM.encode()).decode("latin-1").lower() == DICOM
        for kind, options in accepted
    )
    if not fits:
        raise Problem(406, "not-acceptable", 'Instances come as multipart/related; type="application/dicom".')
    _check_syntax(request, found)

    def bodies() -> Iterator[tuple[str, bytes]]:
        for item in found:
            yield f"{DICOM}; transfer-syntax={item.transfer_syntax_uid}", _bytes(web, item)

    return _multipart(DICOM, bodies())


def _multipart(kind: str, bodies: Iterator[tuple[str, bytes]]) -> Response:
    boundary = f"hilum-{uuid.uuid4().hex}"
    # The first is read before the answer begins: bytes that are missing are an error and not half an answer.
    first = next(bodies)

    def chain() -> Iterator[tuple[str, bytes]]:
        yield first
        yield from bodies

    media_type = f'multipart/related; type="{kind}"; boundary={boundary}'
    return StreamingResponse(related(boundary, chain()), media_type=media_type)


def _bytes(web: Web, item: Instance) -> bytes:
    try:
        return web.blobs.get(item.blob_key)
    except BlobMissing:
        raise Problem(503, "film-missing", "The instance's bytes are missing from the store.") from None


def _metadata(web: Web, found: list[Instance]) -> JSONResponse:
    if len(found) > MAX_METADATA:
        raise Problem(413, "too-many-instances", f"More than {MAX_METADATA} instances: ask for a series.")
    return JSONResponse([_header(_bytes(web, item)) for item in found], media_type=MEDIA_TYPE)


def _header(data: bytes) -> dict[str, Any]:
    try:
        header = pydicom.dcmread(BytesIO(data), stop_before_pixels=True, force=True)
        found: dict[str, Any] = header.to_json_dict(bulk_data_threshold=1 << 30, suppress_invalid_tags=True)
    # pydicom raises whatever damaged bytes lead to.
    except Exception:
        raise Problem(422, "damaged-header", "The instance's header can't be read as a whole.") from None
    return found
