"""Several films of one study: each is scored or said why not, and the frontal ones are put together."""

from __future__ import annotations

import time
from collections.abc import Sequence

from hilum.imaging import Limits, decode
from hilum.imaging.dicom.checks import names_a_lateral
from hilum.wire import Combined, CombinedFinding, FilmOfStudy, Prediction
from services.inference import answers
from services.inference.assess import Assessment
from services.inference.scorer import NotScorable, Scorer

# What a sender may say of a film's view; PA and AP are frontal.
VIEWS = ("PA", "AP", "LATERAL")
LATERAL_SENT = "The film was sent as a lateral view; only frontal films are scored."
NONE_SCORED = "No film of the study was scored: there is no frontal film that the release can score."


class SeveralStudies(ValueError):
    """The films' headers name more than one study."""


def look(scorer: Scorer, data: bytes, limits: Limits, view: str, number: int = 1) -> FilmOfStudy:
    """Decode film `number` and score it, unless its header or `view` (empty: unsaid) says that it may not be.

    Runs in a worker's thread; raises BadFilm. Of a call's films, the pixels of one are in memory.
    """
    began = time.perf_counter()
    film = decode(data, limits)
    decode_seconds = time.perf_counter() - began
    header = film.header
    about = FilmOfStudy(
        number=number,
        study_uid=None if header is None else header.study_uid,
        view=view or ("" if header is None else header.view_position),
        status="not_scored",
        reason=film.unscorable or (LATERAL_SENT if names_a_lateral(view) else None),
    )
    if about.reason is not None:
        return about
    try:
        score = scorer.score(film.pixels)
    except NotScorable as error:
        return about.model_copy(update={"reason": str(error)})
    answer = answers.prediction(scorer, Assessment(film.warnings, score, decode_seconds), 0.0)
    status = "scored" if answer.domain.in_domain else "not_scored"
    return about.model_copy(update={"status": status, "reason": answer.domain.reason, "prediction": answer})


def waited(film: FilmOfStudy, queue_seconds: float) -> FilmOfStudy:
    """`film` with the time that it waited for a worker."""
    if film.prediction is None:
        return film
    timings = film.prediction.timings.model_copy(update={"queue_seconds": queue_seconds})
    return film.model_copy(update={"prediction": film.prediction.model_copy(update={"timings": timings})})


def check_one_study(films: Sequence[FilmOfStudy]) -> None:
    """Raise SeveralStudies where two headers differ; a film without a header belongs to the study it was sent with."""
    studies = {film.study_uid for film in films if film.study_uid is not None}
    if len(studies) > 1:
        raise SeveralStudies(f"The films are of {len(studies)} studies; send each study in a call of its own.")


def combine(films: Sequence[FilmOfStudy], critical_margin: float) -> Combined:
    """Per finding the highest probability among the scored films, with the film that has it (the first of equals)."""
    scored = [(film.number, film.prediction) for film in films if film.status == "scored" and film.prediction]
    margins = [answer.acute_margin for _, answer in scored if answer.acute_margin is not None]
    return Combined(
        films=[number for number, _ in scored],
        findings=_highest(scored),
        acute_margin=max(margins, default=None),
        critical_margin=critical_margin,
        reason=None if scored else NONE_SCORED,
    )


def _highest(scored: Sequence[tuple[int, Prediction]]) -> list[CombinedFinding]:
    found = []
    for same in zip(*([(number, f) for f in answer.findings] for number, answer in scored), strict=True):
        number, best = max(same, key=lambda item: item[1].probability)
        found.append(CombinedFinding(**best.model_dump(), film=number))
    return found
