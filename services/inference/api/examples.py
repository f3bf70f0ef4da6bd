"""Examples of answers in the OpenAPI document; a test holds them to the models."""

from __future__ import annotations

from typing import Any

_RELEASE = {"name": "hilum-default", "version": "1.0.2", "digest": "6f1f…", "precision": "fp32"}
_EFFUSION: dict[str, Any] = {
    "name": "Effusion",
    "code": {"value": "60046008", "scheme": "SCT", "meaning": "Pleural effusion"},
    "probability": 0.71,
    "rule_out": 0.08,
    "alert": 0.42,
    "present": True,
    "established": True,
}
PREDICTION: dict[str, Any] = {
    "release": _RELEASE,
    "findings": [_EFFUSION],
    "domain": {"in_domain": True, "score": 0.94, "threshold": 2.1, "reason": None},
    "acute_margin": 1.22,
    "critical_margin": 1.5,
    "warnings": [{"code": "view_missing", "text": "The view is missing; the film is taken as frontal."}],
    "timings": {"decode_seconds": 0.004, "preprocess_seconds": 0.001, "queue_seconds": 0.0, "infer_seconds": 0.009},
}
STUDY: dict[str, Any] = {
    "release": _RELEASE,
    "films": [
        {
            "number": 1,
            "study_uid": "1.2.3",
            "view": "PA",
            "status": "scored",
            "reason": None,
            "prediction": PREDICTION,
        },
        {
            "number": 2,
            "study_uid": "1.2.3",
            "view": "LL",
            "status": "not_scored",
            "reason": "The film is a lateral view; only frontal films are scored.",
            "prediction": None,
        },
    ],
    "combined": {
        "method": "maximum over frontal films",
        "films": [1],
        "findings": [{**_EFFUSION, "film": 1}],
        "acute_margin": 1.22,
        "critical_margin": 1.5,
        "reason": None,
    },
}
EXAMPLES = {
    "one film": {"summary": "One film (one of its findings)", "value": PREDICTION},
    "several films": {"summary": "A frontal and a lateral film of one study", "value": STUDY},
}
