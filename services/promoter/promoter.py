"""One turn: read Git, look, decide, commit; then let the registry follow. Nothing is remembered between turns.

Killed between any two lines, the next turn starts from Git alone: either the push was kept, then the step is made, or
it was not, then it is decided anew. Everything outside Git follows what is committed, and may be repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from hilum.gates import GateRecord
from hilum.release import BadRelease
from services.promoter import bundle as bundles
from services.promoter import promotion as promotions
from services.promoter.bundle import ENVIRONMENTS, BadBundle, Bundle, path_of
from services.promoter.git import Git, GitUnavailable, Head, Overtaken
from services.promoter.looked import Cluster, ClusterUnavailable, Looked
from services.promoter.machine import Event, Step, placed, step
from services.promoter.message import message
from services.promoter.observe import Seen, foreign, observe, record_key
from services.promoter.promotion import FILE, BadState, Ledger, Promotion
from services.promoter.pulls import Pulls, PullsUnavailable
from services.promoter.records import Records, RecordsUnavailable, with_timeline
from services.promoter.registry import REJECTED, Registry, RegistryUnavailable, Version
from services.promoter.releases import Releases, ReleaseUnavailable
from services.promoter.rules import Rules
from services.promoter.states import Kind, State

log = structlog.get_logger("hilum.promoter")
OVERTAKEN_TURNS = 5
AWAY = (GitUnavailable, ClusterUnavailable, RegistryUnavailable, ReleaseUnavailable, RecordsUnavailable)
# A gate that the promoter asks itself: judges the promotion now; None where this state has none.
Judge = Callable[[Promotion, datetime], GateRecord | None]


class CannotAct(Exception):
    """What was asked is not possible now; the text says why."""


@dataclass
class Parts:
    """What a promoter works with."""

    git: Git
    registry: Registry
    releases: Releases
    cluster: Cluster
    records: Records
    rules: Rules
    clock: Callable[[], datetime]
    judges: Mapping[State, Judge] = field(default_factory=dict)
    pulls: Pulls | None = None


@dataclass(frozen=True)
class View:
    """What the last turn saw, for people: `away` names what did not answer, `waits` why nothing moves."""

    ledger: Ledger
    bundles: Mapping[str, Bundle]
    commit: str
    at: datetime
    looked: Mapping[str, Looked] = field(default_factory=dict)
    record: GateRecord | None = None
    record_key: str = ""
    away: Mapping[str, str] = field(default_factory=dict)
    waits: str = ""
    queued: str = ""


class Promoter:
    """Turns, one at a time."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.view: View | None = None
        self._lock = threading.Lock()
        self._closed: set[tuple[int, State]] = set()

    def turn(self) -> View:
        """Look once, and take the step that what was seen asks for. Raises GitUnavailable, BadState, BadBundle."""
        with self._lock:
            head, ledger, running = self._read()
            view = View(ledger, running, head.commit, self.parts.clock())
            view, event = self._look(view)
            if event is not None:
                view = self._take(view, head, event)
            view = self._follow(view)
            self.view = view
            return view

    def act(self, event: Event) -> View:
        """Do what a person asks, committed when this returns. Raises CannotAct, GitUnavailable, BadState, BadBundle."""
        with self._lock:
            for _ in range(OVERTAKEN_TURNS):
                head, ledger, running = self._read()
                if event.kind is Kind.RESUME:
                    event = replace(event, base=dict(running))
                made = step(ledger, event, self.parts.clock(), self.parts.rules)
                if not made.moved and made.ledger == ledger:
                    raise CannotAct(made.why)
                try:
                    commit = self._commit(head, ledger, made, running, event)
                except Overtaken:
                    continue
                now = self.parts.clock()
                self.view = View(made.ledger, self._after(ledger, made, running, event), commit, now)
                return self.view
            raise GitUnavailable("others push to the branch all the time; try again")

    def _read(self) -> tuple[Head, Ledger, dict[str, Bundle]]:
        head = self.parts.git.read()
        ledger = promotions.read(head.files.get(FILE))
        running = {}
        for name in ENVIRONMENTS:
            text = head.files.get(path_of(name))
            if text is None:
                raise BadBundle(f"{path_of(name)} is missing")
            running[name] = bundles.read(text)
        return head, ledger, running

    def _look(self, view: View) -> tuple[View, Event | None]:
        """What happened since the last turn. What does not answer is told in `away`, and is no event."""
        away: dict[str, str] = {}
        seen: dict[str, Looked] = {}
        try:
            seen = {name: self.parts.cluster.look(name) for name in ENVIRONMENTS}
        except ClusterUnavailable as error:
            away["cluster"] = str(error)
        view = replace(view, looked=seen, away=away)
        current = view.ledger.current
        if current is not None:
            if event := foreign(current, view.bundles, self.parts.rules):
                return view, event
            view, event = self._judge(view, current) if seen else (view, None)
            if event is not None:
                return view, event
        return self._candidate(view)

    def _judge(self, view: View, current: Promotion) -> tuple[View, Event | None]:
        """What the state's gate and the cluster say of `current`."""
        key, now = record_key(current), self.parts.clock()
        try:
            record, judged = self._record(current, key, now)
            view = replace(view, record=record, record_key=key if record else "")
            event = observe(current, Seen(view.looked, record, view.record_key, judged), now, self.parts.rules)
            if event is not None and event.record is not None and not event.key:
                # What the cluster said is evidence too, and is kept before the commit that rests on it.
                self.parts.records.put(key, with_timeline(event.record, current))
                event = replace(event, key=key)
        except RecordsUnavailable as error:
            return replace(view, away={**view.away, "records": str(error)}), None
        return view, event

    def _record(self, current: Promotion, key: str, now: datetime) -> tuple[GateRecord | None, bool]:
        """The record that counts now, and whether a gate of the promoter's own judges this state.

        A verdict stands, but in the guard window: there each turn judges anew.
        """
        state = current.back_to if current.state is State.HELD and current.back_to else current.state
        judge = self.parts.judges.get(state)
        record = self.parts.records.get(key) if key else None
        stands = record is not None and record.verdict in {"pass", "fail"} and state is not State.GUARDED
        if judge is None or stands:
            return record, judge is not None
        found = judge(current, now)
        if found is not None:
            found = with_timeline(found, current)
            self.parts.records.put(key, found)
        return found or record, True

    def _candidate(self, view: View) -> tuple[View, Event | None]:
        """Whether somebody asks to be promoted, and may."""
        try:
            version = self.parts.registry.candidate()
            if version is None:
                return view, None
            if version.candidate.number == (view.ledger.current and view.ledger.current.candidate.number):
                return view, None
            if why := self._not_now(version, view):
                return replace(view, queued=why), None
            event = self._taken(version, view)
        except (RegistryUnavailable, ReleaseUnavailable) as error:
            return replace(view, away={**view.away, "registry": str(error)}), None
        return view, event

    def _not_now(self, version: Version, view: View) -> str:
        """Why this candidate starts nothing now; "": it may."""
        asking, current = version.candidate, view.ledger.current
        if not asking.digest:
            return f"{asking.model} number {asking.number} is no release: register it with `hilum release register`"
        if REJECTED in version.tags:
            return f"{asking.title} was rejected, and a rejected release does not come back: train a new version"
        if asking.digest == view.bundles["production"].digest:
            return f"{asking.title} is in production already"
        if any(p.candidate.number == asking.number and (p.id, p.state) not in self._closed for p in view.ledger.ended):
            return f"{asking.title} has just ended; its request is being closed"
        if current is not None and current.state not in {State.STAGING, State.INTERRUPTED}:
            return f"{asking.title} waits until {current.candidate.title} has ended ({current.state})"
        return ""

    def _taken(self, version: Version, view: View) -> Event | None:
        base = dict(view.bundles)
        try:
            candidate = self.parts.releases.take(version)
        except BadRelease as error:
            if view.ledger.current is not None:
                return None
            return Event(Kind.REFUSED, str(error), candidate=version.candidate, base=base)
        asked = f"{candidate.model} {candidate.version}, number {candidate.number}, asks to be promoted"
        return Event(Kind.CANDIDATE, asked, candidate=candidate, base=base)

    def _take(self, view: View, head: Head, event: Event) -> View:
        made = step(view.ledger, event, self.parts.clock(), self.parts.rules)
        if made.ledger == view.ledger:
            return replace(view, waits=made.why)
        try:
            if self.parts.pulls is not None and self.parts.pulls.wanted(made.ledger.state):
                return replace(view, waits=self._request(self.parts.pulls, head, view, made, event))
            commit = self._commit(head, view.ledger, made, view.bundles, event)
        except Overtaken as error:
            return replace(view, waits=f"{error}; looking again")
        except PullsUnavailable as error:
            return replace(view, away={**view.away, "git": str(error)})
        after = self._after(view.ledger, made, view.bundles, event)
        return replace(view, ledger=made.ledger, bundles=after, commit=commit)

    def _request(self, pulls: Pulls, head: Head, view: View, made: Step, event: Event) -> str:
        """Ask for the step by a pull request, once; says how that stands. The step is made when it is merged."""
        branch = f"promoter/{made.ledger.generation}"
        if not self.parts.git.has(branch):
            self._commit(head, view.ledger, made, view.bundles, event, branch)
        return pulls.ensure(branch, message(view.ledger, made.ledger))

    def _after(self, before: Ledger, made: Step, running: Mapping[str, Bundle], event: Event) -> dict[str, Bundle]:
        """The bundles that the step leaves: what it places, where it places something else than the state before."""
        was = _placement(before, running, self.parts.rules)
        will = _placement(made.ledger, running, self.parts.rules, ended_by=before)
        every = event.kind is Kind.RESUME
        return {n: will[n] if every or will[n] != was[n] else running[n] for n in ENVIRONMENTS}

    def _commit(
        self, head: Head, before: Ledger, made: Step, running: Mapping[str, Bundle], event: Event, branch: str = ""
    ) -> str:
        """State and bundles in one commit. Raises Overtaken, GitUnavailable."""
        files = {FILE: made.ledger.to_json()}
        for name, wanted in self._after(before, made, running, event).items():
            if wanted != running[name]:
                files[path_of(name)] = bundles.write(head.files[path_of(name)], wanted)
        text = message(before, made.ledger)
        commit = self.parts.git.write(head, files, text, self.parts.clock(), branch)
        log.info("committed", step=text.splitlines()[0], commit=commit, generation=made.ledger.generation)
        return commit

    def _follow(self, view: View) -> View:
        """Tags and aliases of the registry, by what Git and the cluster say. What is away is done in a later turn."""
        try:
            for ended in view.ledger.ended:
                if (ended.id, ended.state) not in self._closed:
                    self.parts.registry.close(ended)
                    self._closed.add((ended.id, ended.state))
            current = view.ledger.current
            if current is not None and current.state is State.INTERRUPTED:
                self.parts.registry.interrupted(current)
            self._aliases(view.looked)
        except RegistryUnavailable as error:
            return replace(view, away={**view.away, "registry": str(error)})
        return view

    def _aliases(self, looked: Mapping[str, Looked]) -> None:
        """An alias names what serves in its environment, healthy, as Git has it; until then it stays where it is."""
        if not looked:
            return
        there = self.parts.registry.aliases()
        for name, look in looked.items():
            if look.wanted and look.wanted == look.asked_digest and look.runs(look.wanted):
                number = self.parts.registry.number_of(look.wanted)
                if number is None and name in there:
                    self.parts.registry.drop_alias(name)
                elif number is not None and there.get(name) != number:
                    self.parts.registry.set_alias(name, number)
            elif look.rests() and name in there:
                self.parts.registry.drop_alias(name)


def _placement(
    ledger: Ledger, running: Mapping[str, Bundle], rules: Rules, ended_by: Ledger | None = None
) -> dict[str, Bundle]:
    """What the state asks of each environment; at rest, what is there, or what the end of a promotion asks."""
    if ledger.current is not None:
        return placed(ledger.current, rules)
    if ended_by is not None:
        old = {each.id: each.state for each in ended_by.ended}
        ended = next((each for each in ledger.ended if old.get(each.id) != each.state), None)
        if ended is not None:
            return placed(ended, rules)
    return dict(running)


__all__ = ["AWAY", "BadState", "CannotAct", "Parts", "Promoter", "View"]
