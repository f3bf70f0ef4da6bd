"""A whole site for the promoter's tests: real Git, real MLflow, real releases, and a recorded cluster.

The cluster alone is a stand-in, named so: `RecordedCluster` shows the states that Argo CD and Argo Rollouts come to,
at once, for the bundles that Git holds. The real ones are proven by `make e2e-promotion`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hilum.gates import Check, GateRecord
from hilum.storage import open_blobs
from services.promoter import bundle as bundles
from services.promoter.bundle import ENVIRONMENTS, Bundle, path_of
from services.promoter.git import Git
from services.promoter.looked import Looked, Measured
from services.promoter.machine import Event, placed, step
from services.promoter.observe import record_key
from services.promoter.promoter import Parts, Promoter
from services.promoter.promotion import FILE, Candidate, Ledger, Promotion, read
from services.promoter.records import Records, key_of
from services.promoter.registry import Registry
from services.promoter.releases import Releases
from services.promoter.rules import Rules
from services.promoter.states import Kind, State
from tests.fixtures.git import push, show, show_all

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[3]
RULES = Rules(exposure=(0.05,), guard=timedelta(0), retry=timedelta(0))
OLD = "4486732412569360ec2de059d61f6950cedf19631d820e0c1a1ab66bf9560487"
IMAGE = "sha256:" + "a" * 64


def files() -> dict[str, str]:
    """The repository's own bundles, with images, all on the old release; and files that are none of the promoter's."""
    found = {"README.md": "a site\n", "argocd/environments/production/values.yaml": "environment: production\n"}
    for name in ENVIRONMENTS:
        text = (ROOT / path_of(name)).read_text(encoding="utf-8").replace('digest: ""', f'digest: "{IMAGE}"')
        found[path_of(name)] = bundles.write(text, replace(bundles.read(text), digest=OLD))
    return found


def record(environment: str, promotion: Promotion, verdict: str, **check: object) -> GateRecord:
    """A gate's record with one check."""
    one = Check("sensitivity", "difference", verdict, "as the test has it", n=412, **check)  # type: ignore[arg-type]
    digest = promotion.candidate.digest
    return GateRecord(environment, digest, OLD, promotion.attempt, "test", "0" * 64, START, START, (one,))  # type: ignore[arg-type]


@dataclass
class RecordedCluster:
    """States recorded from Argo CD and Argo Rollouts, shown for the bundles in `bare`; `verdicts` by environment.

    `staging` stands for the analysis Job, whose record lies in the store before the rollout goes on.
    """

    bare: Path
    records: Records
    verdicts: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def look(self, environment: str) -> Looked:
        """As ArgoCD and Argo Rollouts leave it."""
        texts = show_all(self.bare, [path_of(environment), FILE])
        found = bundles.read(texts[path_of(environment)])
        pods = found.replicas if found.replicas >= 0 else int(environment != "canary")
        good = Looked(
            environment, True, True, found.digest, found.attempt, found.digest if pods else "", found.digest,
            "Healthy", ready=pods,
        )  # fmt: skip
        current = read(texts.get(FILE)).current
        if environment in self.stopped:
            return replace(good, synced=False, asked_digest=OLD, asked_attempt=0, serving=OLD, wanted=OLD)
        if current is None or found.digest != current.candidate.digest or found.attempt != current.attempt:
            return good
        verdict = self.verdicts.get(environment, "pass")
        if environment == "staging":
            self.records.put(key_of("staging", found.digest, found.attempt), record("staging", current, verdict))
        if environment == "canary" or verdict == "pass":
            measured = (Measured("run", "errors", "Successful", "[0]"),) if environment == "production" else ()
            return replace(good, analysis=measured)
        failed = Measured("run", "errors", "Failed" if verdict == "fail" else "Error", "[0.07]", "errors above 1 %")
        return replace(good, healthy=False, serving=OLD, phase="Degraded", aborted=True, analysis=(failed,))


@dataclass
class Clock:
    """The time, which a test moves."""

    now: datetime = START

    def __call__(self) -> datetime:
        """Now."""
        return self.now

    def after(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span


@dataclass
class Site:
    """Everything around a promoter, and ways to look at it."""

    bare: Path
    git_url: str
    mlflow_url: str
    model: str
    folder: Path
    keys: Path
    rules: Rules = RULES
    clock: Clock = field(default_factory=Clock)
    verdicts: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def records(self) -> Records:
        """The store of records."""
        return Records(open_blobs((self.folder / "records").as_uri()))

    def promoter(self, name: str = "one") -> Promoter:
        """A promoter that has just started: it knows nothing but this site."""
        records = self.records()
        registry = Registry(self.mlflow_url, self.model)
        releases = Releases(registry, open_blobs((self.folder / "releases").as_uri()), self.keys)
        cluster = RecordedCluster(self.bare, records, self.verdicts, self.stopped)
        git = Git(self.git_url, "main", self.folder / f"cache-{name}")
        parts = Parts(git, registry, releases, cluster, records, self.rules, self.clock, self._judges())
        return Promoter(parts)

    def _judges(self) -> dict[State, Callable[[Promotion, datetime], GateRecord | None]]:
        def canary(promotion: Promotion, _: datetime) -> GateRecord:
            return record("canary", promotion, self.verdicts.get("canary", "pass"))

        def guard(promotion: Promotion, _: datetime) -> GateRecord:
            return record("production", promotion, self.verdicts.get("guard", "pass"))

        return {State.CANARY_SHADOW: canary, State.CANARY_EXPOSED: canary, State.GUARDED: guard}

    def bring_to(self, state: State) -> str:
        """Put a candidate into Git as if it had come as far as `state`; returns its digest. No registry is needed."""
        base = {name: self.bundle(name) for name in ENVIRONMENTS}
        candidate = Candidate(self.model, "2", "2.0.0", "c" * 64, "fp32")
        event = Event(Kind.CANDIDATE, "asks to be promoted", candidate=candidate, base=base)
        ledger = step(Ledger(), event, self.clock(), self.rules).ledger
        while ledger.state is not state:
            assert ledger.current is not None
            passed = record("canary", ledger.current, "pass")
            key = record_key(ledger.current)
            self.records().put(key, passed)
            event = Event(Kind.PASS, "all checks passed", record=passed, key=key)
            ledger = step(ledger, event, self.clock(), self.rules).ledger
        assert ledger.current is not None
        texts = {FILE: ledger.to_json()}
        for name, bundle in placed(ledger.current, self.rules).items():
            texts[path_of(name)] = bundles.write(show(self.bare, path_of(name)), bundle)
        push(self.bare, texts, f"As far as {state}")
        return candidate.digest

    def ledger(self) -> Ledger:
        """The state in Git."""
        return read(show(self.bare, FILE))

    def bundle(self, environment: str) -> Bundle:
        """What Git says of an environment."""
        return bundles.read(show(self.bare, path_of(environment)))

    def digests(self) -> dict[str, str]:
        """The release of each environment in Git."""
        return {name: self.bundle(name).digest for name in ENVIRONMENTS}

    def by_hand(self, environment: str, bundle: Bundle) -> None:
        """A person's commit to a bundle."""
        path = path_of(environment)
        push(self.bare, {path: bundles.write(show(self.bare, path), bundle)}, "By hand")
