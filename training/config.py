"""A recipe: every number and choice that a training run depends on, read from one YAML file in `training/configs/`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

CONFIGS = Path(__file__).parent / "configs"
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Policy = Literal["ones", "zeros", "ignore", "smoothed"]
Precision = Literal["fp32", "fp16", "bf16", "int8"]


class BadRecipe(ValueError):
    """The YAML file is not a recipe; the text names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """One data set. `path` is relative to the data folder, absolute, or `s3://bucket/prefix`.

    `table` names the table inside it where the kind knows several (CheXpert's train.csv or valid.csv). `site` is
    given to films whose table does not say one. `films` caps how many of it enter an epoch, drawn anew each time.
    `name` tells two sources of one kind apart. Films of no known patient are left out, or enter training alone.
    """

    kind: Literal["nih", "kermany", "chexpert", "feedback", "table"]
    path: str
    table: str | None = None
    name: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    site: str | None = None
    films: int | None = Field(default=None, ge=1)
    patientless: Literal["leave-out", "train"] = "leave-out"

    @property
    def title(self) -> str:
        """What its films carry as `Film.source`: the name, else the kind."""
        return self.name or self.kind


class Data(_Part):
    """Films and labels: sources, order of the findings, what -1 means, size of the stored frame.

    `findings`: "nih" or "chexpert" for that data set's findings in its own order, or a list of Hilum's names; the
    absence ("No Finding") is never among them. `uncertain` is the policy for -1 of findings not named in
    `uncertain_by_finding`. A finding with fewer than `minimum_negatives` known absent training films is refused, and
    one with fewer than `minimum_positives` present ones. Missing and unreadable films are left out up to
    `left_out_share` of all. `shortcuts`: what happens where a site or a patient's number gives a finding away.
    """

    sources: tuple[Source, ...] = Field(min_length=1)
    findings: Literal["nih", "chexpert"] | tuple[str, ...] = "nih"
    input_size: int = Field(default=128, ge=32)
    uncertain: Policy = "ignore"
    uncertain_by_finding: dict[str, Policy] = {}
    uncertain_smoothed: tuple[Share, Share] = (0.55, 0.85)
    films_per_patient: int = Field(default=8, ge=1)
    minimum_negatives: int = Field(default=10, ge=1)
    minimum_positives: int = Field(default=1, ge=0)
    left_out_share: Share = 0.01
    shortcuts: Literal["refuse", "warn"] = "refuse"
    laterals: bool = False


class Split(_Part):
    """Shares of patients, by salted hash; what is left of 1 is locked."""

    salt: str
    train: Share = 0.68
    calibration: Share = 0.16
    validation: Share = 0.04

    @model_validator(mode="after")
    def _leaves_a_locked_part(self) -> Split:
        if not self.train + self.calibration + self.validation < 1.0:
            raise ValueError("train, calibration and validation leave no patient for the locked part")
        return self


class Lora(_Part):
    """Low-rank adapters instead of whole weights (Hu et al., ICLR 2022), by peft; merged before export."""

    rank: int = Field(default=8, ge=1)
    alpha: float = 16.0
    dropout: Share = 0.0
    targets: tuple[str, ...] = ("qkv", "proj", "fc1", "fc2")


class Network(_Part):
    """`backbone` is a timm name; `weights`: "imagenet" (from an installed package), "none", or a file (.pt).

    `weights` may also be `release:FOLDER_OF_CHECKPOINTS` of an earlier run, for a warm start.
    """

    backbone: str = "tf_efficientnet_lite0"
    weights: str = "imagenet"
    members: int = Field(default=1, ge=1)
    dropout: Share = 0.25
    drop_path: Share = 0.1
    lora: Lora | None = None


class Phase(_Part):
    """`epochs` epochs at `size` x `size` pixels with the stem and the first `frozen_blocks` block stages held fixed."""

    epochs: float = Field(gt=0)
    size: int = Field(ge=32)
    frozen_blocks: int = Field(default=0, ge=0)


class Augmentation(_Part):
    """Ranges of the random changes; every one is symmetric about "no change". No left-right flip by default."""

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
    flip: Share = 0.0


class EarlyStopping(_Part):
    """Stop where validation AUROC has not risen by `minimum_gain` for `patience` epochs; the best epoch is kept."""

    patience: int = Field(default=3, ge=1)
    minimum_gain: float = 0.001


class Training(_Part):
    """Optimisation. Learning rates are AdamW's peaks; `ema` is the decay per step of the averaged weights.

    `accumulate` batches make one step. `workers` are Ray Train's data-parallel workers of one network; `gpu` gives each
    worker one. `precision` is the arithmetic of the forward pass. `parallel_members` networks train side by side.
    """

    phases: tuple[Phase, ...] = Field(min_length=1)
    batch: int = Field(default=32, ge=2)
    accumulate: int = Field(default=1, ge=1)
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    learning_rate: float = 6e-4
    head_learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: Share = 0.08
    ema: Share = 0.998
    label_smoothing: Share = 0.04
    positive_weight_power: Share = 0.4
    positive_weight_limit: float = 6.0
    source_offset: bool = True
    early_stopping: EarlyStopping | None = None
    checkpoint_every: float = Field(default=1.0, gt=0, description="Epochs between checkpoints.")
    workers: int = Field(default=1, ge=1)
    threads: int = Field(default=0, ge=0, description="Torch threads of a worker; 0: its share of the cores.")
    parallel_members: int = Field(default=2, ge=1)
    gpu: bool = False
    max_failures: int = Field(default=3, ge=0)


class Search(_Part):
    """Hyper-parameter search by Ray Tune. `space` maps a field ("training.learning_rate") to its candidates.

    A candidate list is a choice; {"log": [low, high]} and {"uniform": [low, high]} are ranges.
    """

    trials: int = Field(default=8, ge=1)
    parallel: int = Field(default=1, ge=1)
    space: dict[str, list[Any] | dict[str, list[float]]] = {}


class Evaluation(_Part):
    """Bootstrap draws and the out-of-domain check's settings.

    `calibration_source`: whose films set calibration and operating points; default: the first source.
    """

    bootstrap_draws: int = Field(default=1000, ge=10)
    domain_films: int = Field(default=3000, ge=1)
    domain_components: int = Field(default=64, ge=1)
    domain_false_refusal: Share = 0.005
    domain_group_refusal: Share = 0.02
    alarm_budget: Share = 0.10
    calibration_source: str | None = None


class Export(_Part):
    """Which precisions the release carries, and what is written beside the ONNX files."""

    precisions: tuple[Precision, ...] = ("fp32",)
    half_weights: bool = True
    openvino: bool = False
    triton: bool = False


class Recipe(_Part):
    """One release's training."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    version: str
    seed: int = 1
    data: Data
    split: Split
    network: Network = Network()
    training: Training
    augmentation: Augmentation = Augmentation()
    evaluation: Evaluation = Evaluation()
    export: Export = Export()
    search: Search | None = None

    @property
    def size(self) -> int:
        """Side of the film inside the network: that of the last phase."""
        return self.training.phases[-1].size

    def changed(self, **fields: Any) -> Recipe:
        """A copy with fields given by dotted name with `__` for the dot: `changed(split__salt="x")`; checked anew."""
        tree = self.model_dump(mode="python")
        for name, value in fields.items():
            *path, last = name.split("__")
            part = tree
            for step in path:
                part = part[step]
            if last not in part:
                raise BadRecipe(f"a recipe has no field {'.'.join([*path, last])}")
            part[last] = value
        return _checked(tree, self.name)


def _checked(tree: Any, name: str) -> Recipe:
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadRecipe(f"{name}: {'.'.join(map(str, first['loc'])) or 'recipe'}: {first['msg']}") from error


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from `path`; raises BadRecipe."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadRecipe(f"{path.name}: {error}") from error
    return _checked(tree, path.name)
