"""Staging's questions to the candidate's service itself: is it what it says, and does it refuse what it should?"""

from __future__ import annotations

import base64
import io
import struct
import zlib

import httpx
import numpy as np

from hilum.clients.inference import InferenceClient, Refused, Unavailable
from hilum.findings import finding
from hilum.gates.record import Check
from hilum.wire import ModelInfo

# Probabilities of the golden film may differ by what another processor rounds.
GOLDEN = 2e-3


def _png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose head says this size; with no pixels it is one that promises more than it holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BATTERY: dict[str, bytes] = {
    "nothing": b"",
    "text": b"this is no film",
    "a PNG cut short": _png(512, 512, zlib.compress(bytes(1000)))[:80],
    "a PNG without pixels": _png(512, 512),
    "a PNG of 60,000 x 60,000": _png(60_000, 60_000, zlib.compress(bytes(1000))),
    "a JPEG's first bytes": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "a DICOM head alone": bytes(128) + b"DICM",
    "a DICOM with a length beyond its end": bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\xff\xff\xff\xff",
    "a web page": b"<!doctype html><title>no film</title>",
    "zeros": bytes(100_000),
}


async def contract_checks(
    client: InferenceClient, http: httpx.AsyncClient, active: ModelInfo, release: str
) -> list[Check]:
    """Digest, findings and points, golden film, and the same order in the older contract; raises Unavailable."""
    info = await client.model()
    served = info.release.digest

    def check(
        name: str, good: bool, metric: str, reason: str, of: str | None = None, value: float | None = None
    ) -> Check:
        return Check(name, metric, "pass" if good else "fail", reason, value, finding=of)

    digest = not release or served == release
    checks = [check("release", digest, "digest", "the candidate is served" if digest else f"{served[:12]} is served")]
    names = [f.name for f in info.findings]
    twice = len(set(names)) != len(names)
    bad = [f.name for f in info.findings if not 0 < f.rule_out <= f.alert < 1] if not twice else names
    checks.append(
        check("findings", not bad, "operating points", f"not usable: {', '.join(bad)}" if bad else "in order")
    )
    established = {f.name for f in info.findings if f.established}
    lost = [f.name for f in active.findings if f.established and finding(f.name).acute and f.name not in established]
    reason = f"established no more: {', '.join(lost)}" if lost else "every acute finding of the active release"
    checks.append(check("acute findings", not lost, "established", reason))
    return [*checks, *await _golden(client, http, info)]


async def _golden(client: InferenceClient, http: httpx.AsyncClient, info: ModelInfo) -> list[Check]:
    film = await client.golden_film()
    answer = await client.predict(film)
    given = {f.name: f.probability for f in answer.findings}
    off = max((abs(given.get(name, np.inf) - p) for name, p in info.golden.items()), default=np.inf)
    reason = "the release's own film gives the release's own probabilities"
    if off > GOLDEN:
        reason = "the served path gives other probabilities than the release: other preprocessing or another model"
    golden = Check("golden film", "largest difference of probability", "pass" if off <= GOLDEN else "fail", reason,
                   float(min(off, 1.0)), GOLDEN, len(info.golden))  # fmt: skip
    older = await http.post("/predict", json={"image": base64.b64encode(film).decode()})
    listed = older.json().get("probabilities", []) if older.is_success else []
    wanted = [given.get(f.name, np.nan) for f in info.findings]
    same = len(listed) == len(wanted) and bool(np.allclose(listed, wanted, atol=1e-6))
    metric = "probabilities of /predict and /v1/predict"
    reason = "the same, in the release's order" if same else "the two contracts disagree"
    order = Check("label order", metric, "pass" if same else "fail", reason, n=len(wanted))
    return [golden, order]


async def bad_input_checks(client: InferenceClient, http: httpx.AsyncClient) -> list[Check]:
    """Each of the battery is refused with a problem document; afterwards the service is ready and answers as before."""
    checks = []
    for name, data in BATTERY.items():
        try:
            await client.predict(data)
            verdict, reason = "fail", "it was answered as if it were a film"
        except Refused as error:
            named = bool(error.kind) and bool(error.detail)
            verdict, reason = ("pass", error.kind) if named else ("fail", f"{error.status} without a reason")
        except Unavailable as error:
            verdict, reason = "fail", f"it broke the request: {error.detail[:120]}"
        checks.append(Check(f"bad input: {name}", "refused with a reason", verdict, reason))  # type: ignore[arg-type]
    ready = await client.ready()
    checks.append(
        Check("after bad input", "ready", "pass" if ready.ready else "fail", "; ".join(ready.reasons) or "ready")
    )
    return checks


async def metric_of(http: httpx.AsyncClient, name: str) -> float | None:
    """One plain number of /metrics; None where it is not there."""
    page = await http.get("/metrics")
    for line in io.StringIO(page.text):
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    return None
