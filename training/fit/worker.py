"""What runs in one of Ray Train's workers: it fits the networks that fall to it, and tells of it in a file."""

from __future__ import annotations

import fcntl
import pickle
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.config import BadRecipe, Recipe
from training.fit import checkpoint
from training.fit.events import Ended, Event, Failed, Listener, Stepped, line_of
from training.fit.loop import LossNotFinite, Resume, fit
from training.fit.place import Place
from training.fit.sets import TrainingSet, ValidationSet
from training.network.film_net import save_network
from training.network.weights import NoWeights

REPORT_EVERY = 10
_LOCK_SECONDS = 60
# Another try would end alike.
_FINAL = (LossNotFinite, BadRecipe, NoWeights, checkpoint.BadCheckpoint, checkpoint.NotWritten)


@dataclass(frozen=True)
class Task:
    """Everything that the workers of a run need; pickled into the run's work folder."""

    data: TrainingSet
    validation: ValidationSet | None
    recipe: Recipe
    work: Path
    side_by_side: int
    threads: int
    resume: Resume
    profile: bool


def network_file(work: Path, member: int) -> Path:
    """Where the finished network of `member` stands."""
    return work / f"member{member}.pt"


def events_file(work: Path, member: int) -> Path:
    """Where `member` tells of itself."""
    return work / f"member{member}" / "events.jsonl"


def writer(path: Path) -> Listener:
    """A listener that appends to `path`; of the steps every tenth."""

    def listen(event: Event) -> None:
        if isinstance(event, Stepped) and event.step % REPORT_EVERY and event.step != event.steps:
            return
        try:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(line_of(event))
        except OSError:
            # A full disk: the run goes on untold rather than not at all.
            return

    return listen


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold `folder` against a worker of a killed run that has not noticed it yet."""
    with (folder / "lock").open("w") as stream:
        for _ in range(_LOCK_SECONDS * 5):
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.2)
        else:
            raise checkpoint.BadCheckpoint(f"another run is working in {folder.parent}: wait for its end")
        yield


def work(config: Mapping[str, str]) -> None:
    """Ray Train runs this: worker r is number r % workers of team r // workers; team t fits networks t, t + teams..."""
    import ray.train  # noqa: PLC0415 - the driver's module is imported without Ray
    import ray.train.torch  # noqa: PLC0415

    with Path(config["task"]).open("rb") as stream:
        task: Task = pickle.load(stream)  # noqa: S301 - written by this run's driver
    torch.set_num_threads(task.threads)
    team, seat = divmod(ray.train.get_context().get_world_rank(), task.recipe.training.workers)
    device = ray.train.torch.get_device() if task.recipe.training.gpu else torch.device("cpu")
    place = Place(device, seat, task.recipe.training.workers, _group(task, team))
    for member in range(team, task.recipe.network.members, task.side_by_side):
        if not _fit_member(task, member, place):
            return


def _group(task: Task, team: int) -> Any:
    workers = task.recipe.training.workers
    if workers == 1:
        return None
    import torch.distributed as dist  # noqa: PLC0415

    groups = [dist.new_group(list(range(t * workers, (t + 1) * workers))) for t in range(task.side_by_side)]
    return groups[team]


def _fit_member(task: Task, member: int, place: Place) -> bool:
    file, folder = network_file(task.work, member), events_file(task.work, member).parent
    if file.exists():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    listen = writer(events_file(task.work, member)) if place.rank == 0 else (lambda event: None)
    try:
        with _alone(folder) if place.rank == 0 else nullcontext():
            network = fit(
                task.data,
                task.recipe,
                member,
                validation=task.validation,
                folder=folder,
                resume=_resume(task, folder),
                place=place,
                listen=listen,
                profile=task.profile and member == 0,
            )
            if place.rank == 0:
                checkpoint.write(file, save_network(network, task.data.findings))
                listen(Ended(0))
    except _FINAL as error:
        listen(Failed(f"{type(error).__name__}: {error}"))
        return False
    return True


def _resume(task: Task, folder: Path) -> Resume:
    """A worker that Ray starts again goes on from its own last checkpoint, whatever the run began with."""
    if task.resume != "best":
        return "last"
    begun = folder / "resumed-from-best"
    if begun.exists():
        return "last"
    if not (folder / checkpoint.BEST).exists():
        return "last"
    begun.touch()
    return "best"
