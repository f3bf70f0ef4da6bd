"""From the core's dataclasses to the bodies of the answers."""

from __future__ import annotations

from functools import cache
from io import BytesIO

from hilum.findings import finding
from hilum.release.reference import read as read_reference
from hilum.wire import (
    CodeOut,
    DomainCheck,
    FilmFeatures,
    FilmWarningOut,
    FindingInfo,
    ModelInfo,
    PopulationOut,
    PredictedFinding,
    Prediction,
    ReferenceOut,
    ReleaseRef,
    Timings,
)
from services.inference.assess import Assessment
from services.inference.scorer import FindingScore, Scorer


def release_ref(scorer: Scorer) -> ReleaseRef:
    """Which release, and which precision of it, answers."""
    manifest = scorer.manifest
    return ReleaseRef(
        name=manifest.name,
        version=manifest.version,
        digest=scorer.release.digest,
        precision=scorer.variant.precision,
    )


@cache
def _code(name: str) -> CodeOut:
    code = finding(name).code
    return CodeOut(value=code.value, scheme=code.scheme, meaning=code.meaning)


def _finding(score: FindingScore) -> PredictedFinding:
    return PredictedFinding(
        name=score.spec.name,
        code=_code(score.spec.name),
        probability=score.probability,
        rule_out=score.spec.rule_out.threshold,
        alert=score.spec.alert.threshold,
        present=score.present,
        established=score.spec.established,
    )


def _warnings(assessment: Assessment) -> list[FilmWarningOut]:
    warnings = [FilmWarningOut(code=w.code, text=w.text) for w in assessment.warnings]
    if assessment.score.domain.warning is not None:
        warnings.append(FilmWarningOut(code="maybe_mirrored", text=assessment.score.domain.warning))
    return warnings


def prediction(scorer: Scorer, assessment: Assessment, queue_seconds: float) -> Prediction:
    """The body of `POST /v1/predict`."""
    score = assessment.score
    told = score.features
    return Prediction(
        release=release_ref(scorer),
        findings=[_finding(f) for f in score.findings],
        domain=DomainCheck(
            in_domain=score.domain.in_domain,
            score=score.domain.distance,
            threshold=score.domain.threshold,
            reason=score.domain.reason,
        ),
        acute_margin=score.acute_margin,
        critical_margin=scorer.variant.critical_margin,
        warnings=_warnings(assessment),
        timings=Timings(
            decode_seconds=assessment.decode_seconds,
            preprocess_seconds=score.preprocess_seconds,
            queue_seconds=queue_seconds,
            infer_seconds=score.infer_seconds,
        ),
        features=None
        if told is None
        else FilmFeatures(quality=told.quality, places=list(told.places), pose=list(told.pose)),
    )


def model_info(scorer: Scorer) -> ModelInfo:
    """The body of `GET /v1/model`."""
    return ModelInfo(
        release=release_ref(scorer),
        findings=[
            FindingInfo(
                name=spec.name,
                code=_code(spec.name),
                acute=finding(spec.name).acute,
                established=spec.established,
                weight=spec.weight,
                rule_out=spec.rule_out.threshold,
                alert=spec.alert.threshold,
            )
            for spec in scorer.variant.findings
        ],
        critical_margin=scorer.variant.critical_margin,
        input_height=scorer.manifest.input.height,
        input_width=scorer.manifest.input.width,
        provider=scorer.session.provider,
        provider_reason=scorer.opened.why,
        runtime=f"{scorer.opened.runtime} {scorer.opened.version}",
        signed_by=scorer.release.signed_by,
        golden=scorer.variant.golden,
    )


def reference(scorer: Scorer) -> ReferenceOut | None:
    """The body of `GET /v1/model/reference`; None where the release carries no such statistics, or unreadable ones."""
    if scorer.manifest.reference is None:
        return None
    try:
        found = read_reference(BytesIO(scorer.release.read(scorer.manifest.reference)))
    except ValueError:
        return None
    specs = scorer.variant.findings
    return ReferenceOut(
        release=release_ref(scorer),
        findings=[spec.name for spec in specs],
        alerts=[spec.alert.threshold for spec in specs],
        sensitivity=[spec.alert.sensitivity.value for spec in specs],
        specificity=[spec.alert.specificity.value for spec in specs],
        populations=[
            PopulationOut(
                name=name,
                films=int(found.films[k]),
                scores=found.scores[k].tolist(),
                alerts=found.alerts[k].tolist(),
                brightness=found.brightness[k].tolist(),
                contrast=found.contrast[k].tolist(),
                features_mean=found.embedding_mean[k].tolist(),
                features_covariance=found.embedding_covariance[k].tolist(),
            )
            for k, name in enumerate(found.populations)
        ],
    )
