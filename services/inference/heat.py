"""Heat maps: where in the film a finding's score comes from. Influence, not location (docs/explanation.md)."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hilum.release import FindingSpec
from hilum.triage import logit
from services.inference.scorer import Array, NotScorable, Outputs, Scorer

# What every map says of itself: in the PNG's text, in the answer's header, on the page.
LABEL = "influence, not location"
SIDE = 256
# From faint to strong influence: amber, orange, red; strongest at this opacity, so that the film stays readable.
COLOURS = np.array([[255, 214, 102], [255, 140, 40], [226, 30, 30]], dtype=np.float64)
OPACITY = 0.65
# How strong the map of a finding is that can be ruled out.
FAINT = 0.2


def _table() -> npt.NDArray[np.uint8]:
    """RGBA (256, 4) for influence 0..255."""
    levels = np.linspace(0.0, 1.0, 256)
    channels = [np.interp(levels, np.linspace(0.0, 1.0, len(COLOURS)), COLOURS[:, k]) for k in range(3)]
    return np.rint(np.stack([*channels, 255.0 * OPACITY * levels], axis=-1)).astype(np.uint8)


TABLE = _table()


def strength(probability: float, spec: FindingSpec) -> float:
    """How strong a finding's map is drawn: FAINT up to its rule-out point, 1 from its alert point, log odds between."""
    low, high = logit(spec.rule_out.threshold), logit(spec.alert.threshold)
    if logit(probability) >= high:
        return 1.0
    share = (logit(probability) - low) / max(high - low, 1e-9)
    return FAINT + (1.0 - FAINT) * min(max(share, 0.0), 1.0)


def influence(scorer: Scorer, outputs: Outputs, index: int) -> npt.NDArray[np.float64]:
    """How much each place of the film speaks for finding `index`: (h, w), 0..1.

    The class activation map (Zhou et al., CVPR 2016) has the logit as its mean, less the bias. Its positive part is
    scaled by its own maximum and by `strength`, so that a film without the finding has a faint map, not a bright one.
    """
    positive = np.maximum(outputs.activation[0, index].astype(np.float64), 0.0)
    probability = float(scorer.probabilities(outputs.logits)[0, index])
    largest = max(float(positive.max()), 1e-9)
    return np.asarray(strength(probability, scorer.variant.findings[index]) * positive / largest)


def draw(values: npt.NDArray[np.float64], notes: Mapping[str, str] | None = None) -> bytes:
    """A PNG (RGBA, 256 x 256) of `values` (h, w) in 0..1, to be stretched over the whole frame; 0 is transparent.

    `notes` are written into the file as text: a map that is kept or copied still says what it is of.
    """
    coarse = Image.fromarray(values.astype(np.float32))
    smooth = np.asarray(coarse.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    rgba = TABLE[np.rint(np.clip(smooth, 0.0, 1.0) * 255).astype(np.uint8)]
    text = PngInfo()
    for key, value in (notes or {}).items():
        text.add_text(key, value)
    stream = BytesIO()
    Image.fromarray(rgba).save(stream, "PNG", compress_level=4, pnginfo=text)
    return stream.getvalue()


def heat_map(scorer: Scorer, film: Array, finding: str) -> bytes:
    """The heat map of `finding` for a preprocessed `film` (1, height, width).

    Raises KeyError for an unknown name, NotScorable for a film out of domain: it has no score to explain.
    """
    if finding not in scorer.manifest.findings:
        raise KeyError(finding)
    index = scorer.manifest.findings.index(finding)
    outputs = scorer.run(film[np.newaxis])
    if (reason := scorer.judge(outputs.embedding, film[np.newaxis])[0].reason) is not None:
        raise NotScorable(reason)
    notes = {"Description": LABEL, "Finding": finding, "Release": scorer.release.digest}
    return draw(influence(scorer, outputs, index), notes)
