"""Pictures and bytes of films. Browsers can't show DICOM: they get PNG."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Response

from services.web import images
from services.web.api.paths import FilmUid, StudyUid
from services.web.context import Web, WebDep
from services.web.wire import FilmSizeOut, FilmSizesOut

router = APIRouter(prefix="/v1/studies/{uid}/films", tags=["films"])
IfNoneMatch = Annotated[str | None, Header()]
# A film that was fetched beforehand is shown at once, while the browser asks whether it still may (304, or no
# more); after ten minutes it asks first. Signing out empties the cache.
_CACHE = "private, max-age=0, stale-while-revalidate=600"


def _drawn(
    web: WebDep, uid: str, film: str, kind: str, asked: str | None, draw: Callable[[Web, images.StoredFilm], bytes]
) -> Response:
    """A picture that is the same for ever, and 304 to a browser that has it."""
    found = images.find_film(web, uid, film)
    tag = f'"{found.sha256[:32]}-{kind}"'
    if asked == tag:
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": _CACHE})
    return Response(draw(web, found), media_type="image/png", headers={"ETag": tag, "Cache-Control": _CACHE})


@router.get("", summary="The films of a study")
def films(web: WebDep, uid: StudyUid) -> FilmSizesOut:
    """What a viewer needs to fetch them beforehand; nothing of the answer."""
    return FilmSizesOut(films=[FilmSizeOut.model_validate(film) for film in images.list_films(web, uid)])


@router.get("/{film}/image.png", summary="The film as PNG", response_class=Response)
def image(web: WebDep, uid: StudyUid, film: FilmUid, if_none_match: IfNoneMatch = None) -> Response:
    """Full resolution, 8 bits, the header's window applied."""
    return _drawn(web, uid, film, f"image-{images.RENDERING}", if_none_match, images.display_png)


@router.get("/{film}/preview.png", summary="The film as PNG, at most 1,024 pixels a side", response_class=Response)
def preview(web: WebDep, uid: StudyUid, film: FilmUid, if_none_match: IfNoneMatch = None) -> Response:
    """What the viewer shows until it has the frame."""
    return _drawn(web, uid, film, f"preview-{images.RENDERING}", if_none_match, images.preview_png)


@router.get("/{film}/thumbnail.png", summary="A small PNG", response_class=Response)
def thumbnail(web: WebDep, uid: StudyUid, film: FilmUid, if_none_match: IfNoneMatch = None) -> Response:
    """For lists."""
    return _drawn(web, uid, film, f"thumbnail-{images.RENDERING}", if_none_match, images.thumbnail_png)


@router.get("/{film}/frame", summary="The stored values, up to 16 bits", response_class=Response)
def frame(
    web: WebDep,
    uid: StudyUid,
    film: FilmUid,
    if_none_match: IfNoneMatch = None,
    accept_encoding: Annotated[str, Header()] = "",
) -> Response:
    """Every stored value without loss, and how the header says they are shown; the form is in `hilum.imaging.frame`.

    Sent gzipped to whoever accepts that, as browsers do.
    """
    response = _drawn(web, uid, film, f"frame-{images.FRAMING}", if_none_match, images.packed_frame)
    if response.status_code == 304:
        return response
    response.headers["Content-Type"] = "application/vnd.hilum.frame"
    response.headers["Vary"] = "Accept-Encoding"
    if "gzip" in accept_encoding:
        response.headers["Content-Encoding"] = "gzip"
        return response
    plain = gzip.decompress(bytes(response.body))
    kept = {name: response.headers[name] for name in ("content-type", "cache-control", "etag", "vary")}
    return Response(plain, headers=kept)


@router.get("/{film}/original", summary="The bytes as they came", response_class=Response)
def original(web: WebDep, uid: StudyUid, film: FilmUid) -> Response:
    """As an attachment, byte for byte."""
    found = images.find_film(web, uid, film)
    name = quote(found.file_name, safe="")
    disposition = f"attachment; filename=\"film\"; filename*=UTF-8''{name}"
    return Response(
        images.original(web, found), media_type=found.media_type, headers={"Content-Disposition": disposition}
    )


@router.get("/{film}/heat", summary="Heat map of a finding", response_class=Response)
async def heat(web: WebDep, uid: StudyUid, film: FilmUid, finding: Annotated[str, Query(max_length=100)]) -> Response:
    """PNG with transparency, to be stretched over the whole film: what influenced the score, not where a finding is."""
    picture = await images.heat_png(web, uid, film, finding)
    # Another release's answer has another map under the same address: a browser asks first, always.
    return Response(picture, media_type="image/png", headers={"Cache-Control": "private, no-cache"})
