"""The alias `candidate`: a request to the promoter, and nothing more (DESIGN, rule 5)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from training.registry.errors import NotRegistered
from training.registry.fetch import stored_release
from training.registry.tags import REJECTED
from training.registry.versions import StoredVersion, versions

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ALIAS = "candidate"


def make_candidate(
    client: MlflowClient, version: StoredVersion, trusted: frozenset[str] | None
) -> StoredVersion | None:
    """Give `version` the alias, after what is stored proved to be what its tag says; returns who had it before.

    Raises NotRegistered: the stored files differ, their signature is not trusted, or the version was rejected.
    """
    if REJECTED in version.tags:
        raise NotRegistered(
            f"{version.name} {version.version} was rejected ({version.tags[REJECTED]}); a rejected release does not "
            "come back: train a new version"
        )
    with tempfile.TemporaryDirectory() as scratch:
        stored_release(client, version, Path(scratch), trusted)
    before = next(
        (v for v in versions(client, version.name) if ALIAS in v.aliases and v.number != version.number), None
    )
    client.set_registered_model_alias(version.name, ALIAS, version.number)
    return before
