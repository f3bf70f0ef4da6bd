"""Pictures and bytes of films. Browsers can't show DICOM: they get PNG."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response

from services.web import images
from services.web.api.paths import FilmUid, StudyUid
from services.web.context import WebDep

router = APIRouter(prefix="/v1/studies/{uid}/films/{film}", tags=["films"])
IfNoneMatch = Annotated[str | None, Header()]
# Kept by the browser, asked again each time: a shared workstation's cache shows nothing that the service would not.
_CACHE = "private, no-cache"


def _picture(data: bytes) -> Response:
    return Response(data, media_type="image/png", headers={"Cache-Control": _CACHE})


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _CACHE})


@router.get("/image.png", summary="The film as PNG", response_class=Response)
def image(web: WebDep, uid: StudyUid, film: FilmUid, if_none_match: IfNoneMatch = None) -> Response:
    """Full resolution, 8 bits, the header's window applied."""
    found = images.find_film(web, uid, film)
    tag = f'"{found.sha256[:32]}-image-{images.RENDERING}"'
    if if_none_match == tag:
        return _unchanged(tag)
    response = _picture(images.display_png(web, found))
    response.headers["ETag"] = tag
    return response


@router.get("/thumbnail.png", summary="A small PNG", response_class=Response)
def thumbnail(web: WebDep, uid: StudyUid, film: FilmUid, if_none_match: IfNoneMatch = None) -> Response:
    """For lists."""
    found = images.find_film(web, uid, film)
    tag = f'"{found.sha256[:32]}-thumbnail-{images.RENDERING}"'
    if if_none_match == tag:
        return _unchanged(tag)
    response = _picture(images.thumbnail_png(web, found))
    response.headers["ETag"] = tag
    return response


@router.get("/original", summary="The bytes as they came", response_class=Response)
def original(web: WebDep, uid: StudyUid, film: FilmUid) -> Response:
    """As an attachment, byte for byte."""
    found = images.find_film(web, uid, film)
    name = quote(found.file_name, safe="")
    disposition = f"attachment; filename=\"film\"; filename*=UTF-8''{name}"
    return Response(
        images.original(web, found), media_type=found.media_type, headers={"Content-Disposition": disposition}
    )


@router.get("/heat", summary="Heat map of a finding", response_class=Response)
async def heat(web: WebDep, uid: StudyUid, film: FilmUid, finding: Annotated[str, Query(max_length=100)]) -> Response:
    """PNG with transparency, to be stretched over the whole film: what influenced the score, not where a finding is."""
    return _picture(await images.heat_png(web, uid, film, finding))
