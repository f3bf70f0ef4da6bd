"""The self-test: the release's built-in film goes through every part, and nothing of it stays."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from hilum.clients.base import Refused, Unavailable
from hilum.imaging import BadFilm, decode
from hilum.problems import Problem
from hilum.storage import BlobMissing, BlobsUnavailable, DatabaseUnavailable
from hilum.triage import due_time, urgency
from hilum.wire import ModelInfo, Prediction, ReadIn
from services.web.answers import store_prediction
from services.web.candidates import Candidate, Facts, Upload, inspect
from services.web.context import Web, utc_now
from services.web.names import derived_uid
from services.web.reads import NewRead, commit_read
from services.web.register import apply, judge
from services.web.releases import keep_release
from services.web.tables import Outbox
from services.web.views import Step

TOLERANCE = 1e-3


class StepFailed(Exception):
    """A step saw something that is not as it must be; the text says what."""


class _Undo(Exception):
    """Rolls the rows back."""


@dataclass
class _Trial:
    """What the steps hand on. `name` is new for each run."""

    web: Web
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    film: bytes = b""
    model: ModelInfo | None = None
    prediction: Prediction | None = None
    read: ReadIn | None = None

    async def release(self) -> str:
        """Ask inference which release it serves, and for that release's film."""
        self.model = await self.web.inference.model()
        self.film = await self.web.inference.golden_film()
        found = self.model.release
        return f"{found.name} {found.version} ({found.precision}), {len(self.model.findings)} findings"

    async def decode(self) -> str:
        """Decode the film here."""
        film = await asyncio.to_thread(decode, self.film)
        return f"{film.width} x {film.height} pixels, {film.bits} bits"

    async def store(self) -> str:
        """Keep the bytes, read them back, remove them."""
        key = f"self-test/{self.name}"

        def there_and_back() -> bytes:
            self.web.blobs.put(key, self.film)
            try:
                return self.web.blobs.get(key)
            finally:
                self.web.blobs.delete(key)

        if await asyncio.to_thread(there_and_back) != self.film:
            raise StepFailed("the store gave other bytes back")
        return f"{len(self.film)} bytes kept, read back and removed"

    async def predict(self) -> str:
        """Score the film and compare with what the release says of it."""
        model = self._model()
        self.prediction = await self.web.inference.predict(self.film, "self-test")
        names = [item.name for item in self.prediction.findings]
        if names != [item.name for item in model.findings]:
            raise StepFailed("the answer's findings differ from the release's, or their order")
        worst = max(abs(item.probability - model.golden[item.name]) for item in self.prediction.findings)
        if worst > TOLERANCE:
            raise StepFailed(f"a probability is {worst:.4f} off the release's own")
        return f"{len(names)} findings in the release's order, at most {worst:.1e} off"

    async def explain(self) -> str:
        """Ask for a heat map."""
        model = self._model()
        picture = await self.web.inference.explain(self.film, model.findings[0].name, model.release.digest)
        if not picture.startswith(b"\x89PNG"):
            raise StepFailed("the heat map is no PNG")
        return f"heat map of {model.findings[0].name}, {len(picture)} bytes"

    async def triage(self) -> str:
        """Give the film its place."""
        found = urgency([self._prediction()], False)
        now = utc_now()
        wait = due_time(now, found, self.web.policy) - now
        return f"{found.band}, due in {wait.total_seconds() / 60:.0f} minutes: {found.reason}"

    async def rows(self) -> str:
        """Write the film's, answer's and read's rows, and take them back."""
        return await asyncio.to_thread(self._rows)

    async def feedback(self) -> str:
        """Hand a read to feedback, marked synthetic: the ledger checks it and keeps nothing."""
        if self.read is None:
            raise StepFailed("there is no read: a step before failed")
        await self.web.feedback.append(self.read, f"self-test-{self.name}", synthetic=True)
        return "the ledger took a read and kept nothing of it"

    def _rows(self) -> str:
        found = inspect(Upload("self-test", lambda: self.film), Facts(patient_id=self.name, synthetic=True))
        if not isinstance(found, Candidate):
            raise StepFailed(found.detail)
        # A name of its own: a release's film may also have been uploaded, and is DICOM in some releases.
        candidate = replace(found, film_uid=derived_uid(self.name, "film"), study_uid=derived_uid(self.name, "study"))
        status = ""
        try:
            with self.web.write() as session:
                status = self._write(session, candidate)
                raise _Undo
        except _Undo:
            return f"film, answer and read written ({status}) and taken back"

    def _write(self, session: Session, candidate: Candidate) -> str:
        now, web, prediction = utc_now(), self.web, self._prediction()
        keep_release(session, self._model(), now)
        verdicts = judge(session, [candidate])
        apply(session, verdicts, web.settings, {}, now)
        if not store_prediction(session, candidate.film_uid, prediction, web.policy, now):
            raise StepFailed("the prediction was not kept")
        read = NewRead({prediction.findings[0].name: 0}, answer_version=1)
        key = f"self-test-{self.name}"
        commit_read(
            session,
            verdicts[0].study_uid,
            read,
            key=key,
            reader=web.reader,
            lead=False,
            settings=web.settings,
            now=utc_now(),
        )
        outgoing = session.get(Outbox, key)
        if outgoing is None:
            raise StepFailed("the read has no place in the outbox")
        self.read = ReadIn.model_validate(outgoing.payload)
        return "stored, scored, read"

    def _model(self) -> ModelInfo:
        if self.model is None:
            raise StepFailed("there is no release: a step before failed")
        return self.model

    def _prediction(self) -> Prediction:
        if self.prediction is None:
            raise StepFailed("there is no score: a step before failed")
        return self.prediction


EXPECTED = (
    StepFailed,
    Refused,
    Unavailable,
    Problem,
    BadFilm,
    BlobMissing,
    BlobsUnavailable,
    DatabaseUnavailable,
)


async def run_self_test(web: Web) -> list[Step]:
    """Run every step, also after one failed, and say how each went."""
    trial = _Trial(web)
    steps: tuple[Callable[[], Awaitable[str]], ...] = (
        trial.release,
        trial.decode,
        trial.store,
        trial.predict,
        trial.explain,
        trial.triage,
        trial.rows,
        trial.feedback,
    )
    results = []
    for step in steps:
        started = time.perf_counter()
        try:
            ok, detail = True, await step()
        except EXPECTED as error:
            ok, detail = False, str(error) or type(error).__name__
        elapsed = 1000 * (time.perf_counter() - started)
        results.append(Step(step.__name__, ok, round(elapsed, 1), detail))
    return results
