"""From trained networks to a signed release in a folder: export, calibrate, evaluate, write."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from hilum.imaging.preprocess import preprocess
from hilum.release import DomainSpec, FindingSpec, InputSpec, Release, Variant, write_release
from hilum.release import domain as domain_statistics
from hilum.release.pose import SIDE
from hilum.release.signing import new_key, public_text, read_key
from hilum.triage import is_acute
from training.config import Recipe
from training.data.manifest import Film, label_matrix, patients_of
from training.data.split import SPLITS
from training.data.store import Store, decode
from training.evaluate.report import Scored, evaluate
from training.evaluate.scores import Scores, open_session, run, score
from training.network.film_net import Ensemble
from training.release.calibrate import calibrate, critical_margin, criticality, probabilities_of
from training.release.card import write_card
from training.release.domain import Domain, Frames, fit_domain, try_outsiders
from training.release.export import export
from training.release.pose import shrunk

MODEL, DOMAIN, GOLDEN = "model.fp32.onnx", "domain.npz", "golden.png"
ALARM_BUDGET = 0.10
KEY_SETTING = "HILUM_SIGNING_KEY"


@dataclass(frozen=True)
class Part:
    """One split: its films and their frames (N, H, W)."""

    films: Sequence[Film]
    frames: Store


@dataclass(frozen=True)
class Origin:
    """Where a release comes from; no path of any machine."""

    run: str
    commit: str
    created: str
    data_digest: str


def signing_key() -> Ed25519PrivateKey:
    """The key that HILUM_SIGNING_KEY names (a PEM file), else a fresh one that signs this release and is forgotten."""
    named = os.environ.get(KEY_SETTING)
    return read_key(Path(named)) if named else new_key()


def trust(key: Ed25519PrivateKey, trusted_keys: Path) -> None:
    """Write the public half of `key` to `trusted_keys`: the only key that the bundled release is checked against."""
    text = "# Public keys (Ed25519, base64) whose releases are accepted; one a line.\n"
    trusted_keys.write_text(text + public_text(key) + "\n", encoding="utf-8")


def golden_film(parts: dict[str, Part]) -> Film:
    """A Kermany film (CC BY 4.0) of a locked patient where there is one, else any film."""
    films = [film for name in reversed(SPLITS) for film in parts[name].films]
    kermany = [film for film in films if film.source == "kermany" and 1 in film.labels]
    return (kermany or films)[0]


def _critical_films(specs: tuple[FindingSpec, ...], margin: float, logits: Any) -> Any:
    return criticality(specs, probabilities_of(specs, logits)) >= margin


def _acute(films: Sequence[Film], findings: Sequence[str]) -> npt.NDArray[np.bool_]:
    acute = np.array([is_acute(name) for name in findings], dtype=bool)
    return np.asarray((label_matrix(films)[:, acute] == 1).any(axis=1))


def chest_groups(scored: Scored, margin: float) -> dict[str, npt.NDArray[np.bool_]]:
    """Masks (N,) of the groups of chest films whose refusals are counted apart."""
    films = scored.films
    rows = {
        "NIH": [f.source == "nih" for f in films],
        "NIH, AP": [f.view == "AP" for f in films],
        "NIH, under 18": [f.age is not None and f.age < 18 for f in films],
        "positive for an acute finding": _acute(films, [spec.name for spec in scored.specs]),
        "critical by rule": _critical_films(scored.specs, margin, scored.logits),
        "Kermany": [f.source == "kermany" for f in films],
    }
    return {name: np.asarray(row, dtype=bool) for name, row in rows.items()}


def refusals(
    domain: Domain,
    embeddings: npt.NDArray[np.float32],
    films: npt.NDArray[np.float32],
    groups: dict[str, npt.NDArray[np.bool_]],
) -> dict[str, dict[str, int]]:
    """Chest films (N, 1, H, W) per group, and how many of them are wrongly refused."""
    refused = domain.refused(embeddings, films)
    return {name: {"films": int(m.sum()), "refused": int((refused & m).sum())} for name, m in groups.items()}


def build(
    recipe: Recipe,
    network: Ensemble,
    findings: tuple[str, ...],
    parts: dict[str, Part],
    origin: Origin,
    key: Ed25519PrivateKey,
    target: Path,
    tick: Callable[[str, int], None] = lambda stage, count: None,
) -> Release:
    """Write the release to `target` in one move, replacing what is there. Each ONNX file is evaluated once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        folder = Path(scratch) / "release"
        folder.mkdir()
        release = _fill(folder, recipe, network, findings, parts, origin, key, tick)
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)
    return Release(target, release.manifest, release.digest, release.signed_by)


def _fill(
    folder: Path,
    recipe: Recipe,
    network: Ensemble,
    findings: tuple[str, ...],
    parts: dict[str, Part],
    origin: Origin,
    key: Ed25519PrivateKey,
    tick: Callable[[str, int], None],
) -> Release:
    spec = InputSpec(height=recipe.data.input_size, width=recipe.data.input_size)
    export(network, findings, spec, folder / MODEL)
    session = open_session(folder / MODEL)
    scores: dict[str, Scores] = {}
    for name, part in parts.items():
        # Of the training films only the embeddings are needed, and a sample of them says as much.
        frames = _sample(part.frames, recipe.evaluation.domain_films) if name == "train" else part.frames
        scores[name] = score(session, frames, spec, tick=lambda count, n=name: tick(n, count))  # type: ignore[misc]

    held = parts["calibration"]
    calibration = scores["calibration"]
    adults = np.array([film.source == "nih" for film in held.films])
    # Kermany's films never enter a threshold: the operating points are those of adult NIH films.
    specs = calibrate(
        findings,
        calibration.logits[adults],
        label_matrix(held.films)[adults],
        patients_of(held.films)[adults],
        recipe.evaluation.bootstrap_draws,
        7,
    )
    margin = critical_margin(specs, probabilities_of(specs, calibration.logits[adults]), ALARM_BUDGET)

    unseen = [*held.films, *parts["validation"].films]
    unseen_embeddings = np.concatenate([calibration.embeddings, scores["validation"].embeddings])
    unseen_logits = np.concatenate([calibration.logits, scores["validation"].logits])
    unseen_groups = chest_groups(Scored(unseen, specs, unseen_logits), margin)
    frames = Frames.of(parts["train"].frames, [held.frames, parts["validation"].frames])
    domain = fit_domain(
        scores["train"].embeddings,
        unseen_embeddings,
        patients_of(unseen),
        unseen_groups,
        (recipe.evaluation.domain_false_refusal, recipe.evaluation.domain_group_refusal),
        recipe.evaluation.domain_components,
        recipe.evaluation.bootstrap_draws,
        frames,
    )
    domain_statistics.write(domain.statistics, folder / DOMAIN)

    locked = parts["locked"]
    tick("evaluate", 0)
    judged = Scored(locked.films, specs, scores["locked"].logits)
    report = evaluate(judged, findings, recipe.evaluation.bootstrap_draws)
    locked_groups = chest_groups(judged, margin)
    report["critical"] = {
        "margin": margin,
        "alarm_budget": ALARM_BUDGET,
        "share_of_locked_nih_films": round(float(locked_groups["critical by rule"][locked_groups["NIH"]].mean()), 4),
    }
    report["domain"] = {
        "threshold": domain.threshold,
        "false_refusal": domain.false_refusal.model_dump(),
        "outsiders": try_outsiders(session, spec, domain),
        "chest_films": refusals(domain, unseen_embeddings, frames.held_out[:, np.newaxis], unseen_groups),
        "locked_chest_films": refusals(
            domain, scores["locked"].embeddings, shrunk(locked.frames, SIDE)[:, np.newaxis], locked_groups
        ),
    }
    report["recipe"] = recipe.model_dump(mode="json")
    (folder / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")

    film = golden_film(parts)
    grey = (decode(film.path) * 255).round().astype(np.uint8)
    Image.fromarray(grey).save(folder / GOLDEN, optimize=True)
    golden_logits = run(session, [preprocess(grey.astype(np.float32) / np.float32(255), spec)]).logits
    golden = dict(zip(findings, map(float, probabilities_of(specs, golden_logits)[0]), strict=True))
    splits = {name: _counts(part.films) for name, part in parts.items()}
    licence = "CC BY 4.0" if film.source == "kermany" else "NIH Clinical Center, no restriction"
    card = write_card(
        recipe,
        findings,
        [s.name for s in specs if not s.established],
        splits,
        origin.data_digest,
        f"film `{film.name}` of {film.source} ({licence}), a {'locked' if film in locked.films else 'held'} patient's",
        report,
    )
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")
    variant = Variant(
        file=MODEL,
        precision="fp32",
        findings=specs,
        critical_margin=margin,
        alarm_budget=ALARM_BUDGET,
        domain=DomainSpec(file=DOMAIN, threshold=domain.threshold, false_refusal=domain.false_refusal),
        golden=golden,
    )
    draft: dict[str, object] = {
        "name": recipe.name,
        "version": recipe.version,
        "created": origin.created,
        "commit": origin.commit,
        "run": origin.run,
        "training_data_digest": origin.data_digest,
        "findings": findings,
        "input": spec.model_dump(mode="json"),
        "variants": [variant.model_dump(mode="json")],
    }
    return write_release(folder, draft, key)


def _sample(frames: Store, count: int) -> Store:
    chosen = np.random.default_rng(0).permutation(len(frames))[:count]
    return np.asarray(frames[np.sort(chosen)])


def _counts(films: Sequence[Film]) -> dict[str, tuple[int, int]]:
    count = Counter(film.source for film in films)
    return {s: (n, len({f.patient for f in films if f.source == s})) for s, n in count.items()}
