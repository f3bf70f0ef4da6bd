"""A database filled with pairs and reads of two releases, for tests and for the bench."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from hilum.wire import FindingInfo, ModelInfo
from services.web.shadow.tables import Pair, ShadowRelease
from services.web.tables import Answer, Read, Release, Study

LIVE, SHADOW = "a" * 64, "b" * 64
START = datetime(2026, 11, 1, tzinfo=UTC)
CHUNK = 2000


def model_info(digest: str, names: tuple[str, ...]) -> dict[str, Any]:
    """What a release of these findings says of itself."""
    code = {"value": "1", "scheme": "99HILUM", "meaning": "x"}
    return ModelInfo.model_validate(
        {
            "release": {"name": "tiny", "version": "1", "digest": digest, "precision": "fp32"},
            "findings": [
                FindingInfo.model_validate(
                    {"name": n, "code": code, "acute": False, "established": True, "weight": 1.0, "rule_out": 0.2}
                    | {"alert": 0.6}
                )
                for n in names
            ],
            "critical_margin": 1.0,
            "input_height": 128,
            "input_width": 128,
            "provider": "cpu",
            "signed_by": None,
            "golden": {},
        }
    ).model_dump(mode="json")


def fill(
    session: Session,
    names: tuple[str, ...],
    count: int,
    *,
    noise: float = 0.02,
    missing: int = 0,
    read_share: float = 0.5,
) -> None:
    """`count` studies of count / 2 patients, one a minute at two sites, all with a pair but the first `missing`."""
    rng = np.random.default_rng(4)
    for table, digest in ((Release, LIVE), (ShadowRelease, SHADOW)):
        times = {"first_seen_at": START} if table is ShadowRelease else {}
        row = table(digest=digest, precision="fp32", payload=model_info(digest, names), seen_at=START, **times)
        session.merge(row)
    session.flush()
    k = len(names)
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        truth = rng.random((size, k)) < 0.15
        live = np.clip(np.where(truth, 0.7, 0.25) + rng.normal(0, 0.15, (size, k)), 0.001, 0.999).round(6)
        shadow = np.clip(live + rng.normal(0, noise, (size, k)), 0, 1).round(6)
        band = np.where(truth[:, 0], "critical", "routine")
        is_read = rng.random(size) < read_share
        is_blind = rng.random(size) < 0.5
        studies, answers, pairs, reads = [], [], [], []
        for n in range(size):
            number = start + n
            uid, at = f"2.25.{number + 1}", START + timedelta(minutes=number)
            site = "north" if number % 2 else "south"
            studies.append(_study(uid, at, site, str(band[n]), bool(is_read[n])))
            payload = {"release": {}, "findings": [], "critical_margin": 1.0}
            answers.append(
                {
                    "study_uid": uid,
                    "version": 1,
                    "release_digest": LIVE,
                    "precision": "fp32",
                    "payload": payload,
                    "made_at": at,
                }
            )
            if number >= missing:
                pairs.append(
                    {
                        "study_uid": uid, "live_digest": LIVE, "live_precision": "fp32", "shadow_digest": SHADOW,
                        "shadow_precision": "fp32", "answer_version": 1, "patient": f"{number // 2:032x}", "site": site,
                        "arrived_at": at, "exposed": False, "live_band": str(band[n]), "shadow_band": str(band[n]),
                        "live_scores": dict(zip(names, live[n].tolist(), strict=True)),
                        "shadow_scores": dict(zip(names, shadow[n].tolist(), strict=True)), "made_at": at,
                    }
                )  # fmt: skip
            if is_read[n]:
                labels = {name: int(truth[n, j]) for j, name in enumerate(names)}
                reads.append(_read(uid, at, labels, bool(is_blind[n])))
        for table, rows in ((Study, studies), (Answer, answers), (Pair, pairs), (Read, reads)):
            if rows:
                session.execute(insert(table), rows)


def _study(uid: str, at: datetime, site: str, band: str, read: bool) -> dict[str, Any]:
    return {
        "uid": uid, "accession": "", "accession_issuer": "", "patient_id": "", "patient_id_issuer": "", "site": site,
        "priority": "", "location": "", "arrived_at": at, "status": "read" if read else "scored", "band": band,
        "score": 0.5, "reason": "x", "due_at": at + timedelta(hours=1), "answer_version": 1,
        "blind": False, "synthetic": False,
        "last_read_at": at + timedelta(minutes=20) if read else None,
    }  # fmt: skip


def _read(uid: str, at: datetime, labels: dict[str, int], blind: bool) -> dict[str, Any]:
    return {
        "id": f"read-{uid}", "study_uid": uid, "version": 1, "reader": "r", "labels": labels, "answer_version": 1,
        "release_digest": LIVE, "blind": blind, "read_at": at + timedelta(minutes=20), "seconds_spent": 30.0,
        "comment": "", "request_digest": "0" * 64,
    }  # fmt: skip
