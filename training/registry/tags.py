"""What the registry says of a version. The tags are for people and searches; the digest alone is trusted."""

from __future__ import annotations

import json
from typing import Any

from hilum.release import BadRelease, Release

DIGEST, VERSION, REJECTED = "hilum.digest", "hilum.version", "hilum.rejected"
# Folder of a run's artifacts that holds the release.
FOLDER = "release"


def tags_of(release: Release) -> dict[str, str]:
    """Digest, findings, precisions, provenance, signer and the report's mean AUROC per population."""
    manifest = release.manifest
    told = {
        DIGEST: release.digest,
        VERSION: manifest.version,
        "hilum.findings": json.dumps(list(manifest.findings), ensure_ascii=False),
        "hilum.precisions": ",".join(variant.precision for variant in manifest.variants),
        "hilum.default_precision": manifest.default_precision,
        "hilum.data_digest": manifest.training_data_digest,
        "hilum.commit": manifest.commit,
        "hilum.run": manifest.run,
        "hilum.created": manifest.created,
        "hilum.signed_by": release.signed_by or "not checked",
    }
    return told | _figures(release)


def card_of(release: Release) -> str:
    """The model card, Markdown: the version's description."""
    return release.read(release.manifest.model_card).decode()


def _figures(release: Release) -> dict[str, str]:
    """`hilum.auroc.<population>` of every population of the evaluation report that has a mean AUROC.

    Older reports (release 1.0) have their populations at the top.
    """
    try:
        report: Any = json.loads(release.read(release.manifest.evaluation))
    except ValueError as error:
        raise BadRelease(f"{release.manifest.evaluation} is not JSON: {error}") from error
    populations = report.get("populations", report) if isinstance(report, dict) else {}
    found: dict[str, str] = {}
    for name, part in populations.items():
        mean = part.get("mean_auroc") if isinstance(part, dict) else None
        if isinstance(mean, dict) and {"value", "low", "high"} <= set(mean):
            found[f"hilum.auroc.{name}"] = f"{mean['value']:.4f} ({mean['low']:.4f} to {mean['high']:.4f})"
    return found
