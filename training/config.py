"""A recipe: every number that a training run depends on, read from one TOML file in `training/configs/`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

CONFIGS = Path(__file__).parent / "configs"
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class BadRecipe(ValueError):
    """The TOML file is not a recipe; the text names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Phase(_Part):
    """`epochs` epochs at `size` x `size` pixels with the stem and the first `frozen_blocks` block stages held fixed."""

    epochs: float = Field(gt=0)
    size: int = Field(ge=32)
    frozen_blocks: int = Field(default=0, ge=0)


class Augmentation(_Part):
    """Ranges of the random changes; every one is symmetric about "no change". There is no left-right flip."""

    rotation_degrees: float = 10.0
    zoom: float = 0.12
    stretch: float = 0.08
    shift: float = 0.06
    gamma: float = 0.45
    contrast: float = 0.3
    brightness: float = 0.12
    sharpness: float = 0.7
    noise: float = 0.02
    erase: Share = 0.25


class Recipe(_Part):
    """One release's training. Learning rates are AdamW's peaks; `ema` is the decay per step of the averaged weights."""

    name: str
    version: str
    seed: int = 1
    salt: str
    backbone: str = "tf_efficientnet_lite0"
    pretrained: bool = True
    members: int = Field(default=1, ge=1)
    input_size: int = Field(default=128, ge=32)
    phases: tuple[Phase, ...] = Field(min_length=1)
    films_per_patient: int = Field(ge=1)
    kermany_films: int = Field(ge=0)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = 6e-4
    head_learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: Share = 0.08
    ema: Share = 0.998
    dropout: Share = 0.25
    drop_path: Share = 0.1
    label_smoothing: Share = 0.04
    positive_weight_power: Share = 0.4
    positive_weight_limit: float = 6.0
    bootstrap_draws: int = Field(default=1000, ge=10)
    domain_films: int = Field(default=3000, ge=1)
    domain_components: int = Field(default=64, ge=1)
    domain_false_refusal: Share = 0.005
    domain_group_refusal: Share = 0.02
    augmentation: Augmentation = Augmentation()

    @property
    def size(self) -> int:
        """Side of the film inside the network: that of the last phase."""
        return self.phases[-1].size


@dataclass(frozen=True)
class RunPaths:
    """Where a run reads and writes: data folder, release folder, list of trusted keys."""

    data: Path
    release: Path
    trusted_keys: Path


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from `path`; raises BadRecipe."""
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRecipe(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadRecipe(f"{path.name}: {error}") from error
