"""`manifest.json` of a release: what it is, what it scores, how its scores are read.

The manifest is canonical JSON (sorted keys, UTF-8, no spaces), so that the same release always has the same digest.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from hilum.findings import finding

Precision = Literal["fp32", "fp16", "bf16", "int8"]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


# Fields that the format took on after its first releases. Where absent they are not part of what is hashed, so that
# an older release keeps its digest and its signature.
ADDED_LATER = frozenset({"parity", "fidelity", "speed", "openvino", "reference"})


class _Part(BaseModel):
    # JSON has no NaN: an estimate that can't be made is left to the evaluation report.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class InputSpec(_Part):
    """Input geometry and normalisation: all that `hilum.imaging.preprocess` needs.

    The whole frame is squashed to `height` x `width` pixels with an antialiased bilinear filter.
    `normalisation` "film": (x - mean of the film) / max(standard deviation of the film, `min_std`), x in 0..1.
    "fixed": (x - `mean`) / `std`.
    """

    height: int = Field(gt=0, le=4096)
    width: int = Field(gt=0, le=4096)
    channels: Literal[1] = 1
    normalisation: Literal["film", "fixed"] = "film"
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)
    min_std: float = Field(default=0.02, gt=0)


class Interval(_Part):
    """A point estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class OperatingPoint(_Part):
    """A threshold on the calibrated probability, with what it reached on the calibration patients."""

    threshold: Probability
    sensitivity: Interval
    specificity: Interval


class Calibration(_Part):
    """Platt scaling: probability = sigmoid(`slope` * logit + `intercept`)."""

    method: Literal["platt"] = "platt"
    slope: float = Field(gt=0)
    intercept: float


class FindingSpec(_Part):
    """How one finding's scores are read, for one precision.

    `established` is false where fewer than 15 positive patients were in the calibration set: such a finding is shown
    grey and enters no band and no gate. `weight` (0..1) is its say in urgency; a site may sign other weights.
    """

    name: str
    established: bool
    positive_patients: int = Field(ge=0)
    weight: float = Field(default=1.0, ge=0.0, le=1.0)
    calibration: Calibration
    rule_out: OperatingPoint
    alert: OperatingPoint

    @model_validator(mode="after")
    def _points_in_order(self) -> FindingSpec:
        if self.rule_out.threshold > self.alert.threshold:
            raise ValueError(f"{self.name}: the rule-out threshold lies above the alert threshold")
        return self


class DomainSpec(_Part):
    """Out-of-domain statistics: where they stand, and above which distance a film is not scored.

    `file` holds the arrays that `hilum.release.domain` reads. `false_refusal` is the share of held-out chest films
    above `threshold`.
    """

    file: str
    threshold: float = Field(gt=0)
    false_refusal: Interval


class Parity(_Part):
    """How far this variant's probabilities lie from the trained network's (PyTorch, fp32), over `films` real films.

    Both are calibrated with this variant's own calibration, so that the figure is that of the arithmetic alone.
    """

    films: int = Field(gt=0)
    max_probability_difference: Probability
    mean_probability_difference: Probability


class Fidelity(_Part):
    """What this precision loses against the release's fp32 variant on the same `films` (calibration and validation).

    Losses are AUROC of fp32 less that of this variant, below nought where it gains; `studies_moved` is the share whose
    band differs. `hilum.release` says nothing of limits: a variant over them was never written.
    """

    films: int = Field(gt=0)
    studies: int = Field(gt=0)
    mean_auroc_loss: float
    critical_auroc_loss: dict[str, float]
    studies_moved: Probability


class Speed(_Part):
    """One row of the speed test: `batch` films at once by `provider` on `threads` threads of `machine`'s processor.

    `provider` is a name that `HILUM_PROVIDER` takes: cpu, openvino, cuda or tensorrt.
    """

    provider: str = Field(pattern=r"^[a-z0-9-]+$")
    threads: int = Field(gt=0)
    batch: int = Field(gt=0)
    ms_per_film: float = Field(gt=0)
    machine: str


class OpenVino(_Part):
    """The same variant as OpenVINO's intermediate representation: `xml` (graph) and `bin` (weights).

    `max_probability_difference` is against the ONNX file on the films of the parity check. The calibration, the
    operating points and the golden film's probabilities are the variant's own.
    """

    xml: str
    bin: str
    max_probability_difference: Probability


class Variant(_Part):
    """One precision of the release: its ONNX file and everything derived from that file's scores.

    `critical_margin`: a study is critical where an acute, established finding's logit exceeds that of its alert
    threshold by this much; chosen so that at most `alarm_budget` of the calibration films are critical.
    `golden`: the built-in film's probabilities per finding, as this file gives them (tolerance 1e-3).
    """

    file: str
    precision: Precision
    findings: tuple[FindingSpec, ...]
    critical_margin: float = Field(ge=0.0)
    alarm_budget: Probability = 0.10
    domain: DomainSpec
    golden: dict[str, Probability]
    parity: Parity | None = None
    fidelity: Fidelity | None = None
    speed: tuple[Speed, ...] = ()
    openvino: OpenVino | None = None

    @property
    def files(self) -> frozenset[str]:
        """Every file that this variant is run from."""
        extra = () if self.openvino is None else (self.openvino.xml, self.openvino.bin)
        return frozenset((self.file, self.domain.file, *extra))


class Manifest(_Part):
    """The whole manifest. `findings` is the order of the model's outputs and the only list of findings there is.

    `reference` names the file of statistics that drift is judged against (`hilum.release.reference`).
    """

    format_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    version: str = Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,62}$")
    created: str
    commit: str
    run: str
    training_data_digest: str
    findings: tuple[str, ...] = Field(min_length=1)
    input: InputSpec
    default_precision: Precision = "fp32"
    variants: tuple[Variant, ...] = Field(min_length=1)
    files: dict[str, Sha256]
    evaluation: str = "evaluation.json"
    model_card: str = "MODEL_CARD.md"
    golden_film: str = "golden.png"
    reference: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        if len(set(self.findings)) != len(self.findings):
            raise ValueError("findings: a name stands twice")
        for name in self.findings:
            if finding(name).absence:
                raise ValueError(f"findings: '{name}' is the absence of findings and cannot be scored")
        precisions = [variant.precision for variant in self.variants]
        if len(set(precisions)) != len(precisions):
            raise ValueError("variants: a precision stands twice")
        if self.default_precision not in precisions:
            raise ValueError(f"default_precision '{self.default_precision}' has no variant")
        for variant in self.variants:
            names = tuple(spec.name for spec in variant.findings)
            if names != self.findings:
                raise ValueError(f"variant {variant.precision}: its findings differ from the release's, or their order")
            if set(variant.golden) != set(self.findings):
                raise ValueError(f"variant {variant.precision}: golden probabilities differ from the findings")
        required = {self.evaluation, self.model_card, self.golden_film}.union(*(v.files for v in self.variants))
        required |= {self.reference} if self.reference else set()
        if missing := required - set(self.files):
            raise ValueError(f"files: no sha256 for {', '.join(sorted(missing))}")
        return self

    def variant(self, precision: str) -> Variant:
        """The variant of `precision`; raises KeyError where the release has none."""
        for candidate in self.variants:
            if candidate.precision == precision:
                return candidate
        raise KeyError(f"release {self.name} {self.version} has no {precision} variant")

    def document(self) -> dict[str, Any]:
        """The manifest as JSON values, without the later additions that this release does not have."""
        tree = self.model_dump(mode="json")
        for part in (tree, *tree["variants"]):
            for name in ADDED_LATER & part.keys():
                if part[name] in (None, []):
                    del part[name]
        return tree

    def canonical(self) -> bytes:
        """The bytes that are hashed and signed."""
        return json.dumps(self.document(), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def digest(self) -> str:
        """sha256 of the canonical manifest; through `files` it covers every byte of the release."""
        return hashlib.sha256(self.canonical()).hexdigest()
