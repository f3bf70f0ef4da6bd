"""From trained networks to a signed release in a folder, step by step; the steps stand in modules of their own."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from PIL import Image

from hilum.release import BadRelease, DomainSpec, OpenVino, Release, Variant, write_release
from hilum.release import domain as domain_statistics
from hilum.release import reference as reference_statistics
from hilum.release.pose import SIDE
from hilum.release.signing import new_key, public_text, read_key
from training.config import Recipe
from training.data.manifest import patients_of
from training.data.store import decode
from training.evaluate.film_set import Scored
from training.evaluate.scores import Scores, open_session, score
from training.network.film_net import Ensemble
from training.release.candidates import HELD, Candidate, Tick, input_spec, make_fp32, make_other
from training.release.card import write_card
from training.release.domain import Domain, Frames, fit_domain, try_outsiders
from training.release.evidence import evaluate_locked, golden_of, openvino_of, parity_films, parity_of, score_locked
from training.release.groups import chest_groups, refusals, refused_of
from training.release.judge import RefusedVariant
from training.release.parts import Origin, Part, calibration_mask, calibration_source, counts, golden_film, sample
from training.release.pose import shrunk
from training.release.reference import fit_reference
from training.release.speed import measure

__all__ = ["Origin", "Part", "build", "signing_key", "trust"]

DOMAIN, GOLDEN, REFERENCE, EVALUATION, CARD = (
    "domain.npz",
    "golden.png",
    "reference.npz",
    "evaluation.json",
    "MODEL_CARD.md",
)
KEY_SETTING = "HILUM_SIGNING_KEY"


def signing_key() -> Ed25519PrivateKey:
    """The key that HILUM_SIGNING_KEY names (a PEM file), else a fresh one that signs this release and is forgotten."""
    named = os.environ.get(KEY_SETTING)
    return read_key(Path(named)) if named else new_key()


def trust(key: Ed25519PrivateKey, trusted_keys: Path) -> None:
    """Write the public half of `key` to `trusted_keys`: the only key that the bundled release is checked against."""
    text = "# Public keys (Ed25519, base64) whose releases are accepted; one a line.\n"
    trusted_keys.write_text(text + public_text(key) + "\n", encoding="utf-8")


def _nothing(stage: str, count: int) -> None:
    """No progress is shown."""


@dataclass
class _Build:
    """What the steps share. `refused` holds the reason why a precision that was asked for is not in the release."""

    folder: Path
    recipe: Recipe
    network: Ensemble
    findings: tuple[str, ...]
    parts: Mapping[str, Part]
    tick: Tick
    say: Callable[[str], None]
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def held_films(self) -> list[Any]:
        """Calibration films, then validation films."""
        return [film for name in HELD for film in self.parts[name].films]

    def candidates(self) -> list[Candidate]:
        """Every precision that the recipe asks for and that is good enough, fp32 first."""
        fp32, graph = make_fp32(self.recipe, self.network, self.findings, self.parts, self.folder, self.tick)
        kept = [fp32]
        for precision in self.recipe.export.precisions:
            if precision == "fp32":
                continue
            try:
                kept.append(make_other(precision, self.recipe, graph, fp32, self.parts, self.tick))
            except RefusedVariant as error:
                self.refused[precision] = str(error)
                self.say(str(error))
        return kept

    def domain(self, fp32: Candidate) -> Domain:
        """The out-of-domain check, fitted on training films with a threshold from held-out ones, and its file."""
        films, evaluation = self.held_films, self.recipe.evaluation
        _, frames = sample(self.parts["train"], evaluation.domain_films)
        tick = self.tick
        trained = score(
            open_session(fp32.path), frames, input_spec(self.recipe), tick=lambda count: tick("train", count)
        )
        fitted = fit_domain(
            trained.embeddings,
            fp32.scores.embeddings,
            patients_of(films),
            chest_groups(Scored(films, fp32.reading.specs, fp32.scores.logits), fp32.reading.margin),
            (evaluation.domain_false_refusal, evaluation.domain_group_refusal),
            evaluation.domain_components,
            evaluation.bootstrap_draws,
            Frames.of(self.parts["train"].frames, [self.parts[name].frames for name in HELD]),
        )
        domain_statistics.write(fitted.statistics, self.folder / DOMAIN)
        return fitted

    def domain_report(self, fp32: Candidate, domain: Domain, locked: Scores) -> dict[str, Any]:
        """What the check refuses: images that are no chest film, and, wrongly, chest films of each group."""
        margin, specs = fp32.reading.margin, fp32.reading.specs
        held = Scored(self.held_films, specs, fp32.scores.logits)
        small = np.concatenate([shrunk(self.parts[name].frames, SIDE) for name in HELD])
        part = self.parts["locked"]
        judged = Scored(part.films, specs, locked.logits)
        return {
            "threshold": domain.threshold,
            "false_refusal": domain.false_refusal.model_dump(),
            "outsiders": try_outsiders(open_session(fp32.path), input_spec(self.recipe), domain),
            "chest_films": refusals(refused_of(domain, fp32.scores.embeddings, small), chest_groups(held, margin)),
            "locked_chest_films": refusals(
                refused_of(domain, locked.embeddings, shrunk(part.frames, SIDE)), chest_groups(judged, margin)
            ),
        }

    def reference(self, fp32: Candidate, domain: Domain) -> None:
        """The file that drift is judged against."""
        frames = [self.parts[name].frames for name in HELD]
        fitted = fit_reference(self.held_films, frames, fp32.scores.embeddings, fp32.reading, domain.statistics)
        reference_statistics.write(fitted, self.folder / REFERENCE)

    def golden(self) -> npt.NDArray[np.uint8]:
        """The built-in film (H, W), and its file."""
        grey = (decode(golden_film(self.parts).path) * 255).round().astype(np.uint8)
        Image.fromarray(grey).save(self.folder / GOLDEN, optimize=True)
        return grey

    def variant(self, candidate: Candidate, domain: Domain, grey: npt.NDArray[np.uint8]) -> Variant:
        """A candidate's entry in the manifest, and its OpenVINO form where the recipe wants one."""
        spec = input_spec(self.recipe)
        films = parity_films(self.parts, spec)
        small = np.concatenate([shrunk(self.parts[name].frames, SIDE) for name in HELD])
        share = float(refused_of(domain, candidate.scores.embeddings, small).mean())
        interval = domain.false_refusal
        if candidate.precision != "fp32":
            interval = interval.model_copy(
                update={"value": share, "low": min(share, interval.low), "high": max(share, interval.high)}
            )
        return Variant(
            file=candidate.path.name,
            precision=candidate.precision,
            findings=candidate.reading.specs,
            critical_margin=candidate.reading.margin,
            alarm_budget=self.recipe.evaluation.alarm_budget,
            domain=DomainSpec(file=DOMAIN, threshold=domain.threshold, false_refusal=interval),
            golden=golden_of(candidate, grey, spec),
            parity=parity_of(candidate, self.network, films),
            fidelity=candidate.fidelity,
            speed=measure(candidate.path, films[:16]),
            openvino=self.openvino(candidate, films) if self.recipe.export.openvino else None,
        )

    def openvino(self, candidate: Candidate, films: npt.NDArray[np.float32]) -> OpenVino | None:
        """A candidate's OpenVINO form, or None, with the reason said, where it does not score alike."""
        try:
            return openvino_of(candidate, films)
        except RefusedVariant as error:
            self.refused[f"{candidate.precision}, OpenVINO"] = str(error)
            self.say(str(error))
            return None


def build(
    recipe: Recipe,
    network: Ensemble,
    findings: tuple[str, ...],
    parts: Mapping[str, Part],
    origin: Origin,
    key: Ed25519PrivateKey,
    target: Path,
    tick: Tick = _nothing,
    say: Callable[[str], None] = print,
) -> Release:
    """Write the release to `target` in one move, replacing what is there.

    `tick(stage, films)` tells of progress; `say` gets the reason for each precision that is refused. Raises
    BadRelease, among others where the disk is full: then nothing of the release is left, and what was there stays.
    """
    calibration_mask(recipe, parts["calibration"].films)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            folder = Path(scratch) / "release"
            folder.mkdir()
            steps = _Build(folder, recipe, network, findings, parts, tick, say)
            release = _fill(steps, origin, key)
            _exchange(folder, target, Path(scratch) / "before")
    except OSError as error:
        raise BadRelease(f"the release can't be written to {target.name}: {error.strerror or error}") from error
    return Release(target, release.manifest, release.digest, release.signed_by)


def _exchange(folder: Path, target: Path, before: Path) -> None:
    """Put `folder` in the place of `target`; what was there stays whole until the new one is complete."""
    if target.exists():
        target.rename(before)
    try:
        folder.rename(target)
    except OSError:
        if before.exists():
            before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _fill(steps: _Build, origin: Origin, key: Ed25519PrivateKey) -> Release:
    recipe, parts = steps.recipe, steps.parts
    candidates = steps.candidates()
    fp32 = candidates[0]
    domain = steps.domain(fp32)
    steps.reference(fp32, domain)
    grey = steps.golden()

    steps.tick("evaluate", 0)
    locked = {c.precision: score_locked(c, recipe, parts["locked"], steps.tick) for c in candidates}
    reports = {c.precision: evaluate_locked(c, locked[c.precision], parts["locked"], recipe) for c in candidates}
    variants = [steps.variant(candidate, domain, grey) for candidate in candidates]

    report = reports.pop("fp32")
    source = calibration_source(recipe)
    judged = Scored(parts["locked"].films, fp32.reading.specs, locked["fp32"].logits)
    alarms = judged.where(lambda film: film.source == source).criticality >= fp32.reading.margin
    report |= {
        "critical": {
            "margin": fp32.reading.margin,
            "alarm_budget": recipe.evaluation.alarm_budget,
            "source": source,
            "share_of_locked_films": round(float(alarms.mean()), 4) if len(alarms) else None,
        },
        "domain": steps.domain_report(fp32, domain, locked["fp32"]),
        "variants": reports,
        "refused_variants": steps.refused,
        "recipe": recipe.model_dump(mode="json"),
    }
    (steps.folder / EVALUATION).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sizes = {v.file: (steps.folder / v.file).stat().st_size for v in variants}
    splits = {name: counts(part.films) for name, part in parts.items()}
    card = write_card(recipe, origin, splits, golden_film(parts), variants, sizes, report)
    (steps.folder / CARD).write_text(card, encoding="utf-8")
    draft: dict[str, object] = {
        "name": recipe.name,
        "version": recipe.version,
        "created": origin.created,
        "commit": origin.commit,
        "run": origin.run,
        "training_data_digest": origin.data_digest,
        "findings": steps.findings,
        "input": input_spec(recipe).model_dump(mode="json"),
        "variants": [variant.model_dump(mode="json") for variant in variants],
        "reference": REFERENCE,
    }
    return write_release(steps.folder, draft, key)
