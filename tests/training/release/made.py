"""What the tests of the release build share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hilum.release import Release
from hilum.release.signing import new_key
from training.config import Recipe
from training.network.film_net import Ensemble
from training.release.bundle import Origin, Part, build

ORIGIN = Origin(run="run", commit="0" * 40, created="2026-01-01T00:00:00+00:00", data_digest="0" * 64)


@dataclass(frozen=True)
class Ready:
    """What `build` takes."""

    recipe: Recipe
    network: Ensemble
    findings: tuple[str, ...]
    parts: dict[str, Part]

    def build(self, target: Path, said: list[str] | None = None, **changes: object) -> Release:
        """Build into `target` with fields of the recipe changed."""
        recipe = self.recipe.changed(**changes)
        say = (said if said is not None else []).append
        return build(recipe, self.network, self.findings, self.parts, ORIGIN, new_key(), target, say=say)


@dataclass(frozen=True)
class Built:
    """A built release, and what was said while it was built."""

    release: Release
    said: list[str]
