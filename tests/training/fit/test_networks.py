"""Ray Train drives the networks: side by side, through a killed worker and a killed driver, without a trace."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from tests.training.fit.sets import NOTHING, TINY, random_set, validation_of
from training.config import BadRecipe
from training.fit.loop import fit
from training.fit.networks import TrainingFailed, train_networks

DRIVER = """
import pickle, sys
from pathlib import Path
from training.fit.networks import train_networks
if __name__ == "__main__":
    data, recipe, work = pickle.loads(Path(sys.argv[1]).read_bytes())
    train_networks(data, None, recipe, work)
"""


def same(first: torch.nn.Module, second: torch.nn.Module, atol: float = 0.0) -> bool:
    theirs = second.state_dict()
    return all(torch.allclose(value, theirs[name], atol=atol, rtol=0) for name, value in first.state_dict().items())


def ray_of(driver: int) -> list[psutil.Process]:
    """Processes of the Ray that process `driver` started, dead or alive: its folder's name is in their commands."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(f"hilum-ray-{driver}-" in part for part in process.info["cmdline"] or ()):
            found.append(process)
    return found


def left_of(driver: int) -> list[str]:
    """Processes and folders that Ray leaves behind, once it had time to go."""
    for _ in range(150):
        processes = [str(process) for process in ray_of(driver)]
        if not processes:
            break
        time.sleep(0.2)
    return processes + [str(folder) for folder in Path("/tmp").glob(f"hilum-ray-{driver}-*")]


class Kept:
    """A tracker that remembers."""

    def __init__(self) -> None:
        self.steps: dict[str, list[int]] = {}

    def metrics(self, values: dict[str, float], step: int) -> None:
        for name in values:
            self.steps.setdefault(name, []).append(step)


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_goes_on_from_its_checkpoint_to_the_same_weights(tmp_path: Path) -> None:
    recipe = TINY.changed(training__phases=[{"epochs": 40, "size": 64}], training__threads=1)
    data, killed, notes, tracker = random_set(), [], [], Kept()

    def kill_once(member: int, step: int, steps: int, loss: float) -> None:
        assert steps == 120
        if killed or step < 20:
            return
        for process in psutil.Process().children(recursive=True):
            if "RayTrainWorker" in " ".join(process.cmdline()):
                killed.append(process.pid)
                process.send_signal(signal.SIGKILL)
                return

    networks = train_networks(data, validation_of(data), recipe, tmp_path, kill_once, tracker, note=notes.append)
    assert killed
    assert any("goes on from step" in note for note in notes), notes
    for member, network in enumerate(networks):
        assert same(network, fit(data, recipe, member, validation=validation_of(data)), atol=1e-5)
    assert max(tracker.steps["member1/auroc/Edema"]) == max(tracker.steps["member0/loss"]) == 120
    assert not left_of(os.getpid())


@pytest.mark.slow
def test_a_killed_driver_resumes_and_two_workers_of_one_network_give_what_one_gives(tmp_path: Path) -> None:
    recipe = TINY.changed(
        network__backbone="test_convnext",
        network__members=1,
        network__dropout=0.0,
        network__drop_path=0.0,
        augmentation=NOTHING.model_dump(),
        training__phases=[{"epochs": 30, "size": 64}],
        training__threads=1,
        training__workers=2,
    )
    work, notes, steps = tmp_path / "work", [], []
    (tmp_path / "call.pkl").write_bytes(pickle.dumps((random_set(), recipe, work)))
    (tmp_path / "driver.py").write_text(DRIVER, encoding="utf-8")
    root = Path(__file__).resolve().parents[3]
    driver = subprocess.Popen(
        [sys.executable, tmp_path / "driver.py", tmp_path / "call.pkl"], env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        for _ in range(1200):
            if (work / "member0" / "last.pt").exists():
                break
            assert driver.poll() is None
            time.sleep(0.05)
    finally:
        driver.kill()
        driver.wait()
    assert not (work / "member0.pt").exists()

    def note_step(member: int, step: int, total: int, loss: float) -> None:
        steps.append(step)

    (network,) = train_networks(random_set(), None, recipe, work, note_step, resume=True, note=notes.append)
    assert any("goes on from step" in note for note in notes), notes
    assert steps[-1] == 90
    assert not left_of(driver.pid)
    assert not left_of(os.getpid())
    alone = fit(random_set(), recipe.changed(training__workers=1), 0)
    assert same(network, alone, atol=2e-3)


@pytest.mark.slow
def test_an_error_in_a_network_is_repeated_with_its_remedy_and_not_tried_again(tmp_path: Path) -> None:
    wild = TINY.changed(training__learning_rate=1e30, training__warm_up=0.0, network__members=1)
    with pytest.raises(TrainingFailed, match=r"network 1: LossNotFinite: .* at step .*lower training\.learning_rate"):
        train_networks(random_set(), None, wild, tmp_path)
    assert not left_of(os.getpid())


def test_a_recipe_for_a_gpu_that_is_not_there_is_refused_before_anything_starts(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    with pytest.raises(BadRecipe, match=r"training\.gpu: true, but torch sees no CUDA device"):
        train_networks(random_set(), None, TINY.changed(training__gpu=True), tmp_path)


def test_a_work_folder_that_can_not_be_written_is_said_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(TrainingFailed, match="the work folder cannot be written"):
        train_networks(random_set(), None, TINY, tmp_path / "file" / "work")
