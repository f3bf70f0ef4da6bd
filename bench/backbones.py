"""DenseNet-121, ConvNeXt-Tiny and ViT-B/16, each by a short real run: `python -m bench.backbones`.

No registry package carries their ImageNet weights, so they start from random ones and learn next to nothing in so few
steps: what is proven is that each recipe's network trains on real films, is validated and is exported, and that the
ONNX file gives PyTorch's probabilities. On a CPU, at 64 px; the recipes themselves want a GPU and 160 to 224 px.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from bench.machine import describe, slug
from hilum.imaging.preprocess import preprocess
from hilum.release import InputSpec
from training.config import CONFIGS, Recipe, read_recipe
from training.data.prepare import SplitPart, prepare
from training.data.store import pixels_of
from training.evaluate.scores import open_session, run
from training.fit.events import EpochEnded, Event
from training.fit.loop import fit
from training.fit.sets import TrainingSet, ValidationSet
from training.network.film_net import Ensemble
from training.release.export import export

RECIPES = ("chexpert-densenet121", "nih-convnext-tiny", "nih-vit-b16")
SIZE = 64
PARITY_FILMS = 32


def recipe_of(name: str, epochs: int) -> Recipe:
    """The tiny recipe's films with the network, rates and decay of recipe `name`."""
    theirs = read_recipe(CONFIGS / f"{name}.yaml")
    training = theirs.training.model_dump() | {
        "phases": [{"epochs": epochs, "size": SIZE}],
        "batch": 16,
        "precision": "fp32",
        "gpu": False,
        "early_stopping": None,
    }
    network = theirs.network.model_dump() | {"weights": "none", "members": 1}
    return read_recipe(CONFIGS / "tiny.yaml").changed(name=name, network=network, training=training)


def measure(name: str, train: SplitPart, validation: SplitPart, films: int, epochs: int) -> dict[str, object]:
    """Train on `films` films, validate, export; the run's row."""
    recipe = recipe_of(name, epochs)
    rows = np.flatnonzero([film.source == "nih" for film in train.films])[:films]
    chosen = [train.films[n] for n in rows.tolist()]
    findings = tuple(f"finding {n}" for n in range(len(chosen[0].labels)))
    data = TrainingSet.of(chosen, train.frames.select(rows), recipe, findings)
    told: list[EpochEnded] = []

    def listen(event: Event) -> None:
        if isinstance(event, EpochEnded):
            told.append(event)

    began = time.perf_counter()
    held = ValidationSet.of(validation.films, validation.frames)
    network = fit(data, recipe, validation=held, listen=listen)
    seconds = time.perf_counter() - began
    spec = InputSpec(height=SIZE, width=SIZE)
    ensemble = Ensemble([network], SIZE, SIZE).eval()
    frames = [preprocess(film, spec) for film in pixels_of(np.asarray(validation.frames[:PARITY_FILMS]))]
    with torch.no_grad():
        ours = ensemble(torch.from_numpy(np.stack(frames)))[0].sigmoid().numpy()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        export(ensemble, findings, spec, file)
        given = 1 / (1 + np.exp(-run(open_session(file), frames).logits))
        megabytes = file.stat().st_size / 1e6
    return {
        "recipe": name,
        "backbone": recipe.network.backbone,
        "weights": "random",
        "million_parameters": round(sum(p.numel() for p in network.parameters()) / 1e6, 1),
        "films": len(chosen),
        "steps": told[-1].step,
        "first_epoch_loss": round(told[0].figures["loss"], 4),
        "last_epoch_loss": round(told[-1].figures["loss"], 4),
        "validation_auroc": round(told[-1].figures["auroc"], 3),
        "seconds": round(seconds),
        "onnx_mb": round(megabytes, 1),
        "largest_probability_difference": f"{float(np.abs(ours - given).max()):.1e}",
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HILUM_TRAINING_DATA", "../shared/data")))
    parser.add_argument("--films", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    prepared = prepare(read_recipe(CONFIGS / "tiny.yaml"), asked.data)
    train, validation = prepared.parts["train"], prepared.parts["validation"]
    rows = []
    for name in RECIPES:
        rows.append(measure(name, train, validation, asked.films, asked.epochs))
        Console().print(rows[-1], highlight=False)
    with (asked.out / f"backbones-{slug()}.csv").open("w", newline="", encoding="utf-8") as stream:
        load = f"load average {os.getloadavg()[0]:.0f}"
        stream.write(f"# {describe()}, {load}, torch {torch.__version__}, one thread: python -m bench.backbones\n")
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
