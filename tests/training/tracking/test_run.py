"""A run's story is whole in MLflow, whatever happens to MLflow meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import mlflow
import pytest
from typer.testing import CliRunner

from hilum.release import Release
from services.cli import make_app
from tests.fixtures.gate import Gate
from tests.fixtures.ports import free_ports
from tests.releases import FINDINGS, make_tiny_release
from training.tracking import NullTracker, Place, TrackingUnavailable, place, tracked
from training.tracking.deliver import deliver
from training.tracking.facts import environment, git_facts
from training.tracking.journal import EVENTS, Journal, journals
from training.tracking.model import log_model
from training.tracking.place import client
from training.tracking.tracker import JournalTracker, flat

mpl.use("Agg")


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return make_tiny_release(tmp_path / "release")


def the_run(where: Place, experiment: str) -> Any:
    made = client(where)
    found = made.get_experiment_by_name(experiment)
    assert found is not None
    runs = made.search_runs([found.experiment_id])
    assert len(runs) == 1
    return runs[0]


def history(where: Place, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(each.step, each.value) for each in client(where).get_metric_history(run_id, name)]


def test_a_run_holds_recipe_curves_plots_origin_system_metrics_and_a_model_with_its_signature(
    served: Place, release: Release, tmp_path: Path
) -> None:
    from matplotlib import pyplot

    said: list[str] = []
    with tracked("first", "whole", served, system_seconds=0.2, say=said.append) as tracker:
        tracker.params({"data": {"findings": ["Effusion"]}, "sources": [{"kind": "nih"}]})
        tracker.tags({"hilum.data_digest": "ab" * 32})
        for epoch in range(3):
            tracker.metrics({"loss": 1 / (epoch + 1), "auroc/Pleural Thickening": 0.5 + epoch / 10}, epoch)
        figure, _ = pyplot.subplots()
        tracker.figure("roc/Effusion", figure)
        log_model(tracker, release)
        run_id = tracker.run_id
    run = the_run(served, "whole")
    assert run.info.run_id == run_id == tracker.run_id
    assert run_id in said[0]
    assert run.info.status == "FINISHED"
    assert run.data.params == {"data.findings": "['Effusion']", "sources.0.kind": "nih"}
    assert run.data.tags["hilum.data_digest"] == "ab" * 32
    assert run.data.tags["mlflow.source.git.commit"] == git_facts()["commit"]
    assert run.data.tags["hilum.dirty"] in ("true", "false", "unknown")
    assert history(served, run_id, "loss") == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert run.data.metrics["auroc/Pleural Thickening"] == 0.7
    assert "system/system_memory_usage_percentage" in run.data.metrics
    made = client(served)
    assert {each.path for each in made.list_artifacts(run_id)} == {"environment.txt", "figures", "model"}
    assert [each.path for each in made.list_artifacts(run_id, "figures/roc")] == ["figures/roc/Effusion.png"]
    mlflow.set_tracking_uri(served.uri)
    info = mlflow.models.get_model_info(f"runs:/{run_id}/model")
    assert [tensor.name for tensor in info.signature.inputs] == ["film"]
    assert {tensor.name for tensor in info.signature.outputs} == {"logits", "activation", "embedding"}
    assert info.metadata["findings"] == list(FINDINGS)
    assert mlflow.onnx.load_model(f"runs:/{run_id}/model", dst_path=str(tmp_path)).graph.input[0].name == "film"
    assert journals(served.journal) == []


def test_mlflow_away_at_the_start_is_refused_with_the_remedy(tmp_path: Path) -> None:
    nobody = place(f"http://127.0.0.1:{free_ports(1)[0]}", tmp_path)
    with pytest.raises(TrackingUnavailable, match="--offline"), tracked("r", "away", nobody):
        pytest.fail("the training began")


def test_training_goes_on_while_mlflow_is_away_and_all_of_it_arrives(
    served: Place, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.tracking.sender.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("training.tracking.sender.FIRST_WAIT_SECONDS", 0.1)
    said: list[str] = []
    with tracked("r", "outage", served, system_seconds=0, say=said.append) as tracker:
        tracker.metrics({"loss": 3.0}, 0)
        time.sleep(1)
        gate.shut()
        tracker.metrics({"loss": 2.0}, 1)
        time.sleep(1)
        tracker.artifact(Path(__file__))
        gate.open()
        tracker.metrics({"loss": 1.0}, 2)
    run = the_run(served, "outage")
    assert history(served, run.info.run_id, "loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert run.info.status == "FINISHED"
    assert "was away 1 time" in said[0]
    assert "everything was sent later" in said[0]


def test_what_is_not_sent_at_the_end_is_kept_said_and_sent_by_runs_sync(
    served: Place, gate: Gate, tmp_path: Path
) -> None:
    said: list[str] = []
    with tracked("r", "late", served, system_seconds=0, grace_seconds=0, say=said.append) as tracker:
        gate.shut()
        tracker.metrics({"loss": 2.0}, 7)
    assert "hilum runs sync" in said[0]
    gate.open()
    environment = {"HILUM_MLFLOW": served.uri, "HILUM_DATA": str(tmp_path / "data")}
    listed = CliRunner().invoke(make_app(), ["runs", "list"], env=environment)
    assert tracker.run_id in listed.output
    done = CliRunner().invoke(make_app(), ["runs", "sync"], env=environment)
    assert done.exit_code == 0, done.output
    assert f"sent as run {tracker.run_id}" in done.output
    run = the_run(served, "late")
    assert history(served, run.info.run_id, "loss") == [(7, 2.0)]
    assert run.info.status == "FINISHED"
    assert "nothing waits" in CliRunner().invoke(make_app(), ["runs", "sync"], env=environment).output


def test_an_offline_run_is_recorded_and_arrives_later_with_its_own_times(local: Place) -> None:
    with pytest.raises(RuntimeError), tracked("r", "off", local, offline=True, system_seconds=0) as tracker:
        tracker.metrics({"loss": 1.0}, 3)
        raise RuntimeError("NaN loss")
    (journal,) = journals(local.journal)
    begun = next(journal.events(0)).at
    sent = deliver(journal, local)
    run = the_run(local, "off")
    assert sent.ended
    assert run.info.run_id == sent.run_id
    assert (run.info.status, run.info.start_time) == ("FAILED", begun)


def test_events_that_are_sent_twice_are_there_once(local: Place) -> None:
    with tracked("r", "twice", local, offline=True, system_seconds=0) as tracker:
        tracker.params({"seed": 1})
        tracker.metrics({"loss": 1.0}, 0)
    (journal,) = journals(local.journal)
    text = (journal.folder / EVENTS).read_text(encoding="utf-8")
    (journal.folder / EVENTS).write_text(text.rpartition('{"kind": "end"')[0], encoding="utf-8")
    first = deliver(journal, local)
    # As after a crash between sending and noting it: neither the place nor the run's id is known.
    (journal.folder / "state.json").unlink()
    assert deliver(journal, local).run_id == first.run_id
    assert history(local, first.run_id, "loss") == [(0, 1.0)]


def test_a_killed_training_goes_on_as_the_same_run(local: Place, tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from training.tracking import place, tracked\n"
        f"where = place({local.uri!r}, Path({str(tmp_path / 'data')!r}))\n"
        f"with tracked('r', 'killed', where, work=Path({str(tmp_path / 'work')!r}), system_seconds=0) as tracker:\n"
        "    tracker.metrics({'loss': 2.0}, 0)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ | {"PYTHONPATH": "."})
    assert done.returncode == -signal.SIGKILL
    with tracked("r", "killed", local, work=tmp_path / "work", resume=True, system_seconds=0) as tracker:
        tracker.metrics({"loss": 1.0}, 1)
    run = the_run(local, "killed")
    assert run.info.run_id == tracker.run_id
    assert history(local, tracker.run_id, "loss") == [(0, 2.0), (1, 1.0)]
    assert run.info.status == "FINISHED"


def test_what_mlflow_refuses_is_said_and_the_rest_goes_on(local: Place) -> None:
    said: list[str] = []
    with tracked("r", "refused", local, system_seconds=0, say=said.append) as tracker:
        tracker.params({"seed": 1})
        tracker.params({"seed": 2})
        tracker.metrics({"loss": float("nan")}, 0)
    run = the_run(local, "refused")
    assert "refused 1: params" in said[0]
    assert run.data.params == {"seed": "1"}
    assert run.info.status == "FINISHED"
    assert "loss" in run.data.metrics


def test_a_torn_line_is_left_until_it_is_whole_and_skipped_once_another_follows(tmp_path: Path) -> None:
    journal = Journal.new(tmp_path, "e", "r")
    journal.append("tags", {"a": "1"})
    with (journal.folder / EVENTS).open("a", encoding="utf-8") as stream:
        stream.write('{"kind": "tags", "at"')
    assert [event.kind for event in journal.events(0)] == ["start", "tags"]
    with (journal.folder / EVENTS).open("a", encoding="utf-8") as stream:
        stream.write("\n")
    journal.append("end", {"status": "FAILED"})
    assert [event.kind for event in journal.events(0)] == ["start", "tags", "end"]


def test_the_environment_names_packages_and_neither_folder_nor_address() -> None:
    lines = environment().splitlines()
    assert any(line.startswith("numpy==") for line in lines)
    assert not [line for line in lines if "/" in line.partition("#")[0] or "://" in line or "@" in line]


def test_nested_settings_are_flattened_by_dots() -> None:
    assert flat({"a": {"b": (1, 2)}, "c": [{"d": None}]}) == {"a.b": "(1, 2)", "c.0.d": "None"}


def test_a_tracker_that_nobody_listens_to_takes_every_call_of_the_contract() -> None:
    calls = {name for name in dir(JournalTracker) if not name.startswith("_")} - {"journal", "known_run_id"}
    assert calls == {name for name in dir(NullTracker) if not name.startswith("_")}


def test_a_password_is_not_shown() -> None:
    assert place("postgresql://hilum:secret@db/mlflow").shown == "postgresql://hilum:***@db/mlflow"
