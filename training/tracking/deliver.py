"""From a journal to MLflow. Sending an event twice leaves one: a metric is known by its time, step and value."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from training.tracking.journal import FILES, Event, Journal
from training.tracking.place import Place, TrackingUnavailable, client, experiment

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

KEY_TAG = "hilum.journal"
# What MLflow takes in one request.
METRICS_AT_ONCE, PARAMS_AT_ONCE = 1000, 100
# Answers that stay the same however often one asks: the event is skipped and said, and the rest goes on.
_FINAL = {
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "PERMISSION_DENIED",
}


class Busy(Exception):
    """Another process is sending this journal."""


@dataclass(frozen=True)
class Delivered:
    """How a delivery went. `ended`: the run's last event is there too; then the journal is gone."""

    run_id: str
    events: int
    refused: tuple[str, ...]
    ended: bool


def deliver(journal: Journal, where: Place, made: MlflowClient | None = None) -> Delivered:
    """Send what MLflow does not have; raises TrackingUnavailable (what was sent stays sent) or Busy."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    made = made or client(where)
    with _alone(journal):
        state = journal.state
        run_id, refused = state.run_id, list(state.refused)
        count, ended = 0, False
        for batch in _batches(journal, state.sent):
            try:
                if batch[0].kind == "start":
                    run_id = _start(made, where, batch[0], run_id)
                elif run_id is not None:
                    _send(made, run_id, journal, batch)
            except (MlflowException, SQLAlchemyError, OSError) as error:
                if getattr(error, "error_code", "") not in _FINAL:
                    reason = str(error).strip().partition("\n")[0][:200]
                    raise TrackingUnavailable(f"MLflow at {where.shown}: {reason}") from error
                refused.append(f"{batch[0].kind}: {str(error)[:300]}")
            count += len(batch)
            ended = batch[-1].kind == "end"
            journal.update(run_id=run_id, sent=batch[-1].end, refused=refused)
    if run_id is None:
        raise TrackingUnavailable(f"the journal {journal.folder.name} has no beginning; remove it")
    if ended:
        journal.drop()
    return Delivered(run_id, count, tuple(refused), ended)


@contextmanager
def _alone(journal: Journal) -> Iterator[None]:
    with (journal.folder / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(f"{journal.folder.name} is being sent by another process") from error
        yield


def _batches(journal: Journal, start: int) -> Iterator[list[Event]]:
    """Events in order; figures that follow one another together, for a request per figure would be slow."""
    held: list[Event] = []
    size = 0
    for event in journal.events(start):
        more = len(event.body.get("values", ())) if event.kind == "metrics" else 0
        if held and (event.kind != "metrics" or size + more > METRICS_AT_ONCE):
            yield held
            held, size = [], 0
        if event.kind == "metrics":
            held.append(event)
            size += more
        else:
            yield [event]
    if held:
        yield held


def _start(made: MlflowClient, where: Place, event: Event, run_id: str | None) -> str:
    if run_id is not None:
        made.update_run(run_id, status="RUNNING")
        return run_id
    number = experiment(where, made, event.body["experiment"])
    key = event.body["key"]
    # Made just before a crash, and its id not noted.
    found = made.search_runs([number], filter_string=f"tags.`{KEY_TAG}` = '{key}'", max_results=1)
    if found:
        return str(found[0].info.run_id)
    run = made.create_run(number, start_time=event.at, run_name=event.body["name"], tags={KEY_TAG: key})
    return str(run.info.run_id)


def _send(made: MlflowClient, run_id: str, journal: Journal, batch: list[Event]) -> None:
    from mlflow.entities import Metric, Param, RunTag  # noqa: PLC0415

    event = batch[0]
    if event.kind == "metrics":
        figures = [
            Metric(name, float(value), each.at, each.body["step"])
            for each in batch
            for name, value in each.body["values"].items()
        ]
        for part in _parts(figures, METRICS_AT_ONCE):
            made.log_batch(run_id, metrics=part)
    elif event.kind == "params":
        for part in _parts([Param(name, value) for name, value in event.body.items()], PARAMS_AT_ONCE):
            made.log_batch(run_id, params=part)
    elif event.kind == "tags":
        for part in _parts([RunTag(name, value) for name, value in event.body.items()], PARAMS_AT_ONCE):
            made.log_batch(run_id, tags=part)
    elif event.kind == "artifact":
        path = journal.folder / FILES / event.body["file"]
        folder = event.body["folder"] or None
        if path.is_dir():
            made.log_artifacts(run_id, str(path), "/".join(filter(None, [folder, path.name])))
        else:
            made.log_artifact(run_id, str(path), folder)
    elif event.kind == "end":
        made.set_terminated(run_id, status=event.body["status"], end_time=event.at)


def _parts(values: list[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while part := list(islice(rest, size)):
        yield part
