"""Fit all networks of a recipe: Ray Train drives one CPU process or many GPU workers by the same code.

Members of an ensemble train side by side, one process with one thread each on two cores: two processes of one thread
give more films a second than one of two threads, above all on cores that others use, since nobody waits at a barrier
for a thread that was sent off its core.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from training.config import BadRecipe, Recipe
from training.fit.events import Ended, EpochEnded, Event, Failed, Noted, Stepped, event_of
from training.fit.gauges import observe
from training.fit.loop import Resume
from training.fit.memory_map import mapped
from training.fit.ray_cluster import ray_cluster
from training.fit.sets import TrainingSet, ValidationSet
from training.fit.worker import Task, events_file, network_file, work
from training.network.film_net import FilmNet, warm_start
from training.network.weights import read_tensors

_LOOK_SECONDS = 0.2
Report = Callable[[int, int, int, float], None]


class TrainingFailed(RuntimeError):
    """A network could not be fitted; the text names it and repeats the reason."""


class Metrics(Protocol):
    """What takes a run's figures: `training.tracking.Tracker`."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Figures at `step`."""


class _Followed:
    """The events of all members, read from their files as they grow."""

    def __init__(self, task: Task, report: Report, tracker: Metrics | None, note: Callable[[str], None]) -> None:
        self._task, self._report, self._tracker, self._note = task, report, tracker, note
        members = range(task.recipe.network.members)
        files = {member: events_file(task.work, member) for member in members}
        # What an earlier run told is told already.
        self._places = {member: file.stat().st_size if file.exists() else 0 for member, file in files.items()}
        self._files = files

    def look(self) -> None:
        """Pass on what is new; raises TrainingFailed."""
        for member, file in self._files.items():
            if not file.exists():
                continue
            with file.open("rb") as stream:
                stream.seek(self._places[member])
                lines = stream.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            self._places[member] += len(whole)
            for line in whole.decode().splitlines():
                self._pass_on(member, event_of(line))

    def _pass_on(self, member: int, event: Event) -> None:
        observe(member, event)
        match event:
            case Stepped(step, steps, loss):
                self._report(member, step, steps, loss)
            case EpochEnded(epoch, step, figures):
                self._note(_line(member, epoch, figures))
                if self._tracker is not None:
                    self._tracker.metrics({f"member{member}/{name}": v for name, v in figures.items()}, step)
            case Noted(text):
                self._note(f"network {member + 1}: {text}")
            case Failed(text):
                raise TrainingFailed(f"network {member + 1}: {text}")
            case Ended():
                return


def _line(member: int, epoch: int, figures: Mapping[str, float]) -> str:
    shown = [f"network {member + 1}, epoch {epoch}: loss {figures['loss']:.4f}"]
    if "auroc" in figures:
        shown.append(f"validation AUROC {figures['auroc']:.3f}")
    shown.append(f"{figures['films_per_second']:.0f} films/s")
    shown.append(f"{figures['waiting_for_data_share']:.1%} waiting for data")
    return ", ".join(shown)


def _teams(recipe: Recipe) -> tuple[int, int]:
    """How many networks train side by side, and how many GPUs there are to give."""
    training = recipe.training
    wanted = min(training.parallel_members, recipe.network.members)
    if not training.gpu:
        return wanted, 0
    import torch  # noqa: PLC0415

    gpus = torch.cuda.device_count()
    if not gpus and not os.environ.get("RAY_ADDRESS"):
        raise BadRecipe(
            "training.gpu: true, but torch sees no CUDA device here; say false, or run it where there is one"
        )
    if gpus and gpus < training.workers and not os.environ.get("RAY_ADDRESS"):
        raise BadRecipe(f"training.workers: {training.workers} workers want a GPU each, and there are {gpus}")
    return (max(1, min(wanted, gpus // training.workers)) if gpus else wanted), gpus


def train_networks(
    data: TrainingSet,
    validation: ValidationSet | None,
    recipe: Recipe,
    work_folder: Path,
    report: Report = lambda member, step, steps, loss: None,
    tracker: Metrics | None = None,
    *,
    resume: bool | Resume = False,
    profile: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> list[FilmNet]:
    """Train `recipe.network.members` networks and return them in order, in evaluation mode, on the CPU.

    `report` gets member, step, steps and smoothed loss; `note` lines of text (an epoch's figures, a checkpoint that was
    not written, a restart); `tracker` the figures of each epoch as `member0/loss`, `member0/auroc/<finding>` and so on.
    `work_folder` gets checkpoints (`member0/last.pt`, `best.pt`) and the finished networks (`member0.pt`), which serve
    a later recipe as `network.weights: release:FOLDER`; with workers on several machines it must be shared by them.

    A worker that dies is started again by Ray, up to `training.max_failures` times, and goes on from its last
    checkpoint. `resume` True (or "last", "best") goes on where a killed driver stood. Raises TrainingFailed, BadRecipe.
    """
    chosen: Resume = "last" if resume is True else "no" if resume is False else resume
    teams, gpus = _teams(recipe)
    processes = teams * recipe.training.workers
    threads = recipe.training.threads or max(1, len(os.sched_getaffinity(0)) // processes)
    work_folder = work_folder.resolve()
    file = work_folder / "task.pkl"
    try:
        work_folder.mkdir(parents=True, exist_ok=True)
        _clear(work_folder, everything=chosen == "no")
        if chosen != "no" and all(network_file(work_folder, m).exists() for m in range(recipe.network.members)):
            return finished_networks(work_folder, recipe, data.findings)
        task = Task(
            data=mapped(data, work_folder / "training-frames.npy"),
            validation=None if validation is None else mapped(validation, work_folder / "validation-frames.npy"),
            recipe=recipe,
            work=work_folder,
            side_by_side=teams,
            threads=threads,
            resume=chosen,
            profile=profile,
        )
        file.write_bytes(pickle.dumps(task))
    except OSError as error:
        raise TrainingFailed(f"the work folder cannot be written, make room or name another: {error}") from error
    followed = _Followed(task, report, tracker, note)
    try:
        with ray_cluster(processes, gpus):
            _drive(task, file, processes, followed)
    finally:
        for made in (file, work_folder / "training-frames.npy", work_folder / "validation-frames.npy"):
            made.unlink(missing_ok=True)
    return [load_network(task, member) for member in range(recipe.network.members)]


def _clear(folder: Path, everything: bool) -> None:
    """Remove what an earlier run left: all of it, or what only says that a resumed one had begun."""
    # The lock stays: a worker that is still going holds this very file.
    members = (*folder.glob("member*.pt"), *(old for old in folder.glob("member*/*") if old.name != "lock"))
    for old in members if everything else folder.glob("member*/resumed-from-best"):
        old.unlink()


def _drive(task: Task, file: Path, processes: int, followed: _Followed) -> None:
    from ray.train import FailureConfig, RunConfig, ScalingConfig  # noqa: PLC0415 - seconds to import
    from ray.train.torch import TorchConfig, TorchTrainer  # noqa: PLC0415

    gpu = task.recipe.training.gpu
    trainer = TorchTrainer(
        work,
        train_loop_config={"task": str(file)},
        scaling_config=ScalingConfig(num_workers=processes, use_gpu=gpu),
        run_config=RunConfig(
            name="ray",
            storage_path=str(task.work),
            failure_config=FailureConfig(max_failures=task.recipe.training.max_failures),
        ),
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
    )
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            trainer.fit()
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    # In a thread, so that progress is shown meanwhile, and Ctrl-C ends the run instead of asking Ray to.
    thread = threading.Thread(target=run, name="ray-train", daemon=True)
    thread.start()
    while not ended:
        followed.look()
        time.sleep(_LOOK_SECONDS)
    followed.look()
    if ended[0] is not None:
        raise TrainingFailed(_reason(ended[0], task)) from ended[0]


def _reason(error: BaseException, task: Task) -> str:
    text = str(error).strip().splitlines()
    last = text[-1] if text else type(error).__name__
    return (
        f"Ray gave up after {task.recipe.training.max_failures} restarts: {last}; "
        "the checkpoints stand, --resume goes on from them"
    )


def finished_networks(folder: Path, recipe: Recipe, findings: Sequence[str]) -> list[FilmNet]:
    """The networks of an earlier run, `folder`/member0.pt and so on; raises BadRecipe where one is missing or other."""
    networks = []
    for member in range(recipe.network.members):
        file = network_file(folder, member)
        if not file.exists():
            raise BadRecipe(f"{folder.name} has no {file.name}: the recipe wants {recipe.network.members} networks")
        if list(read_tensors(file).get("findings", [])) != list(findings):
            raise BadRecipe(f"{file.name} scores other findings than the recipe's, or in another order")
        networks.append(_read_network(file, recipe, findings))
    return networks


def _read_network(file: Path, recipe: Recipe, findings: Sequence[str]) -> FilmNet:
    chosen = recipe.network
    network = FilmNet(chosen.backbone, len(findings), chosen.dropout, 0.0, None, recipe.size)
    warm_start(network, file, findings)
    network.eval()
    return network


def load_network(task: Task, member: int) -> FilmNet:
    """The finished network number `member`; raises TrainingFailed where there is none."""
    file = network_file(task.work, member)
    if not file.exists():
        raise TrainingFailed(f"network {member + 1} was not finished, and no worker said why")
    return _read_network(file, task.recipe, task.data.findings)
