"""The one way in for a film: decode, keep the bytes, write the rows, and only then say that it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from hilum.storage import BlobMissing, writer_lock
from services.web.candidates import Candidate, Facts, Upload, differences, inspect
from services.web.context import Web, utc_now
from services.web.metrics import FILMS_REFUSED, FILMS_STORED
from services.web.register import Verdict, apply, judge
from services.web.tables import Film
from services.web.views import FilmOutcome, Ingested

log = structlog.get_logger("hilum.web.ingest")
SAME_FILM = "This film is already here, in another encoding or with other meta information; the first is kept."
STATUS_OF = {"stored": 201, "duplicate": 200, "conflict": 409}


def ingest(web: Web, uploads: Sequence[Upload], facts: Facts) -> Ingested:
    """Take `uploads` in; what is reported as stored is on disk. Blocks: call it in a thread.

    Films are decoded in `web.decoders`, so that memory stays bounded however many requests come. Raises
    DatabaseUnavailable and BlobsUnavailable: then nothing was promised, and the same request may be sent again.
    """
    inspected = [web.decoders.submit(inspect, upload, facts).result() for upload in uploads]
    candidates = [item for item in inspected if isinstance(item, Candidate)]
    verdicts = _register(web, candidates) if candidates else []
    outcomes = iter(_outcome(verdict) for verdict in verdicts)
    films = tuple(next(outcomes) if isinstance(item, Candidate) else item for item in inspected)
    _count(films)
    if any(film.outcome == "stored" for film in films):
        web.films_waiting.set()
    named = [film.study_uid for film in films if film.study_uid and film.outcome in {"stored", "duplicate"}]
    return Ingested(films, tuple(dict.fromkeys(named)))


def _register(web: Web, candidates: list[Candidate]) -> list[Verdict]:
    with web.read() as session:
        expected = judge(session, candidates)
    found: dict[str, str] = {}
    for verdict in expected:
        candidate = verdict.candidate
        if verdict.outcome == "stored":
            web.decoders.submit(_keep_bytes, web, candidate).result()
        elif verdict.outcome == "duplicate":
            web.decoders.submit(_mend_bytes, web, candidate).result()
        elif verdict.outcome == "conflict":
            found[candidate.sha256] = web.decoders.submit(_difference, web, verdict).result()
    verdicts = _commit(web, candidates, found)
    kept = {id(verdict.candidate) for verdict in expected if verdict.outcome == "stored"}
    for verdict in verdicts:
        if verdict.outcome == "conflict" and id(verdict.candidate) in kept:
            web.blobs.delete(verdict.candidate.blob_key)
    return verdicts


def _commit(web: Web, candidates: list[Candidate], found: dict[str, str]) -> list[Verdict]:
    with web.write() as session:
        # One upload at a time looks and writes, so that what it saw still holds when it writes.
        writer_lock(session, "ingest")
        verdicts = [_same(verdict, found) for verdict in judge(session, candidates)]
        apply(session, verdicts, web.settings, found, utc_now())
    return verdicts


def _same(verdict: Verdict, found: dict[str, str]) -> Verdict:
    """A conflict in which nothing differs is a duplicate."""
    if verdict.outcome == "conflict" and found.get(verdict.candidate.sha256) == "":
        return replace(verdict, outcome="duplicate", detail=SAME_FILM)
    return verdict


def _keep_bytes(web: Web, candidate: Candidate) -> None:
    web.blobs.put(candidate.blob_key, candidate.upload.read())


def _mend_bytes(web: Web, candidate: Candidate) -> None:
    """A film that comes again brings its bytes back, should the store have lost them."""
    if not web.blobs.exists(candidate.blob_key):
        _keep_bytes(web, candidate)


def _difference(web: Web, verdict: Verdict) -> str:
    """What the refused file differs in, where the kept one can be compared; empty: it is the same film."""
    with web.read() as session:
        kept = session.get(Film, verdict.candidate.film_uid)
    if kept is None:
        return verdict.detail
    try:
        return differences(web.blobs.get(kept.blob_key), verdict.candidate.upload.read())
    except BlobMissing:
        log.error("a kept film's bytes are missing", film_uid=kept.uid)
        return verdict.detail


def _outcome(verdict: Verdict) -> FilmOutcome:
    candidate = verdict.candidate
    return FilmOutcome(
        file=candidate.file,
        outcome=verdict.outcome,
        status=STATUS_OF[verdict.outcome],
        detail=verdict.detail,
        kind="conflicting-film" if verdict.outcome == "conflict" else "",
        film_uid=candidate.film_uid,
        study_uid=verdict.study_uid,
    )


def _count(films: Sequence[FilmOutcome]) -> None:
    for film in films:
        if film.outcome == "stored":
            FILMS_STORED.inc()
        elif film.outcome in {"refused", "conflict"}:
            FILMS_REFUSED.labels(film.kind).inc()
