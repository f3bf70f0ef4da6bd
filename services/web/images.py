"""Pictures of films: PNGs, frames, heat maps. Made when first asked for, then kept beside the films."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from hilum.clients.base import Refused, Unavailable
from hilum.imaging import BadFilm, decode, decode_frame, preview, render, thumbnail
from hilum.problems import Problem
from hilum.storage import BlobMissing
from services.web.blind import withheld
from services.web.context import Web
from services.web.studies import current_answer, labelled_findings, no_such_study
from services.web.tables import Film, Prediction, Study

# A change of rendering takes another name, so that no picture of the old kind is served.
RENDERING = "v1"
FRAMING = "v1"


@dataclass(frozen=True)
class StoredFilm:
    """What is needed to serve a film's bytes."""

    uid: str
    sha256: str
    blob_key: str
    media_type: str
    file_name: str


def no_such_film() -> Problem:
    """The answer for a film that this study does not have."""
    return Problem(404, "no-such-film", "This study has no such film.")


def find_film(web: Web, study_uid: str, film_uid: str) -> StoredFilm:
    """The film of this study; raises a 404 problem."""
    with web.read() as session:
        film = session.scalar(select(Film).where(Film.uid == film_uid, Film.study_uid == study_uid))
    if film is None:
        raise no_such_film()
    return StoredFilm(film.uid, film.sha256, film.blob_key, film.media_type, film.file_name)


def list_films(web: Web, study_uid: str) -> Sequence[Film]:
    """The study's films in their order; raises a 404 problem."""
    with web.read() as session:
        films = session.scalars(
            select(Film).where(Film.study_uid == study_uid).order_by(Film.state == "withdrawn", Film.number)
        ).all()
    if not films:
        raise no_such_study()
    return films


def original(web: Web, film: StoredFilm) -> bytes:
    """The bytes as they came."""
    try:
        return web.blobs.get(film.blob_key)
    except BlobMissing:
        detail = "The film's bytes are missing from the store; the service's log names them."
        raise Problem(503, "film-missing", detail) from None


def display_png(web: Web, film: StoredFilm) -> bytes:
    """8-bit PNG in full resolution."""
    return _derived(web, film, f"image-{RENDERING}", ".png", lambda data: render(decode(data)))


def preview_png(web: Web, film: StoredFilm) -> bytes:
    """8-bit PNG of at most 1,024 pixels a side: the first pixels that a reader sees."""
    return _derived(web, film, f"preview-{RENDERING}", ".png", lambda data: preview(decode(data)))


def thumbnail_png(web: Web, film: StoredFilm) -> bytes:
    """Small PNG for lists."""
    return _derived(web, film, f"thumbnail-{RENDERING}", ".png", lambda data: thumbnail(decode(data)))


def packed_frame(web: Web, film: StoredFilm) -> bytes:
    """All stored values (`hilum.imaging.frame`), gzipped lightly: a browser unpacks it faster than it decodes a PNG."""
    # Without a time in its header, so that the same film gives the same bytes.
    return _derived(
        web, film, f"frame-{FRAMING}", ".gz", lambda data: gzip.compress(decode_frame(data).to_bytes(), 1, mtime=0)
    )


def _derived(web: Web, film: StoredFilm, kind: str, ending: str, draw: Callable[[bytes], bytes]) -> bytes:
    key = f"derived/{kind}/{film.uid}/{film.sha256}{ending}"
    try:
        return web.blobs.get(key)
    except BlobMissing:
        data = original(web, film)
        try:
            picture = web.decoders.submit(draw, data).result()
        except BadFilm as error:
            # It decoded when it came: the store gives other bytes now, or a newer decoder judges them otherwise.
            raise Problem(503, "film-unreadable", f"The film can't be shown: {error}") from error
        web.blobs.put(key, picture)
        return picture


async def heat_png(web: Web, study_uid: str, film_uid: str, finding: str) -> bytes:
    """The heat map of `finding` by the release that gave the study's answer, as PNG with transparency.

    Raises problems: 404 where there is none (blind, not scored, no such finding), 409 where inference serves another
    release now, 503 where it is away.
    """
    film = await run_in_threadpool(find_film, web, study_uid, film_uid)
    digest = await run_in_threadpool(_digest, web, study_uid, film_uid, finding)
    slug = re.sub(r"[^a-z0-9]+", "-", finding.lower()).strip("-") or "finding"
    key = f"derived/heat-{digest}/{film.uid}/{film.sha256}/{slug}.png"
    try:
        return await run_in_threadpool(web.blobs.get, key)
    except BlobMissing:
        data = await run_in_threadpool(original, web, film)
    try:
        picture = await web.served_by(digest).explain(data, finding, digest)
    except Refused as error:
        status = error.status if error.status in {404, 409, 422} else 502
        raise Problem(status, error.kind or "no-heat-map", error.detail) from error
    except Unavailable as error:
        detail = "Inference does not answer; the heat map can be asked for again."
        raise Problem(503, "inference-unavailable", detail, headers={"Retry-After": "5"}) from error
    await run_in_threadpool(web.blobs.put, key, picture)
    return picture


def _digest(web: Web, study_uid: str, film_uid: str, finding: str) -> str:
    """The release whose heat map it is; raises a 404 problem, the same for blind studies as for unscored films."""
    with web.read() as session:
        row = session.execute(select(Study, withheld(web.reader)).where(Study.uid == study_uid)).one_or_none()
        answer = None if row is None or row[1] else current_answer(session, row[0])
        names = () if answer is None else tuple(f.name for f in labelled_findings(session, answer))
        if answer is not None and finding in names:
            scored = select(Prediction.film_uid).where(
                Prediction.film_uid == film_uid,
                Prediction.release_digest == answer.release_digest,
                Prediction.precision == answer.precision,
            )
            if session.scalar(scored) is not None:
                return answer.release_digest
    raise Problem(404, "no-heat-map", "There is no heat map of this finding for this film.")
