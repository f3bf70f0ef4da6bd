"""The bundled release on real films: its scores do not hang on how a film was stored or sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from hilum.imaging import Limits, decode, decode_8bit
from hilum.imaging.preprocess import preprocess
from hilum.settings import REPOSITORY
from services.inference.assess import assess
from services.inference.loading import load
from services.inference.scorer import Scorer
from services.inference.settings import InferenceSettings

RELEASE = REPOSITORY / "models" / "default"
SAMPLES = REPOSITORY / "samples"
# Films as a hospital stores them. The samples of 128 pixels were reduced and compressed before: to compress such a
# film again changes the film itself, not its storage.
LARGE = ("nih_test1.dcm", "nih_test2.dcm", "nih_test3.dcm", "nema_rg1.dcm")
FILMS = [entry["file"] for entry in json.loads((SAMPLES / "samples.json").read_text(encoding="utf-8"))["films"]]

Grey = npt.NDArray[np.uint8]

pytestmark = pytest.mark.skipif(
    not (RELEASE / "manifest.json").exists(), reason="models/default is not there: make train-default writes it"
)


@pytest.fixture(scope="module")
def bundled() -> Scorer:
    return load(InferenceSettings.model_validate({"release": RELEASE}))


@pytest.fixture(params=LARGE)
def grey(request: pytest.FixtureRequest) -> Grey:
    return decode_8bit(decode((SAMPLES / request.param).read_bytes()))


def encoded(pixels: npt.NDArray[np.uint8 | np.uint16], kind: str, **options: object) -> npt.NDArray[np.float32]:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return decode(stream.getvalue()).pixels


def log_odds(scorer: Scorer, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Calibrated log odds of every finding."""
    film = preprocess(pixels, scorer.manifest.input)[np.newaxis]
    probabilities = scorer.probabilities(scorer.run(film).logits)[0]
    return np.asarray(np.log(probabilities / (1 - probabilities)))


def shift(scorer: Scorer, grey: Grey, other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return np.abs(log_odds(scorer, other) - log_odds(scorer, grey.astype(np.float32) / np.float32(255)))


@pytest.mark.parametrize("quality", [75, 85, 95])
def test_jpeg_compression_hardly_moves_a_score(bundled: Scorer, grey: Grey, quality: int) -> None:
    moved = shift(bundled, grey, encoded(grey, "JPEG", quality=quality))
    assert moved.max() < 0.4
    assert moved.mean() < 0.1


def test_eight_and_sixteen_bits_give_the_same_score(bundled: Scorer, grey: Grey) -> None:
    assert shift(bundled, grey, encoded(grey.astype(np.uint16) * 257, "PNG")).max() < 1e-3


@pytest.mark.parametrize("name", ["BOX", "BILINEAR", "BICUBIC", "LANCZOS"])
def test_a_film_that_was_reduced_by_half_scores_alike_whatever_the_resampler(
    bundled: Scorer, grey: Grey, name: str
) -> None:
    height, width = grey.shape
    half = Image.fromarray(grey).resize((width // 2, height // 2), Image.Resampling[name])
    moved = shift(bundled, grey, np.asarray(half).astype(np.float32) / np.float32(255))
    assert moved.max() < 0.4
    assert moved.mean() < 0.1


@pytest.mark.parametrize(
    ("window", "largest"),
    [
        (lambda x: x * 0.8 + 0.1, 0.02),
        (lambda x: np.clip((x - 0.5) * 1.1 + 0.5, 0, 1), 0.6),
        (lambda x: np.clip(x + 0.05, 0, 1), 0.6),
        (lambda x: np.clip(x - 0.05, 0, 1), 0.6),
    ],
    ids=["wider", "narrower", "brighter", "darker"],
)
def test_another_window_moves_a_score_little(
    bundled: Scorer, grey: Grey, window: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]], largest: float
) -> None:
    other = window(grey.astype(np.float32) / np.float32(255)).astype(np.float32)
    assert shift(bundled, grey, other).max() < largest


@pytest.mark.parametrize("file", FILMS)
def test_every_sample_film_is_scored(bundled: Scorer, file: str) -> None:
    done = assess(bundled, (SAMPLES / file).read_bytes(), Limits())
    assert done.score.domain.in_domain, done.score.domain
    assert [f.spec.name for f in done.score.findings] == list(bundled.manifest.findings)


def test_the_bundled_release_is_signed_by_a_key_that_the_repository_trusts(bundled: Scorer) -> None:
    assert bundled.release.signed_by is not None


def test_the_bundled_release_is_small_and_documented() -> None:
    files = [path for path in RELEASE.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 25_000_000
    card = (RELEASE / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "not for primary diagnosis" in card.lower()


def test_noise_and_a_blank_film_are_not_scored_by_it(bundled: Scorer) -> None:
    rng = np.random.default_rng(0)
    noise = rng.random((1024, 1024), dtype=np.float32)
    assert not bundled.score(noise).domain.in_domain
    assert not bundled.score(np.full((512, 512), 0.4, dtype=np.float32)).domain.in_domain


def test_a_batch_scores_like_its_films_alone(bundled: Scorer) -> None:
    batch = np.stack(
        [preprocess(decode((SAMPLES / name).read_bytes()).pixels, bundled.manifest.input) for name in LARGE]
    )
    together = bundled.run(batch).logits
    alone = np.concatenate([bundled.run(film[np.newaxis]).logits for film in batch])
    assert np.allclose(together, alone, atol=1e-3)


def test_the_activation_map_adds_up_to_the_logit(bundled: Scorer) -> None:
    """A heat map explains the score only if its mean and the score differ by the same bias for every film."""
    films = [preprocess(decode((SAMPLES / name).read_bytes()).pixels, bundled.manifest.input) for name in LARGE]
    outputs = bundled.run(np.stack(films))
    bias = outputs.logits - outputs.activation.mean(axis=(2, 3))
    assert np.allclose(bias, bias[0], atol=1e-2)


def test_a_dicom_film_and_its_png_score_the_same(bundled: Scorer) -> None:
    for name in LARGE[:3]:
        film = decode((SAMPLES / name).read_bytes())
        pixels = encoded(decode_8bit(film), "PNG")
        assert shift(bundled, decode_8bit(film), pixels).max() < 1e-6
