"""A training's run: begun, followed, ended, whatever becomes of MLflow in between."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from training.tracking.deliver import deliver
from training.tracking.facts import environment, git_facts
from training.tracking.journal import Journal
from training.tracking.place import Place, client, place
from training.tracking.sender import Outcome, Sender
from training.tracking.system import SystemMetrics
from training.tracking.tracker import JournalTracker

NOTE = "tracking.json"


@contextmanager
def tracked(
    name: str,
    experiment: str,
    where: Place | None = None,
    *,
    offline: bool = False,
    work: Path | None = None,
    resume: bool = False,
    system_seconds: float = 10.0,
    grace_seconds: float = 20.0,
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[JournalTracker]:
    """A run `name` of `experiment`; use as a context. `say` gets a sentence for a person at the end.

    Raises TrackingUnavailable at the start where MLflow is away, unless `offline`: then everything waits in the journal
    for `hilum runs sync`. An outage later is waited out in the background and never raises. With `resume` the run that
    was noted in the folder `work` goes on as the same MLflow run. An error inside
    ends the run as FAILED, Ctrl-C as KILLED.
    """
    where = where or place()
    made = None if offline else client(where)
    journal = _journal(where, name, experiment, work if resume else None)
    run_id = None if made is None else deliver(journal, where, made).run_id
    _note(work, journal, run_id or journal.state.run_id)
    tracker = JournalTracker(journal, run_id)
    _tell_origin(tracker)
    sender = Sender(journal, where, made) if made is not None else None
    if sender is not None:
        sender.start()
    system = SystemMetrics(tracker, system_seconds) if system_seconds > 0 else None
    if system is not None:
        system.start()
    status = "FAILED"
    try:
        yield tracker
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        if system is not None:
            system.stop()
        journal.append("end", {"status": status})
        if sender is None:
            say(f"the run is recorded in {journal.folder.name}: `hilum runs sync` sends it to MLflow")
        else:
            say(sentence(sender.close(grace_seconds), where))


def sentence(outcome: Outcome, where: Place) -> str:
    """What became of a run, for a person."""
    text = f"MLflow run {outcome.run_id} at {where.shown}"
    if outcome.interruptions:
        text += f"; MLflow was away {outcome.interruptions} time{'s' if outcome.interruptions > 1 else ''} meanwhile"
        text += ", everything was sent later" if not outcome.left else ""
    if outcome.left:
        text += f"; {outcome.left} events are not sent ({outcome.reason}): `hilum runs sync` sends them later"
    if outcome.refused:
        text += f"; MLflow refused {len(outcome.refused)}: {outcome.refused[0]}"
    return text


def _tell_origin(tracker: JournalTracker) -> None:
    facts = git_facts()
    tracker.tags({"mlflow.source.git.commit": facts["commit"], "hilum.dirty": facts["dirty"]})
    path = tracker.journal.folder / "environment.txt"
    path.write_text(environment(), encoding="utf-8")
    tracker.artifact(path)


def _journal(where: Place, name: str, experiment: str, work: Path | None) -> Journal:
    try:
        noted = json.loads((work / NOTE).read_text(encoding="utf-8")) if work is not None else {}
    except (FileNotFoundError, ValueError):
        noted = {}
    journal = Journal(where.journal / str(noted.get("journal")))
    if noted and journal.folder.is_dir():
        journal.append("start", {"experiment": experiment, "name": name, "key": journal.folder.name})
        return journal
    journal = Journal.new(where.journal, experiment, name)
    if noted.get("run_id"):
        journal.update(run_id=noted["run_id"])
    return journal


def _note(work: Path | None, journal: Journal, run_id: str | None) -> None:
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"journal": journal.folder.name, "run_id": run_id})
        (work / NOTE).write_text(text, encoding="utf-8")
