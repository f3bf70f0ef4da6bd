"""Labelled films through a real service, and what is known of it afterwards."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import httpx
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from services.cli import make_app
from services.inference.app import create_app
from services.inference.settings import InferenceSettings
from tests.fixtures.ports import free_ports
from tests.releases import FINDINGS, make_tiny_release, noise_film, pattern_film
from tests.servers import serve
from training.data.manifest import BadData
from training.online.arrivals import BY_HOUR, arrivals
from training.online.evaluate import evaluate_online
from training.online.films import read_films
from training.online.gauges import EvaluationGauges, registry
from training.online.results import Result, ResultFile
from training.online.stream import Pace
from training.online.tally import OVERALL, Tally


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    release = make_tiny_release(tmp_path_factory.mktemp("online") / "release")
    settings = InferenceSettings.model_validate({"release": release.folder, "trusted_keys": ""})
    with serve(create_app(settings)) as served:
        for _ in range(300):
            if httpx.get(f"{served.url}/readyz", trust_env=False).is_success:
                break
            time.sleep(0.1)
        yield served.url


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Nine films: each finding's own pattern, a dark one, noise, a text file, and one that is missing."""
    rows = []
    for k, name in enumerate(FINDINGS):
        (tmp_path / f"{k}.png").write_bytes(pattern_film(k))
        rows.append({"film": f"{k}.png", **{other: int(other == name) for other in FINDINGS}})
    (tmp_path / "dark.png").write_bytes(pattern_film(15))
    rows.append({"film": "dark.png", **dict.fromkeys(FINDINGS, 0), "Effusion": 1, "Hernia": -1, "Atelectasis": ""})
    (tmp_path / "noise.png").write_bytes(noise_film())
    (tmp_path / "text.png").write_text("no film", encoding="utf-8")
    rows += [{"film": name, **dict.fromkeys(FINDINGS, 0)} for name in ("noise.png", "text.png", "missing.png")]
    path = tmp_path / "films.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["film", *FINDINGS])
        writer.writeheader()
        writer.writerows(rows)
    return path


def now() -> Pace:
    return Pace(iter(count()), speed_up=1e9, at_once=4)


def test_every_film_is_counted_by_what_became_of_it_and_a_bad_one_stops_nothing(url: str, table: Path) -> None:
    tally = Tally()
    done = evaluate_online(url, read_films(table), table.with_name("out.jsonl"), now(), tally)
    assert done.summary["films"] == {"out_of_domain": 1, "refused": 1, "scored": 6, "unreadable": 1}
    ((key, figures),) = tally.figures().items()
    assert key[0] == "films"
    effusion = figures["Effusion"]
    assert (effusion.films, effusion.positives, effusion.accuracy, effusion.sensitivity) == (6, 2, 5 / 6, 0.5)
    assert figures["Hernia"].films == figures["Atelectasis"].films == 5
    # Not established in this release: never called, and that is counted.
    assert (figures["Hernia"].accuracy, figures["Hernia"].auroc) == (0.8, 1.0)
    assert figures[OVERALL].accuracy == pytest.approx(26 / 28)
    written = json.loads(table.with_name("out.jsonl.json").read_text(encoding="utf-8"))
    assert written["datasets"][0]["findings"]["Effusion"]["auroc"] == round(effusion.auroc, 4)
    assert any("not-an-image" in reason for reason in written["not_scored"])


def test_prometheus_reads_the_figures_while_films_come(url: str, table: Path) -> None:
    tally = Tally()
    gauges = registry(EvaluationGauges(tally))
    seen: list[float] = []

    def look(result: Result) -> None:
        labels = {"dataset": "films", "release": result.release, "finding": "Effusion"}
        if result.outcome == "scored":
            value = gauges.get_sample_value("hilum_evaluation_accuracy", labels)
            assert value is not None
            seen.append(value)

    done = evaluate_online(url, read_films(table), table.with_name("out.jsonl"), now(), tally, look)
    assert len(seen) == 6
    where = {"dataset": "films", "release": done.summary["release"]}
    assert gauges.get_sample_value("hilum_evaluation_auroc", where | {"finding": "Pneumothorax"}) == 1.0
    assert gauges.get_sample_value("hilum_evaluation_films_total", where | {"outcome": "scored"}) == 6
    specificity = gauges.get_sample_value("hilum_evaluation_specificity", where | {"finding": OVERALL})
    assert specificity == 1.0


def test_a_stream_that_was_broken_off_goes_on_where_it_stopped(url: str, table: Path) -> None:
    films, out = read_films(table), table.with_name("out.jsonl")
    evaluate_online(url, films[:3], out, now(), Tally())
    with out.open("a", encoding="utf-8") as stream:
        stream.write('{"film": "films/3.png", "torn')
    tally = Tally()
    rest = evaluate_online(url, films, out, now(), tally)
    assert (rest.sent, rest.before) == (6, 3)
    assert rest.summary["films"]["scored"] == 6
    assert len({each.film for each in ResultFile(out).read()}) == 9


def test_results_of_another_release_are_not_mixed_in(url: str, table: Path) -> None:
    out = table.with_name("out.jsonl")
    evaluate_online(url, read_films(table)[:1], out, now(), Tally())
    text = out.read_text(encoding="utf-8")
    line = json.loads(text)
    out.write_text(text.replace(line["release"], "ff" * 32), encoding="utf-8")
    with pytest.raises(BadData, match="--out"):
        evaluate_online(url, read_films(table), out, now(), Tally())


def test_the_command_shows_a_table_and_says_that_films_were_not_answered(url: str, table: Path) -> None:
    out = str(table.with_name("out.jsonl"))
    words = ["evaluate-online", url, str(table), "--out", out, "--speed-up", "1e9", "--metrics-port", "0"]
    done = CliRunner().invoke(make_app(), words, env={"COLUMNS": "140"})
    assert done.exit_code == 3, done.output
    assert "Pneumothorax" in done.output
    assert "6 scored" in done.output
    assert "metrics: http://127.0.0.1:" in done.output
    away = f"http://127.0.0.1:{free_ports(1)[0]}"
    refused = CliRunner().invoke(make_app(), ["evaluate-online", away, str(table), "--out", out])
    assert (refused.exit_code, "is not ready" in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,Effusion\na.png,1\n", "no column 'film'"),
        ("film,Efusion\na.png,1\n", "column 'Efusion' is no finding"),
        ("film,Effusion\na.png,1\nb.png,yes\n", r"row 3: 'Effusion' is 'yes'"),
        ("film,Effusion\n,1\n", "row 2: no film"),
        ("film,Effusion\na.png,-1\n", "no film has a known label"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_file_and_row(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "films.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadData, match=message) as error:
        read_films(path)
    assert "films.csv" in str(error.value)


def test_films_come_as_a_hospital_sends_them() -> None:
    times = np.array(list(islice(arrivals(2400, seed=4), 24_000)))
    days = times[-1] / 86_400
    assert 24_000 / days == pytest.approx(2400, rel=0.05)
    hours = np.bincount((times / 3600 % 24).astype(int), minlength=24) / len(times)
    assert hours == pytest.approx(np.array(BY_HOUR) / sum(BY_HOUR), abs=0.01)
    # Within a flat day the gaps are exponential: their spread is their mean.
    gaps = np.diff(list(islice(arrivals(2400, seed=4, flat=True), 20_000)))
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_figures_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    truth, scores = rng.random(300) < 0.3, rng.random(300).round(2)
    tally = Tally()
    for place, (label, score) in enumerate(zip(truth, scores, strict=True)):
        called = ("Effusion",) if score > 0.5 else ()
        tally.add(
            Result(str(place), "d", "scored", "", "r", {"Effusion": int(label)}, {"Effusion": float(score)}, called, 0)
        )
    figures = tally.figures()[("d", "r")]["Effusion"]
    assert figures.auroc == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)
    assert figures.sensitivity == pytest.approx((scores[truth] > 0.5).mean())
    assert figures.accuracy == pytest.approx(((scores > 0.5) == truth).mean())
